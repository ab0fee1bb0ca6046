"""The Services of a RedisCluster on Kubernetes: names of single pods, and the one endpoint of clients."""

from tierstack.platform.internal_ca import TLSMode
from tierstack.platform.kubernetes import Manifest
from tierstack.redis_cluster import node
from tierstack.redis_cluster.args import RedisClusterArgs
from tierstack.redis_cluster.policies import client_ports, labels

PORT_NAMES = {node.PORT: "redis", node.TLS_PORT: "redis-tls"}


def headless(name: str, part: str, port: int) -> Manifest:
    """Stable names of the pods, from the moment they have an address: they find each other before they are ready."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"{name}-{part}", "annotations": {"pulumi.com/skipAwait": "true"}},
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": labels(name, part),
            "ports": [{"name": "redis" if part == "node" else part, "port": port, "protocol": "TCP"}],
        },
    }


def names(name: str, args: RedisClusterArgs) -> list[str]:
    """What clients may call the endpoint."""
    service = f"{name}.{args.platform.name}"
    return [name, service, f"{service}.svc", f"{service}.svc.{args.cluster_domain}"]


def endpoint(name: str, proxied: bool, tls: TLSMode) -> Manifest:
    """The one name for clients: the first node, or HAProxy. The first node by its own label, so that new replicas are
    not taken for it while one node grows to three."""
    first = {**labels(name, "node"), "statefulset.kubernetes.io/pod-name": f"{name}-node-0"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {
            "type": "ClusterIP",
            "selector": labels(name, "proxy") if proxied else first,
            "ports": [
                {"name": PORT_NAMES[port], "port": port, "targetPort": port, "protocol": "TCP"}
                for port in client_ports(tls)
            ],
        },
    }
