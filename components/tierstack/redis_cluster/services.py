"""The Services of a RedisCluster on Kubernetes: names of single pods, and the one endpoint of clients."""

from tierstack.platform.internal_ca import TLSMode
from tierstack.platform.kubernetes.manifest import SKIP_AWAIT, Manifest
from tierstack.platform.kubernetes.services import service, service_port
from tierstack.redis_cluster import node
from tierstack.redis_cluster.args import RedisClusterArgs
from tierstack.redis_cluster.policies import client_ports, labels

PORT_NAMES = {node.PORT: "redis", node.TLS_PORT: "redis-tls"}


def headless(name: str, part: str, port: int) -> Manifest:
    """Stable names of the pods, from the moment they have an address: they find each other before they are ready."""
    return service(
        f"{name}-{part}",
        labels(name, part),
        [service_port("redis" if part == "node" else part, port)],
        annotations=SKIP_AWAIT,
        clusterIP="None",
        publishNotReadyAddresses=True,
    )


def names(name: str, args: RedisClusterArgs) -> list[str]:
    """What clients may call the endpoint."""
    full = f"{name}.{args.platform.name}"
    return [name, full, f"{full}.svc", f"{full}.svc.{args.cluster_domain}"]


def endpoint(name: str, proxied: bool, tls: TLSMode) -> Manifest:
    """The one name for clients: the first node, or HAProxy. The first node by its own label, so that new replicas are
    not taken for it while one node grows to three."""
    first = {**labels(name, "node"), "statefulset.kubernetes.io/pod-name": f"{name}-node-0"}
    ports = [service_port(PORT_NAMES[port], port, port) for port in client_ports(tls)]
    return service(name, labels(name, "proxy") if proxied else first, ports, type="ClusterIP")
