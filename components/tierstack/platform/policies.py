"""NetworkPolicies (pure): who may speak with whom, and what everything needs.

Policies only add up: `default_deny` closes the namespace, and each component opens what it needs.
"""

from collections.abc import Sequence
from typing import Any

Manifest = dict[str, Any]

PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10"]
"""Networks of a cluster, its nodes and their cloud: RFC 1918, RFC 6598, and link-local addresses (RFC 3927)."""
_PRIVATE6 = ["fc00::/7", "fe80::/10"]
_DNS_PORTS = (53, 5353)
"""Ports on which the pods of cluster DNS listen: 53, and 5353 where they have no right to it (OpenShift); a policy
judges the pod's port, not the Service's."""
_NODE_LOCAL_DNS = "169.254.20.10/32"
"""Address of NodeLocal DNSCache, which is no pod (Kubernetes: "Using NodeLocal DNSCache in Kubernetes Clusters")."""
_API_SERVER_PORTS = (443, 6443, 8443)
"""Ports of API servers: 443 of managed clusters and of the Service, 6443 of kubeadm, 8443 of minikube. A policy judges
the address behind the Service, which is no pod, and which no manifest knows."""


def _tcp(ports: Sequence[int]) -> list[Manifest]:
    return [{"protocol": "TCP", "port": port} for port in ports]


def pods(labels: dict[str, str]) -> Manifest:
    """Pods of the namespace."""
    return {"podSelector": {"matchLabels": labels}}


def namespace(name: str) -> Manifest:
    """All pods of another namespace."""
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def anywhere() -> list[Manifest]:
    """Every address, in the cluster or outside."""
    return [{"ipBlock": {"cidr": "0.0.0.0/0"}}, {"ipBlock": {"cidr": "::/0"}}]


def outside() -> list[Manifest]:
    """Every address but those of private networks, the cluster's own among them."""
    return [
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": PRIVATE}},
        {"ipBlock": {"cidr": "::/0", "except": _PRIVATE6}},
    ]


def ingress(peers: Sequence[Manifest], *ports: int) -> Manifest:
    """What may come in: from any of the peers, to any of the TCP ports; without ports to all of them."""
    return {"from": list(peers), **({"ports": _tcp(ports)} if ports else {})}


def egress(peers: Sequence[Manifest], *ports: int) -> Manifest:
    """What may go out: to any of the peers, at any of the TCP ports; without ports at all of them."""
    return {"to": list(peers), **({"ports": _tcp(ports)} if ports else {})}


DNS: Manifest = {
    "to": [{"namespaceSelector": {}}, {"ipBlock": {"cidr": _NODE_LOCAL_DNS}}],
    "ports": [{"protocol": kind, "port": port} for kind in ("UDP", "TCP") for port in _DNS_PORTS],
}
"""What every pod that looks up a name needs."""
API_SERVER = egress(anywhere(), *_API_SERVER_PORTS)
"""What pods of an operator need that ask the API server."""


def policy(
    name: str,
    selected: dict[str, str],
    *,
    ingress: Sequence[Manifest] | None = None,
    egress: Sequence[Manifest] | None = None,
    labels: dict[str, str] | None = None,
) -> Manifest:
    """What the selected pods may do, for each direction that is given; an empty list allows nothing."""
    directions = {"Ingress": ingress, "Egress": egress}
    spec: Manifest = {
        "podSelector": {"matchLabels": selected} if selected else {},
        "policyTypes": [one for one, rules in directions.items() if rules is not None],
        # The API server drops empty lists, and what it drops would be a difference for ever.
        **{one.lower(): list(rules) for one, rules in directions.items() if rules},
    }
    metadata: Manifest = {"name": name, **({"labels": labels} if labels else {})}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def default_deny() -> Manifest:
    """Nothing in, nothing out, for every pod of the namespace that no other policy selects."""
    return policy("default-deny", {}, ingress=[], egress=[])
