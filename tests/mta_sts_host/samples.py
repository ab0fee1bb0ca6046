"""Good arguments to change in tests."""

from typing import Any

from tests.gateway.samples import endpoint
from tierstack.platform import DockerHost, Kubernetes, Platform

DIGEST = "0" * 64
POLICY = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.org\r\nmax_age: 604800\r\n"
PLATFORMS: dict[str, Platform] = {"docker": DockerHost(name="shop"), "kubernetes": Kubernetes(name="shop")}


def given(on: str, **changes: Any) -> dict[str, Any]:
    """Arguments without a problem, as the component host gives them, with `changes`; None leaves one out."""
    good: dict[str, Any] = {
        "platform": PLATFORMS[on],
        "gateway": endpoint(on),
        "domain": "example.org",
        "policy": POLICY,
        "image": f"sha256:{DIGEST}" if on == "docker" else f"registry.example.org/nginx:1@sha256:{DIGEST}",
    }
    return {key: value for key, value in {**good, **changes}.items() if value is not None}
