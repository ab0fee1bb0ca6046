"""Where applications attach to a Gateway."""

from dataclasses import dataclass

import pulumi


@dataclass(kw_only=True)
class GatewayIdentity:
    """Which Gateway will show a certificate: named before it is made, because names are proved through it first."""

    source = "the GatewayIdentity of a Gateway"

    name: str
    """Name of the Gateway component; its `physical_name` where it has one."""
    place: str | None = None
    """Where it is (`platform.place`). None: on the platform of whatever takes it."""


@dataclass(kw_only=True)
class DockerGateway:
    """Where applications attach to the proxy of a Docker host."""

    source = "`endpoint.docker` of a Gateway on Docker"

    network: pulumi.Input[str]
    """Network that the proxy shares with the applications."""
    volume: pulumi.Input[str]
    """Volume whose folder `directory` the proxy watches: one file for each application."""
    directory: str
    """Folder of the volume."""
    entry_point: str
    """Traefik's name for the port of HTTPS, which routers name."""
    user: str
    """`uid:gid` of the proxy, which reads the files."""
    tools_image: pulumi.Input[str]
    """`tools_image` of the Gateway, which writes files into volumes."""


@dataclass(kw_only=True)
class KubernetesGateway:
    """Where applications attach to a Gateway of the Gateway API."""

    source = "`endpoint.kubernetes` of a Gateway on Kubernetes"

    name: pulumi.Input[str]
    """The Gateway in the platform's namespace that routes attach to."""
    section_name: str
    """Name of its listener for HTTPS (`sectionName` of a route's parent)."""
    gateway_class: str
    """Its GatewayClass; `traefik` brings rate limits, which the Gateway API lacks."""
    proxy_namespace: str
    """Namespace of the proxy's pods, the only ones let through to applications."""


@dataclass(kw_only=True)
class GatewayEndpoint:
    """Where applications attach to a Gateway."""

    source = "`endpoint` of a Gateway"

    https_port: int
    """Port that clients use for HTTPS, for the URLs that applications announce."""
    docker: DockerGateway | None = None
    """On a Docker host, what applications attach to. None on Kubernetes."""
    kubernetes: KubernetesGateway | None = None
    """On Kubernetes, what applications attach to. None on a Docker host."""
    trusted_proxies: list[str] | None = None
    """Networks (CIDR) of what stands in front of the proxy and names the client in X-Forwarded-For. None: nothing."""
    hostnames: list[str] | None = None
    """The names of its certificate, which those of an application must be among. None: not known, and not checked."""
    gateway: str | None = None
    """Name of the Gateway component, behind which a hostname belongs to one application. None: not checked."""
    place: str | None = None
    """Where it is, which tierstack fills in: a component elsewhere refuses it. None: not known, and not checked."""
