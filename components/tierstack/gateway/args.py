"""What a Gateway takes, and the rules of it."""

from dataclasses import dataclass, field

import pulumi

from tierstack.core.bounds import bound_problems
from tierstack.core.errors import MISSING, Diagnostic, rule
from tierstack.core.hostnames import is_ip
from tierstack.core.keys import DOCKER_ONLY, KUBERNETES_ONLY, given_elsewhere, within
from tierstack.links import Certificate
from tierstack.platform import Platform, PlatformKind, image_problems, name_problems, user_problems
from tierstack.platform.claims import Claim
from tierstack.platform.kubernetes import operators
from tierstack.platform.proxy import TRAEFIK_CLASS
from tierstack.platform.proxy.forwarded import network_problems
from tierstack.platform.proxy.traefik import READ_SECONDS

_LEAST_MB = 128
"""Below it a gateway holds no connection, or hardly one (`platform.proxy.sizing`)."""


@dataclass(kw_only=True)
class GatewayArgs:
    """Arguments of Gateway: the one way in, for HTTP and HTTPS."""

    platform: Platform
    """Where it runs."""
    certificate: Certificate
    """The certificate it shows, from TLS. A renewed one is taken up while running."""
    image: pulumi.Input[str] | None = field(default=None, metadata=DOCKER_ONLY)
    """Docker: image of Traefik 3.7.12 or newer, by digest. Required there. On Kubernetes the cluster runs its own."""
    tools_image: pulumi.Input[str] | None = field(default=None, metadata=DOCKER_ONLY)
    """Docker: any image by digest with `/bin/sh`, `chown`, `mkdir`, `mv` and `rm`. It writes files into volumes.
    Required there."""
    command: list[str] | None = field(default=None, metadata=DOCKER_ONLY)
    """Docker: how to start Traefik in the image. None: `["/usr/local/bin/traefik"]`, as in the official image."""
    user: str = field(default="65532:65532", metadata=DOCKER_ONLY)
    """Docker: `uid:gid` that Traefik runs as; not root."""
    http_port: int = field(default=80, metadata=within(1, 65535))
    """Port for HTTP, which only redirects. On Kubernetes, port of the listener. 1 to 65535."""
    https_port: int = field(default=443, metadata=within(1, 65535))
    """Port for HTTPS. On Kubernetes, port of the listener. 1 to 65535."""
    bind_address: str = field(default="0.0.0.0", metadata=DOCKER_ONLY)  # noqa: S104 - a public service is meant to be reached
    """Docker: address of the host that the ports are bound to. `127.0.0.1` keeps them on the host."""
    trusted_proxies: list[str] | None = None
    """Networks (CIDR) of load balancers or a CDN in front, whose X-Forwarded-For is believed. Rate limits and logs then
    count the client that they name. Kubernetes: those that the cluster's proxy trusts (`trusted_proxies` of
    ClusterAddons). None: nobody's."""
    memory_mb: int = field(default=512, metadata=within(_LEAST_MB, 65536, "MiB") | DOCKER_ONLY)
    """Docker: hard limit in MiB. 128 to 65536. (MiB - 96) × 1024 ÷ 40 open connections fit into it. Default: 512, which
    holds 10,649."""
    stop_seconds: int = field(default=30, metadata=within(1, 3600, "seconds") | DOCKER_ONLY)
    """Docker: how long running requests may take when it stops, in seconds. 1 to 3600."""
    read_timeout_seconds: int = field(default=READ_SECONDS, metadata=within(1, 604800, "seconds") | DOCKER_ONLY)
    """Docker: how long a client may take to send one request with its body, in seconds; then it is cut off. 300 are
    enough for 16 MiB at 64 KiB/s. A stack raises it to what `app.http.max_body_mb` takes at that rate. 1 to
    604800."""
    gateway_class: str = field(default=TRAEFIK_CLASS, metadata=KUBERNETES_ONLY)
    """Kubernetes: name of the GatewayClass."""
    proxy_namespace: str = field(default=operators.TRAEFIK, metadata=KUBERNETES_ONLY)
    """Kubernetes: namespace in which the proxy's pods run."""
    physical_name: str | None = None
    """What the names of its objects begin with, where that is not the component's name: give the old name here when the
    component is renamed, and nothing is replaced. None: the component's name."""

    def problems(self) -> list[Diagnostic]:
        """Everything that is wrong with the arguments."""
        found = self.platform.problems() + bound_problems(self)
        found += _two_ports(self) + _certificate(self)
        found += network_problems("trusted_proxies", self.trusted_proxies)
        return found + (_on_docker(self) if self.platform.kind is PlatformKind.DOCKER else _on_kubernetes(self))

    @rule(
        "gateway-challenge", "The challenges of a certificate must come to the Gateway that shows it.", "RFC 8555 §8.3"
    )
    def problems_as(self, name: str) -> list[Diagnostic]:
        """The rule of a Gateway of this name: the challenges of its certificate must come to it."""
        challenge = self.certificate.challenge
        if challenge is None or challenge.name == name:
            return []
        wrong = f"is proved through the Gateway `{challenge.name}`, and this one is `{name}`: no challenge would arrive"
        instead = f'give TLS `gateway=GatewayIdentity(name="{name}")`'
        return [Diagnostic("certificate.challenge.name", challenge.name, wrong, instead)]

    def claims(self) -> list[Claim]:
        """What no other component of the program can have: on Docker the ports of the host."""
        if self.platform.kind is not PlatformKind.DOCKER:
            return []
        wrong = "is a port of {owner} too, on the same host"
        instead = "write another port, or bind one of the two to another address by `bind_address`"
        return [
            Claim(
                ("port", self.platform.docker_host or "", str(getattr(self, path))),
                Diagnostic(path, getattr(self, path), wrong, instead, "port-twice"),
                self.bind_address,
            )
            for path in ("http_port", "https_port")
        ]


def _on_docker(args: GatewayArgs) -> list[Diagnostic]:
    found = user_problems("user", args.user) + _images(args)
    return found + _bind_address(args.bind_address) + _command(args.command)


def _on_kubernetes(args: GatewayArgs) -> list[Diagnostic]:
    found = name_problems("gateway_class", args.gateway_class)
    return found + name_problems("proxy_namespace", args.proxy_namespace) + _only_docker(args)


@rule("port-twice")
def _two_ports(args: GatewayArgs) -> list[Diagnostic]:
    if args.http_port != args.https_port:
        return []
    return [Diagnostic("https_port", args.https_port, "is the port of HTTP too", "write two ports, such as 80 and 443")]


@rule("gateway-certificate", "The certificate must have names, and what the platform needs of it.")
def _certificate(args: GatewayArgs) -> list[Diagnostic]:
    """Whether the certificate has what this platform needs of it."""
    certificate, needed = args.certificate, ("secret_name",)
    wrong, instead = "is required on Kubernetes", "pass `certificate` of a TLS component on the same platform"
    if args.platform.kind is PlatformKind.DOCKER:
        needed = () if certificate.acme else ("certificate_pem", "private_key_pem")
        wrong, instead = "is required on Docker", "pass `certificate` of a TLS component"
    found = [
        Diagnostic(f"certificate.{part}", MISSING, wrong, instead)
        for part in needed
        if getattr(certificate, part) is None
    ]
    if not certificate.hostnames:
        found.append(Diagnostic("certificate.hostnames", [], "is empty", "write the names that the certificate is for"))
    return found


@rule("image-reference")
def _images(args: GatewayArgs) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    for path in ("image", "tools_image"):
        value = getattr(args, path)
        if value is None:
            found.append(Diagnostic(path, MISSING, "is required on Docker", "write an image by digest"))
        else:
            found += image_problems(path, value, args.platform.kind)
    return found


@rule(
    "bind-address",
    "A Gateway must listen at an IP address of the host.",
    wrong="gateway: {bind_address: localhost}",
    right="gateway: {bind_address: 127.0.0.1}",
)
def _bind_address(value: str) -> list[Diagnostic]:
    if is_ip(value):
        return []
    instead = "write an address of the host, such as 127.0.0.1, or 0.0.0.0 for all"
    return [Diagnostic("bind_address", value, "is not an IP address", instead)]


@rule("empty-command")
def _command(value: list[str] | None) -> list[Diagnostic]:
    return [] if value != [] else [Diagnostic("command", [], "is empty", "write the command, or leave it out")]


@rule("wrong-platform")
def _only_docker(args: GatewayArgs) -> list[Diagnostic]:
    wrong = "means something only on Docker; the cluster runs the proxy"
    return [
        Diagnostic(path, value, wrong, "remove it")
        for path, value in given_elsewhere(args, PlatformKind.KUBERNETES.value).items()
    ]
