"""What runs of a RedisCluster on Kubernetes (pure): nodes, Sentinels, HAProxy, and the Job before a store shrinks."""

from typing import Any

import pulumi

from tierstack.links import SecretRef
from tierstack.platform.internal_ca import CERTIFICATE, KEY, SERVER_DIRECTORY, TLSMode
from tierstack.platform.internal_ca import kubernetes as certificates
from tierstack.platform.kubernetes import jobs, placement, probes, volumes, workload
from tierstack.platform.kubernetes.claim import claim_spec
from tierstack.platform.kubernetes.config import name_of
from tierstack.platform.kubernetes.gitops import BEFORE_SCALE_IN
from tierstack.platform.kubernetes.manifest import Manifest
from tierstack.platform.kubernetes.quantities import resources
from tierstack.platform.revision import ANNOTATION, combined
from tierstack.redis_cluster import handover, node, topology
from tierstack.redis_cluster import proxy as haproxy
from tierstack.redis_cluster.args import RedisClusterArgs
from tierstack.redis_cluster.policies import client_ports, labels
from tierstack.redis_cluster.services import PORT_NAMES

_TMP_MB = 16
_STOP_SECONDS = 45
# Full names are looked up as they are, and a lost DNS server costs one second and not five.
_DNS_CONFIG = {
    "options": [
        {"name": "ndots", "value": "1"},
        {"name": "timeout", "value": "1"},
        {"name": "attempts", "value": "2"},
    ]
}


Passwords = tuple[SecretRef, SecretRef | None]
"""Of the default user, and of the applications' own where they have one."""


def nodes(name: str, args: RedisClusterArgs, passwords: Passwords, config: Manifest) -> Manifest:
    """The StatefulSet of one node or three: the same but for its numbers."""
    encrypted = args.tls is not TLSMode.DISABLE
    health = _run("health.sh")
    container = workload.container(
        "redis",
        args.image,
        ["/bin/sh", f"{node.CONFIG_DIR}/start.sh"],
        resources(node.container_memory_mb(args.size.memory_mb), args.size.cpu),
        [*_mounts(data=True), *([volumes.mount("certificate", SERVER_DIRECTORY, read_only=True)] if encrypted else [])],
        ports=[
            workload.port(PORT_NAMES[port], port) for port in ([node.PORT, node.TLS_PORT] if encrypted else [node.PORT])
        ],
        # Until it has loaded its data, or as one of three until the Sentinels are there.
        startupProbe=probes.probe(health, 2, timeout=5, failures=node.LOAD_SECONDS // 2),
        readinessProbe=probes.probe(health, 5, timeout=5, failures=2),
        # A server that accepts no connection for half a minute will not recover; one that loads does accept them.
        livenessProbe=probes.probe(probes.tcp(node.PORT), 10, failures=3),
        lifecycle=probes.before_stop(_run("stop.sh")),
    )
    annotations: dict[str, str] = {}
    if args.platform.renders and args.size.nodes == 3:
        script = f"sh {node.CONFIG_DIR}/{handover.SCRIPT}"
        annotations[BEFORE_SCALE_IN] = f"kubectl -n {args.platform.name} exec {name}-node-0 -- {script}"
    return workload.stateful_set(
        f"{name}-node",
        labels(name, "node"),
        _pod(
            name,
            "node",
            container,
            [*_volumes(config, *passwords), *([_certificate(name)] if encrypted else [])],
            revision=_revision(*passwords),
            # Two of three on one node would be a majority that the loss of that node takes away.
            affinity=placement.never_together(labels(name, "node")),
        ),
        replicas=args.size.nodes,
        claims={"data": claim_spec(args.size.storage_gb, args.platform.storage_class)},
        annotations=annotations,
        # Between two restarts: time for HAProxy to follow the primary, and for the Service to switch to it.
        minReadySeconds=10,
        revisionHistoryLimit=3,
    )


def sentinels(name: str, args: RedisClusterArgs, secret: SecretRef, config: Manifest) -> Manifest:
    """The StatefulSet of the Sentinels."""
    container = workload.container(
        "sentinel",
        args.image,
        ["/bin/sh", f"{node.CONFIG_DIR}/start.sh"],
        resources(topology.SENTINEL_MEMORY_MB, 0.05, at_most=topology.SENTINEL_CPU_AT_MOST),
        _mounts(data=True),
        ports=[workload.port("sentinel", topology.SENTINEL_PORT)],
        readinessProbe=probes.probe(_run("health.sh"), 5, timeout=5),
        # One that for two minutes watches nothing (it was told to stop for a shrink that did not go on) or spins starts
        # anew.
        livenessProbe=probes.probe(_run("health.sh", "alive"), 10, timeout=5, failures=12),
    )
    return workload.stateful_set(
        f"{name}-sentinel",
        labels(name, "sentinel"),
        _pod(
            name,
            "sentinel",
            container,
            _volumes(config, secret),
            revision=secret.revision,
            affinity=placement.never_together(labels(name, "sentinel")),
        ),
        replicas=args.size.nodes,
        claims={"data": claim_spec(1, args.platform.storage_class)},
        # What a Sentinel remembers it can learn again from the others.
        persistentVolumeClaimRetentionPolicy={"whenDeleted": "Delete", "whenScaled": "Delete"},
        revisionHistoryLimit=3,
    )


def proxy(name: str, args: RedisClusterArgs, secret: SecretRef, config: Manifest) -> Manifest:
    """The Deployment of HAProxy."""
    container = workload.container(
        "haproxy",
        args.proxy_image,
        ["haproxy", "-W", "-db", "-f", "/etc/haproxy/haproxy.cfg"],
        resources(haproxy.MEMORY_MB, 0.1),
        [volumes.mount("config", "/etc/haproxy", read_only=True)],
        env=[workload.from_secret("REDIS_PASSWORD", secret.secret_name, secret.key)],
        ports=[
            *(workload.port(PORT_NAMES[port], port) for port in client_ports(args.tls)),
            workload.port("health", haproxy.HEALTH_PORT),
        ],
        # Not ready while there is no primary; that must not restart it.
        readinessProbe=probes.probe(probes.http("/ready", haproxy.HEALTH_PORT), 2, timeout=2),
        livenessProbe=probes.probe(probes.http("/live", haproxy.HEALTH_PORT), 10),
        # Endpoints are taken out of the Service while it still answers.
        lifecycle=probes.leave(5),
    )
    mounted = [volumes.config("config", name_of(config))]
    return workload.deployment(
        f"{name}-proxy",
        labels(name, "proxy"),
        _pod(name, "proxy", container, mounted, uid=haproxy.UID, revision=secret.revision),
        strategy=workload.rolling(unavailable=0, surge=1),
        replicas=2,
        revisionHistoryLimit=3,
    )


def alone(name: str, args: RedisClusterArgs, secret: SecretRef, config: Manifest) -> Manifest:
    """The Job before a store becomes a single node; where it is new or single already, it ends at once.

    A stack that has grown has it no more, and one that shrinks makes it again.
    """
    container = workload.container(
        "handover",
        args.image,
        ["/bin/sh", f"{node.CONFIG_DIR}/{handover.SCRIPT}"],
        resources(32, 0.05),
        _mounts(data=False),
    )
    return jobs.job(
        f"{name}-alone",
        # Without a revision of the secret: another password is no reason to run it again.
        _pod(name, "handover", container, _volumes(config, secret)),
        args.platform,
        retries=2,
        deadline_seconds=handover.DEADLINE_SECONDS,
        stores=True,
    )


def _pod(
    name: str,
    part: str,
    container: Manifest,
    mounted: list[Manifest],
    uid: int = node.UID,
    revision: pulumi.Input[str] | None = None,
    **fields: Any,
) -> Manifest:
    """The template of the pods of a part: `node`, `sentinel`, `proxy` or `handover`. `revision`: of the passwords that
    they read at their start, so that another one restarts them."""
    return workload.pod(
        labels(name, part),
        [container],
        security=workload.user(uid),
        volumes=mounted,
        stop_seconds=_STOP_SECONDS,
        annotations={ANNOTATION: revision} if revision is not None else None,
        dnsConfig=_DNS_CONFIG,
        topologySpreadConstraints=placement.spread(labels(name, part)),
        **workload.NO_TOKEN,
        **fields,
    )


def _run(script: str, *arguments: str) -> Manifest:
    """Run one of the node's scripts."""
    return probes.command(["/bin/sh", f"{node.CONFIG_DIR}/{script}", *arguments])


def _revision(secret: SecretRef, application: SecretRef | None) -> pulumi.Input[str] | None:
    """One revision of both passwords. None where they are generated in the cluster."""
    return secret.revision if application is None or secret.revision is None else combined([secret, application])


def _volumes(config: Manifest, secret: SecretRef, application: SecretRef | None = None) -> list[Manifest]:
    """The files and the passwords in one directory, because a password is a file, not a variable; and /tmp."""
    passwords = {node.PASSWORD_FILE: secret, node.APPLICATION_FILE: application}
    sources: list[Manifest] = [
        {"configMap": {"name": name_of(config)}},
        *(volumes.secret_file(one.secret_name, one.key, path) for path, one in passwords.items() if one),
    ]
    return [volumes.projected("config", sources), volumes.memory("tmp", _TMP_MB)]


def _mounts(*, data: bool) -> list[Manifest]:
    """Where a container has its files, and with `data` the volume that it keeps."""
    mounts = [volumes.mount("config", node.CONFIG_DIR, read_only=True), volumes.mount("tmp", "/tmp")]
    return [volumes.mount("data", node.DATA_DIR), *mounts] if data else mounts


def _certificate(name: str) -> Manifest:
    """The volume with the certificate and key of the nodes."""
    return volumes.secret("certificate", certificates.server_secret(name), (CERTIFICATE, KEY), mode=0o440)
