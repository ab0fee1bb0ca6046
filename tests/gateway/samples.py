"""Good arguments to change in tests."""

from typing import Any

from tierstack.links import Certificate
from tierstack.platform import DockerHost, Kubernetes, Platform

DIGEST = "0" * 64
PLATFORMS: dict[str, Platform] = {"docker": DockerHost(name="shop"), "kubernetes": Kubernetes(name="shop")}


def given(on: str, **changes: Any) -> dict[str, Any]:
    """Arguments without a problem, as the component host gives them, with `changes`; None leaves one out."""
    good: dict[str, Any] = {"platform": PLATFORMS[on]}
    if on == "docker":
        good |= {
            "certificate": Certificate(hostnames=["a.example.org"], certificate_pem="chain", private_key_pem="the key"),
            "image": f"sha256:{DIGEST}",
            "tools_image": f"sha256:{DIGEST}",
        }
    else:
        good |= {"certificate": Certificate(hostnames=["a.example.org"], secret_name="tls")}
    return {key: value for key, value in {**good, **changes}.items() if value is not None}
