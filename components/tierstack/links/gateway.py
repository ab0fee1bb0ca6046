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
class GatewayEndpoint:
    """Where applications attach to a Gateway."""

    source = "`endpoint` of a Gateway"

    https_port: int
    """Port that clients use for HTTPS, for the URLs that applications announce."""
    tools_image: pulumi.Input[str] | None = None
    """Docker: `tools_image` of the Gateway, which writes files into volumes. None on Kubernetes."""
    network: pulumi.Input[str] | None = None
    """Docker: network that the proxy shares with the applications."""
    volume: pulumi.Input[str] | None = None
    """Docker: volume whose folder `dynamic/` the proxy watches: one file for each application."""
    user: str | None = None
    """Docker: `uid:gid` of the proxy, which reads the files."""
    name: pulumi.Input[str] | None = None
    """Kubernetes: the Gateway in the platform's namespace that routes attach to."""
    gateway_class: str | None = None
    """Kubernetes: its GatewayClass; `traefik` brings rate limits, which the Gateway API lacks."""
    proxy_namespace: str | None = None
    """Kubernetes: namespace of the proxy's pods, the only ones let through to applications."""
    trusted_proxies: list[str] | None = None
    """Networks (CIDR) of what stands in front of the proxy and names the client in X-Forwarded-For. None: nothing."""
    hostnames: list[str] | None = None
    """The names of its certificate, which those of an application must be among. None: not known, and not checked."""
    gateway: str | None = None
    """Name of the Gateway component, behind which a hostname belongs to one application. None: not checked."""
    place: str | None = None
    """Where it is, which tierstack fills in: a component elsewhere refuses it. None: not known, and not checked."""
