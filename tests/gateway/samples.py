"""Good arguments to change in tests."""

from typing import Any

from tierstack.links import Certificate, DockerGateway, GatewayEndpoint, KubernetesGateway
from tierstack.platform import DockerHost, Kubernetes, Platform

DIGEST = "0" * 64
PLATFORMS: dict[str, Platform] = {"docker": DockerHost(name="shop"), "kubernetes": Kubernetes(name="shop")}
DOCKER = DockerGateway(
    network="shop-front",
    volume="shop-gateway-config",
    directory="dynamic",
    entry_point="https",
    user="65532:65532",
    tools_image=f"sha256:{DIGEST}",
)
KUBERNETES = KubernetesGateway(name="gateway", section_name="https", gateway_class="traefik", proxy_namespace="traefik")


def endpoint(on: str, **changes: Any) -> GatewayEndpoint:
    """What applications attach to."""
    attached: dict[str, Any] = {"docker": DOCKER} if on == "docker" else {"kubernetes": KUBERNETES}
    return GatewayEndpoint(**{"https_port": 443, **attached, **changes})


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
