"""Who may speak with the pods of a RedisCluster on Kubernetes."""

from tierstack.platform.internal_ca import TLSMode
from tierstack.platform.kubernetes import network
from tierstack.platform.kubernetes.manifest import Manifest
from tierstack.redis_cluster import node, topology

_PART = "app.kubernetes.io/component"
_INSTANCE = "app.kubernetes.io/instance"


def labels(name: str, part: str) -> dict[str, str]:
    """Labels of the pods of a part: `node`, `sentinel`, `proxy` or `handover`."""
    return {"app.kubernetes.io/name": "redis", _INSTANCE: name, _PART: part}


def client_labels(name: str) -> dict[str, str]:
    """Labels that a pod must carry to be let through."""
    return network.client_of("redis", name)


def client_ports(tls: TLSMode) -> list[int]:
    """The ports that clients may use: in plaintext, encrypted, or both."""
    return {TLSMode.DISABLE: [node.PORT], TLSMode.ALLOW: [node.PORT, node.TLS_PORT], TLSMode.REQUIRE: [node.TLS_PORT]}[
        tls
    ]


def node_policy(name: str, tls: TLSMode) -> Manifest:
    """The same for one node and for three, because between the two there are both: clients that were there before keep
    their connections to the node, and replicas that go stay in step until they are gone."""
    own = [labels(name, part) for part in ("node", "sentinel", "proxy", "handover")]
    clear = [client_labels(name), *own] if node.PORT in client_ports(tls) else own
    encrypted = [(node.TLS_PORT, [client_labels(name), labels(name, "proxy")])]
    return _policy(name, "node", [(node.PORT, clear), *([] if tls is TLSMode.DISABLE else encrypted)])


def sentinel_policy(name: str) -> Manifest:
    """Nodes, each other, and what hands over before three nodes become one."""
    peers = [labels(name, part) for part in ("node", "sentinel", "handover")]
    return _policy(name, "sentinel", [(topology.SENTINEL_PORT, peers)])


def proxy_policy(name: str, tls: TLSMode) -> Manifest:
    """Clients. The kubelet's probes of the health port are let through by every network plugin."""
    return _policy(name, "proxy", [(port, [client_labels(name)]) for port in client_ports(tls)])


def egress_policy(name: str) -> Manifest:
    """All pods of the store reach each other, and DNS."""
    own = {key: value for key, value in labels(name, "").items() if key != _PART}
    ports = (node.PORT, node.TLS_PORT, topology.SENTINEL_PORT)
    rules = [network.egress([network.pods(own)], *ports), network.DNS]
    return network.policy(f"{name}-egress", own, egress=rules)


def _policy(name: str, part: str, rules: list[tuple[int, list[dict[str, str]]]]) -> Manifest:
    """What may come in to the pods of a part: for each port, the pods with one of these sets of labels."""
    ingress = [network.ingress([network.pods(peer) for peer in peers], port) for port, peers in rules]
    return network.policy(f"{name}-{part}", labels(name, part), ingress=ingress)
