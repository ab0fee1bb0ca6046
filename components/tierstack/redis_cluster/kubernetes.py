"""Nodes as a StatefulSet of Kubernetes; three of them with Sentinels, and HAProxy in front.

One node and three are the same objects with other numbers, so that growing replaces nothing:

- The volume claims are objects of their own, under the names that the StatefulSet looks for: a size grows in place, and
  the claims are protected as data. Its own template makes the same claim, so that whoever applies the StatefulSet first
  gets no other; it is immutable, and the engine leaves it as it was made when the size grows.
- The Service `<name>` selects the node itself, or HAProxy once there are three.
"""

from collections.abc import Sequence

import pulumi

from tierstack.links import RedisConnection, SecretRef, TrustedCA
from tierstack.platform.internal_ca import TLSMode
from tierstack.platform.internal_ca import kubernetes as certificates
from tierstack.platform.kubernetes.budget import disruption_budget
from tierstack.platform.kubernetes.claim import claim, claim_spec
from tierstack.platform.kubernetes.cluster import cluster
from tierstack.platform.kubernetes.config import config_map
from tierstack.platform.kubernetes.gitops import Step
from tierstack.platform.kubernetes.manifest import Manifest
from tierstack.platform.kubernetes.plan import Planned, in_order, with_labels
from tierstack.redis_cluster import handover, node, policies, proxy, services, topology, workloads
from tierstack.redis_cluster.args import APPLICATION_USER, RedisClusterArgs, RedisPurpose
from tierstack.redis_cluster.policies import client_labels, labels
from tierstack.redis_cluster.topology import Topology


def topology_of(name: str, args: RedisClusterArgs) -> Topology:
    """The names of three nodes and their Sentinels; a single node has the first name."""
    domain = f"{args.platform.name}.svc.{args.cluster_domain}"
    return Topology.of_stateful_sets(f"{name}-node", f"{name}-sentinel", domain, args.failover_after_ms)


def node_files(name: str, args: RedisClusterArgs) -> dict[str, str]:
    """The files of every node, without the password."""
    three, among = args.size.nodes == 3, topology_of(name, args)
    # The plaintext port stays for the store itself: replication, Sentinels and HAProxy's question who is primary.
    encrypted = args.tls is not TLSMode.DISABLE
    ports = TLSMode.ALLOW if encrypted else TLSMode.DISABLE
    conf = node.config(args.purpose, args.size.memory_mb, replicated=three, tls=ports)
    files = {
        **node.files(conf, topology.join(among) if three else ""),
        "health.sh": node.health_script(notice=encrypted),
    }
    # Both forms have both scripts: a single node stops in order when it is restarted as the first of three, and in the
    # first of three rendered nodes somebody runs `alone.sh` by hand.
    return {**files, handover.SCRIPT: handover.alone_script(among), "stop.sh": handover.stop_script(among)}


def sentinel_files(among: Topology) -> dict[str, str]:
    """The files of every Sentinel, without the password."""
    return {
        "sentinel.conf": topology.sentinel_config(),
        "start.sh": topology.sentinel_script(among),
        "health.sh": topology.sentinel_health_script(),
    }


def proxy_files(purpose: RedisPurpose, among: Topology, tls: TLSMode = TLSMode.DISABLE) -> dict[str, str]:
    """The files of HAProxy."""
    return {"haproxy.cfg": proxy.haproxy_config(among, replica_required=purpose.is_durable, tls=tls)}


def plan(name: str, args: RedisClusterArgs, secret: SecretRef, application: SecretRef | None = None) -> list[Planned]:
    """Everything, in order. `secret`: the password of the default user; `application`: that of the applications' own.
    Nodes and Sentinels wait for each other, so that the engine starts them together; the
    endpoint comes last, when there is something behind it."""
    three, encrypted = args.size.nodes == 3, args.tls is not TLSMode.DISABLE
    store, config = labels(name, "store"), config_map(f"{name}-node", node_files(name, args))
    names = services.names(name, args)
    certified = in_order(certificates.manifests(name, args.platform.name, names)) if encrypted else []
    # Whoever applies rendered manifests does so in an order of their own, in which a Job before the node has no place.
    alone = [] if three or args.platform.renders else [_alone(name, args, secret, config)]
    closed = [Planned(f"{name}-egress-policy", policies.egress_policy(name))] if args.platform.default_deny else []
    behind = f"{name}-proxy" if three else f"{name}-node"
    return [
        *with_labels([*certified, *closed], store),
        *with_labels(_around_nodes(name, args, config), labels(name, "node")),
        *with_labels(_sentinels(name, args, secret) if three else [], labels(name, "sentinel")),
        *with_labels(alone, store),
        *with_labels(
            [_nodes(name, args, (secret, application), config, [*certified[-1:], *alone])], labels(name, "node")
        ),
        *with_labels(_proxy(name, args, secret) if three else [], labels(name, "proxy")),
        *with_labels([Planned(name, services.endpoint(name, three, args.tls), (behind,))], store),
    ]


def _around_nodes(name: str, args: RedisClusterArgs, config: Manifest) -> list[Planned]:
    kept = args.purpose.is_durable
    spec = claim_spec(args.size.storage_gb, args.platform.storage_class)
    return [
        Planned(f"{name}-node-config", config),
        *(
            Planned(f"{name}-data-{index}", claim(f"data-{name}-node-{index}", spec, labels(name, "node")), data=kept)
            for index in range(args.size.nodes)
        ),
        Planned(f"{name}-node-service", services.headless(name, "node", node.PORT)),
        Planned(f"{name}-node-network-policy", policies.node_policy(name, args.tls)),
        *([_budget(name, "node")] if args.size.nodes == 3 else []),
    ]


def _nodes(
    name: str, args: RedisClusterArgs, passwords: workloads.Passwords, config: Manifest, before: Sequence[Planned]
) -> Planned:
    """The nodes, with the claims, files, names and rules that they need, and after what else comes `before`."""
    claims = [f"{name}-data-{index}" for index in range(args.size.nodes)]
    around = [f"{name}-node-{what}" for what in ("config", "service", "network-policy")]
    return Planned(
        f"{name}-node",
        workloads.nodes(name, args, passwords, config),
        (*around, *claims, *(one.name for one in before)),
        # The template of the claims is immutable, and its size that of the day on which the StatefulSet was made.
        options={"ignore_changes": ["spec.volumeClaimTemplates"]},
    )


def _sentinels(name: str, args: RedisClusterArgs, secret: SecretRef) -> list[Planned]:
    config = config_map(f"{name}-sentinel", sentinel_files(topology_of(name, args)))
    around = [
        Planned(f"{name}-sentinel-config", config),
        Planned(f"{name}-sentinel-service", services.headless(name, "sentinel", topology.SENTINEL_PORT)),
        Planned(f"{name}-sentinel-network-policy", policies.sentinel_policy(name)),
    ]
    return [
        *around,
        Planned(
            f"{name}-sentinel",
            workloads.sentinels(name, args, secret, config),
            tuple(one.name for one in around),
            options={"ignore_changes": ["spec.volumeClaimTemplates"]},
        ),
        _budget(name, "sentinel"),
    ]


def _proxy(name: str, args: RedisClusterArgs, secret: SecretRef) -> list[Planned]:
    config = config_map(f"{name}-proxy", proxy_files(args.purpose, topology_of(name, args), args.tls))
    around = [
        Planned(f"{name}-proxy-config", config),
        Planned(f"{name}-proxy-network-policy", policies.proxy_policy(name, args.tls)),
    ]
    proxy = workloads.proxy(name, args, secret, config)
    return [*around, Planned(f"{name}-proxy", proxy, tuple(one.name for one in around)), _budget(name, "proxy")]


def _alone(name: str, args: RedisClusterArgs, secret: SecretRef, config: Manifest) -> Planned:
    job = workloads.alone(name, args, secret, config)
    return Planned(f"{name}-alone", job, (f"{name}-node-config", f"{name}-node-network-policy"))


def _budget(name: str, part: str) -> Planned:
    return Planned(f"{name}-{part}-budget", disruption_budget(f"{name}-{part}", labels(name, part)))


def build(name: str, parent: pulumi.Resource, args: RedisClusterArgs) -> RedisConnection:
    """Register everything."""
    on = cluster(args.platform, parent)
    password = on.generated_secret(f"{name}-password", parent)
    application = on.generated_secret(f"{name}-app", parent) if args.application_user else None
    done = on.apply(parent, plan(name, args, password, application), step=Step.DATA)
    return RedisConnection(
        evicts=args.purpose is RedisPurpose.CACHE,
        host=done[name].urn.apply(lambda _: name),
        port=str(policies.client_ports(args.tls)[-1]),
        ca=None if args.tls is TLSMode.DISABLE else TrustedCA(secret_name=certificates.ca_secret(name)),
        user=APPLICATION_USER if application else None,
        password=application or password,
        client_labels=client_labels(name),
        place=args.platform.place,
        endpoint_labels=labels(name, "proxy" if args.size.nodes == 3 else "node"),
    )
