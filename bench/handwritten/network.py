"""What the closed namespace opens again."""

import pulumi
import pulumi_kubernetes as k8s

from bench.handwritten.common import ORDER, labels

Peer = k8s.networking.v1.NetworkPolicyPeerArgs
Port = k8s.networking.v1.NetworkPolicyPortArgs
Out = k8s.networking.v1.NetworkPolicyEgressRuleArgs

EVERYWHERE = [
    Peer(ip_block=k8s.networking.v1.IPBlockArgs(cidr="0.0.0.0/0")),
    Peer(ip_block=k8s.networking.v1.IPBlockArgs(cidr="::/0")),
]
ALL_NAMESPACES = Peer(namespace_selector=k8s.meta.v1.LabelSelectorArgs())


def pods(**match: str) -> k8s.meta.v1.LabelSelectorArgs:
    """Pods by their labels."""
    return k8s.meta.v1.LabelSelectorArgs(match_labels=match)


def tcp(*ports: int) -> list[Port]:
    return [Port(protocol="TCP", port=port) for port in ports]


RESOLVER = Out(
    to=[ALL_NAMESPACES, Peer(ip_block=k8s.networking.v1.IPBlockArgs(cidr="169.254.20.10/32"))],
    ports=[Port(protocol=protocol, port=port) for protocol in ("UDP", "TCP") for port in (53, 5353)],
)


def default_deny(opts: pulumi.ResourceOptions) -> None:
    """No pod of the namespace reaches or is reached by anything."""
    k8s.networking.v1.NetworkPolicy(
        "bench-default-deny",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench", name="default-deny", labels=labels(), annotations=ORDER["2"]
        ),
        spec=k8s.networking.v1.NetworkPolicySpecArgs(pod_selector=pods(), policy_types=["Ingress", "Egress"]),
        opts=opts,
    )


def egress(
    resource: str,
    name: str,
    marks: dict[str, str],
    selector: k8s.meta.v1.LabelSelectorArgs,
    rules: list[Out],
    opts: pulumi.ResourceOptions,
) -> None:
    """What the selected pods may reach."""
    k8s.networking.v1.NetworkPolicy(
        resource,
        metadata=k8s.meta.v1.ObjectMetaArgs(namespace="bench", name=name, labels=marks, annotations=ORDER["2"]),
        spec=k8s.networking.v1.NetworkPolicySpecArgs(pod_selector=selector, policy_types=["Egress"], egress=rules),
        opts=opts,
    )


def acme_solver(number: str, opts: pulumi.ResourceOptions) -> None:
    """The proxy reaches what answers challenges."""
    k8s.networking.v1.NetworkPolicy(
        f"gateway-{number}-acme-solver",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench",
            name=f"gateway-{number}-acme-solver",
            labels=labels(f"gateway-{number}", "gateway"),
            annotations=ORDER["2"],
        ),
        spec=k8s.networking.v1.NetworkPolicySpecArgs(
            pod_selector=pods(**{"acme.cert-manager.io/http01-solver": "true"}),
            policy_types=["Ingress"],
            ingress=[
                k8s.networking.v1.NetworkPolicyIngressRuleArgs(
                    from_=[Peer(namespace_selector=pods(**{"kubernetes.io/metadata.name": "traefik"}))],
                    ports=tcp(8089),
                )
            ],
        ),
        opts=opts,
    )


def database(number: str, opts: pulumi.ResourceOptions) -> None:
    """PostgreSQL reaches its other servers, names and the API server."""
    servers = pods(**{"cnpg.io/cluster": f"db-{number}"})
    egress(
        f"db-{number}-egress-policy",
        f"db-{number}-egress",
        labels(f"db-{number}", "database-with-replicas"),
        servers,
        [
            Out(to=[Peer(pod_selector=servers)], ports=tcp(5432, 8000)),
            RESOLVER,
            Out(to=EVERYWHERE, ports=tcp(443, 6443, 8443)),
        ],
        opts,
    )


def bucket(number: str, opts: pulumi.ResourceOptions) -> None:
    """PostgreSQL reaches the object store."""
    egress(
        f"backups-{number}-bucket-policy",
        f"backups-{number}-bucket",
        labels(f"backups-{number}", "backup-schedule"),
        pods(**{"cnpg.io/cluster": f"db-{number}"}),
        [Out(to=EVERYWHERE, ports=tcp(443)), Out(to=[ALL_NAMESPACES], ports=tcp(443))],
        opts,
    )


def store(number: str, marks: dict[str, str], opts: pulumi.ResourceOptions) -> None:
    """Redis reaches its other nodes and names."""
    nodes = pods(**{"app.kubernetes.io/name": "redis", "app.kubernetes.io/instance": f"redis-{number}"})
    rules = [Out(to=[Peer(pod_selector=nodes)], ports=tcp(6379, 6380, 26379)), RESOLVER]
    egress(f"redis-{number}-egress-policy", f"redis-{number}-egress", marks, nodes, rules, opts)
