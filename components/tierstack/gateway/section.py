"""Gateway as a part of stacks."""

from tierstack.core.memory import Reserved
from tierstack.core.section import Drawing, Edge, ImageKey, Node, Section, Surroundings
from tierstack.gateway.args import GatewayArgs
from tierstack.links import DockerGateway, GatewayEndpoint, KubernetesGateway
from tierstack.platform import PlatformKind
from tierstack.platform.proxy import TRAEFIK_CLASS

_DOCKER = DockerGateway(
    network="network",
    volume="volume",
    directory="dynamic",
    entry_point="https",
    user="65532:65532",
    tools_image=f"sha256:{'0' * 64}",
)
_KUBERNETES = KubernetesGateway(
    name="gateway", section_name="https", gateway_class="traefik", proxy_namespace="traefik"
)


def _placeholder(args: GatewayArgs) -> GatewayEndpoint:
    docker = args.platform.kind is PlatformKind.DOCKER
    return GatewayEndpoint(
        https_port=443,
        docker=_DOCKER if docker else None,
        kubernetes=None if docker else _KUBERNETES,
    )


def _needs(args: GatewayArgs) -> list[str]:
    return ["gateway-api", *(["traefik"] if args.gateway_class == TRAEFIK_CLASS else [])]


def _drawing(args: GatewayArgs, around: Surroundings) -> Drawing:
    docker = args.platform.kind is PlatformKind.DOCKER
    port = f":{args.https_port}" if args.https_port != 443 else ""
    names = around.hostnames
    detail = names[0] + port + (f" and {len(names) - 1} more" if names[1:] else "")
    clients, gateway = around.box("clients"), around.box("gateway")
    nodes = [
        Node(clients, "clients", detail, "outside", 0),
        Node(gateway, "gateway", "Traefik, TLS, rate limits" if docker else "Gateway API, TLS", "proxy", 1),
    ]
    return Drawing(nodes, [Edge(clients, gateway, "HTTPS")])


SECTION = Section(
    key="gateway",
    text="The way in, for HTTP and HTTPS.",
    args=GatewayArgs,
    component="tierstack.gateway:Gateway",
    name="gateway",
    wired=("certificate",),
    images=(
        ImageKey(
            key="traefik",
            text="Docker: Traefik 3.7.12 or newer. On Kubernetes the cluster runs its own.",
            docker="image",
        ),
        ImageKey(
            key="tools",
            text="Docker: what writes files into volumes. None: the one of `redis`.",
            docker="tools_image",
            otherwise="redis",  # it needs no more than a shell
        ),
    ),
    link="endpoint",
    placeholder=_placeholder,
    reserved=lambda args: [Reserved(args.memory_mb)],
    needs=_needs,
    drawing=_drawing,
    ends={"": "gateway"},
)
