"""NetworkPolicies (pure): who may speak with whom, and what everything needs.

Policies only add up: `default_deny` closes the namespace, and each component opens what it needs, as a list of rules:
`ingress` lets peers in to ports, `egress` lets out to peers at ports. Peers are lists of what `pods`, `namespace` and
the others give.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tierstack.platform.kubernetes.manifest import Manifest, manifest

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


def pods(labels: Mapping[str, str]) -> Manifest:
    """Pods of the namespace with these labels."""
    return {"podSelector": {"matchLabels": dict(labels)}}


def client_of(part: str, name: str) -> dict[str, str]:
    """Labels of pods that may reach a part of component `name`.

    Names of components have no dots, so that no name completes the label of another component or part.
    """
    return {f"tierstack.dev/{part}-client.{name}": "true"}


NEIGHBOURS: Manifest = {"podSelector": {}}
"""All pods of the namespace."""
CLUSTER: Manifest = {"namespaceSelector": {}}
"""All pods of the cluster."""


def namespace(name: str) -> Manifest:
    """All pods of another namespace."""
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def addresses(cidr: str) -> Manifest:
    """What has an address of this network, and is no pod."""
    return {"ipBlock": {"cidr": cidr}}


def anywhere() -> list[Manifest]:
    """Every address, in the cluster or outside."""
    return [addresses("0.0.0.0/0"), addresses("::/0")]


def outside() -> list[Manifest]:
    """Every address but those of private networks, the cluster's own among them."""
    return [
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": PRIVATE}},
        {"ipBlock": {"cidr": "::/0", "except": _PRIVATE6}},
    ]


def ingress(peers: Sequence[Manifest], *ports: Any) -> Manifest:
    """What may come in: from any of the peers, to any of the TCP ports; without ports to all of them. A port is a
    number, or an output of one."""
    return {"from": list(peers), **_tcp(ports)}


def egress(peers: Sequence[Manifest], *ports: Any) -> Manifest:
    """What may go out: to any of the peers, at any of the TCP ports; without ports at all of them."""
    return {"to": list(peers), **_tcp(ports)}


def _tcp(ports: Sequence[Any]) -> Manifest:
    return {"ports": [{"protocol": "TCP", "port": port} for port in ports]} if ports else {}


DNS: Manifest = {
    "to": [CLUSTER, addresses(_NODE_LOCAL_DNS)],
    "ports": [{"protocol": kind, "port": port} for kind in ("UDP", "TCP") for port in _DNS_PORTS],
}
"""What every pod that looks up a name needs."""
API_SERVER = egress(anywhere(), *_API_SERVER_PORTS)
"""What pods of an operator need that ask the API server."""


def policy(
    name: str,
    selected: Mapping[str, str],
    *,
    ingress: Sequence[Manifest] | None = None,
    egress: Sequence[Manifest] | None = None,
    labels: Mapping[str, str] | None = None,
) -> Manifest:
    """What the selected pods may do, for each direction that is given; an empty list allows nothing."""
    directions = {"Ingress": ingress, "Egress": egress}
    spec: Manifest = {
        "podSelector": {"matchLabels": dict(selected)} if selected else {},
        "policyTypes": [one for one, rules in directions.items() if rules is not None],
        # The API server drops empty lists, and what it drops would be a difference for ever.
        **{one.lower(): list(rules) for one, rules in directions.items() if rules},
    }
    return manifest("networking.k8s.io/v1", "NetworkPolicy", name, spec, labels=labels)


def default_deny() -> Manifest:
    """Nothing in, nothing out, for every pod of the namespace that no other policy selects."""
    return policy("default-deny", {}, ingress=[], egress=[])
