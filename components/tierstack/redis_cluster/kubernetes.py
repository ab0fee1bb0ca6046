"""Nodes as a StatefulSet of Kubernetes; three of them with Sentinels, and HAProxy in front.

One node and three are the same objects with other numbers, so that growing replaces nothing:

- The volume claims are objects of their own, under the names that the StatefulSet looks for: a size grows in place, and
  the claims are protected as data. Its own template makes the same claim, so that whoever applies the StatefulSet first
  gets no other; it is immutable, and the engine leaves it as it was made when the size grows.
- The Service `<name>` selects the node itself, or HAProxy once there are three.
"""

import hashlib
import json
from collections.abc import Mapping

import pulumi

from tierstack.links import RedisConnection, SecretRef, TrustedCA
from tierstack.platform.gitops import BEFORE_SCALE_IN, Step
from tierstack.platform.internal_ca import TLSMode
from tierstack.platform.internal_ca import kubernetes as certificates
from tierstack.platform.kubernetes import CONTAINER_SECURITY, Manifest, cluster, millicores
from tierstack.platform.pods import settings
from tierstack.redis_cluster import handover, node, pods, policies, services, topology
from tierstack.redis_cluster.args import RedisClusterArgs, RedisPurpose
from tierstack.redis_cluster.policies import client_labels, labels
from tierstack.redis_cluster.topology import Topology

_PROXY_UID = 99
_PROXY_HEALTH_PORT = 8404
_SENTINEL_MEMORY_MB = 64
_PROXY_MEMORY_MB = 128


def topology_of(name: str, args: RedisClusterArgs) -> Topology:
    """The names of three nodes and their Sentinels; a single node has the first name."""
    domain = f"{args.platform.name}.svc.{args.cluster_domain}"
    return Topology.of_stateful_sets(f"{name}-node", f"{name}-sentinel", domain, args.failover_after_ms)


def node_files(name: str, args: RedisClusterArgs) -> dict[str, str]:
    """The files of every node, without the password."""
    three, among = args.size.nodes == 3, topology_of(name, args)
    # The port in clear stays for the store itself: replication, Sentinels and HAProxy's question who is primary.
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
    required = purpose is RedisPurpose.QUEUE
    return {"haproxy.cfg": topology.haproxy_config(among, replica_required=required, tls=tls)}


def manifests(name: str, args: RedisClusterArgs, secret: SecretRef) -> dict[str, Manifest]:
    """All objects by logical name, each after those that it needs."""
    three, among = args.size.nodes == 3, topology_of(name, args)
    made: dict[str, Manifest] = {}
    if args.tls is not TLSMode.DISABLE:
        made |= certificates.manifests(name, args.platform.name, services.names(name, args))
    config = _config_map(f"{name}-node", node_files(name, args))
    made[f"{name}-node-config"] = config
    made |= {f"{name}-data-{index}": _claim(name, index, args) for index in range(args.size.nodes)}
    made[f"{name}-node-service"] = services.headless(name, "node", node.PORT)
    made[f"{name}-node-network-policy"] = policies.node_policy(name, args.tls)
    if args.platform.default_deny:
        made[f"{name}-egress-policy"] = policies.egress_policy(name)
    if three:
        sentinel_config = _config_map(f"{name}-sentinel", sentinel_files(among))
        made[f"{name}-sentinel-config"] = sentinel_config
        made[f"{name}-sentinel-service"] = services.headless(name, "sentinel", topology.SENTINEL_PORT)
        made[f"{name}-sentinel-network-policy"] = policies.sentinel_policy(name)
        made[f"{name}-sentinel"] = _sentinels(name, args, secret, sentinel_config)
        made[f"{name}-sentinel-budget"] = _budget(name, "sentinel")
        made[f"{name}-node-budget"] = _budget(name, "node")
    elif not args.platform.renders:
        # Whoever applies rendered manifests does so in an order of their own.
        made[f"{name}-alone"] = _alone(name, args, secret, config)
    made[f"{name}-node"] = _nodes(name, args, secret, config)
    if three:
        proxy_config = _config_map(f"{name}-proxy", proxy_files(args.purpose, among, args.tls))
        made[f"{name}-proxy-config"] = proxy_config
        made[f"{name}-proxy-network-policy"] = policies.proxy_policy(name, args.tls)
        made[f"{name}-proxy"] = _proxy(name, args, secret, proxy_config)
        made[f"{name}-proxy-budget"] = _budget(name, "proxy")
    made[name] = services.endpoint(name, three, args.tls)
    return {logical: _labelled(name, logical, one) for logical, one in made.items()}


def _labelled(name: str, logical: str, manifest: Manifest) -> Manifest:
    """The recommended labels, as far as an object has none of its own."""
    part = logical.removeprefix(f"{name}-").partition("-")[0]
    own = labels(name, part if part in ("node", "sentinel", "proxy") else "store")
    metadata = {**manifest["metadata"], "labels": {**own, **manifest["metadata"].get("labels", {})}}
    return {**manifest, "metadata": metadata}


def build(name: str, parent: pulumi.Resource, args: RedisClusterArgs) -> RedisConnection:
    """Register everything; the endpoint last, when there is something behind it."""
    on = cluster(args.platform, parent)
    password = on.generated_secret(f"{name}-password", parent)
    done: dict[str, pulumi.Resource] = {}
    for logical, manifest in manifests(name, args, password).items():
        kept = args.purpose is RedisPurpose.QUEUE and manifest["kind"] == "PersistentVolumeClaim"
        needs, options = _needs(name, logical, done), _OPTIONS.get(manifest["kind"], {})
        done[logical] = on.object(logical, parent, manifest, data=kept, step=Step.DATA, depends_on=needs, **options)
    return RedisConnection(
        host=done[name].urn.apply(lambda _: name),
        port=str(policies.client_ports(args.tls)[-1]),
        ca=None if args.tls is TLSMode.DISABLE else TrustedCA(secret_name=certificates.ca_secret(name)),
        password=password,
        client_labels=client_labels(name),
        place=args.platform.place,
        endpoint_labels=labels(name, "proxy" if args.size.nodes == 3 else "node"),
    )


# The template is immutable, and its size that of the day on which the StatefulSet was made.
_OPTIONS: dict[str, Manifest] = {"StatefulSet": {"ignore_changes": ["spec.volumeClaimTemplates"]}}


def _needs(name: str, logical: str, done: Mapping[str, pulumi.Resource]) -> list[pulumi.Resource]:
    """What must be there before an object. Nodes and Sentinels wait for each other: the engine starts them together."""
    chain = [f"{name}-self-signed", f"{name}-ca-certificate", f"{name}-ca", f"{name}-server-tls"]
    if logical in chain:
        return [done[key] for key in chain[: chain.index(logical)]]
    workloads = {f"{name}-node", f"{name}-sentinel", f"{name}-proxy"}
    if logical == name:
        return [done[key] for key in (f"{name}-proxy", f"{name}-node") if key in done][:1]
    if logical in workloads:
        kinds = ("-config", "-service", "-network-policy")
        claims = [done[key] for key in done if logical == f"{name}-node" and key.startswith(f"{name}-data-")]
        before = [
            done[key] for key in (f"{name}-alone", f"{name}-server-tls") if key in done and logical == f"{name}-node"
        ]
        return [done[f"{logical}{kind}"] for kind in kinds if f"{logical}{kind}" in done] + claims + before
    if logical == f"{name}-alone":
        return [done[f"{name}-node-config"], done[f"{name}-node-network-policy"]]
    return []


def _config_map(prefix: str, files: Mapping[str, str]) -> Manifest:
    """Named by its content: a change makes another one, and pods of the old revision keep the old one."""
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:10]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{prefix}-{digest}"},
        "immutable": True,
        "data": dict(files),
    }


def _claim_spec(gigabytes: int, args: RedisClusterArgs) -> Manifest:
    spec: Manifest = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": f"{gigabytes}Gi"}},
    }
    if args.platform.storage_class is not None:
        spec["storageClassName"] = args.platform.storage_class
    return spec


def _claim(name: str, index: int, args: RedisClusterArgs) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        # Many classes bind a claim only when a pod uses it, so that waiting for it would wait for ever.
        "metadata": {
            "name": f"data-{name}-node-{index}",
            "labels": labels(name, "node"),
            "annotations": {"pulumi.com/skipAwait": "true"},
        },
        "spec": _claim_spec(args.size.storage_gb, args),
    }


def _nodes(name: str, args: RedisClusterArgs, secret: SecretRef, config: Manifest) -> Manifest:
    encrypted = args.tls is not TLSMode.DISABLE
    memory = f"{node.container_memory_mb(args.size.memory_mb)}Mi"
    container: Manifest = {
        "name": "redis",
        "image": args.image,
        "command": ["/bin/sh", f"{node.CONFIG_DIR}/start.sh"],
        "ports": [
            {"name": services.PORT_NAMES[port], "containerPort": port, "protocol": "TCP"}
            for port in ([node.PORT, node.TLS_PORT] if encrypted else [node.PORT])
        ],
        "resources": {
            "requests": {"cpu": millicores(round(args.size.cpu * 1000)), "memory": memory},
            "limits": {"memory": memory},
        },
        # Until it has loaded its data, or as one of three until the Sentinels are there: 10 minutes.
        "startupProbe": {**pods.run("health.sh"), "periodSeconds": 2, "timeoutSeconds": 5, "failureThreshold": 300},
        "readinessProbe": {**pods.run("health.sh"), "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 2},
        # A server that accepts no connection for half a minute will not recover; one that loads does accept them.
        "livenessProbe": {"tcpSocket": {"port": node.PORT}, "periodSeconds": 10, "failureThreshold": 3},
        "lifecycle": {"preStop": pods.run("stop.sh")},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [*pods.mounts(data=True), *(pods.CERTIFICATE_MOUNT if encrypted else [])],
    }
    pod = pods.pod(
        name,
        "node",
        container,
        [pods.files(config, secret), pods.memory_volume(), *(pods.certificate(name) if encrypted else [])],
        secret=secret,
    )
    spec: Manifest = {
        "serviceName": f"{name}-node",
        "replicas": args.size.nodes,
        # After a loss of all nodes each must be able to come back first: the Sentinels know which one is primary.
        "podManagementPolicy": "Parallel",
        "updateStrategy": {"type": "RollingUpdate"},
        # Between two restarts: time for HAProxy to follow the primary, and for the Service to switch to it.
        "minReadySeconds": 10,
        "revisionHistoryLimit": 3,
        "selector": {"matchLabels": labels(name, "node")},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": _claim_spec(args.size.storage_gb, args)}],
        "template": pod,
    }
    metadata: Manifest = {"name": f"{name}-node"}
    if args.platform.renders and args.size.nodes == 3:
        script = f"sh {node.CONFIG_DIR}/{handover.SCRIPT}"
        metadata["annotations"] = {BEFORE_SCALE_IN: f"kubectl -n {args.platform.name} exec {name}-node-0 -- {script}"}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": spec}


def _alone(name: str, args: RedisClusterArgs, secret: SecretRef, config: Manifest) -> Manifest:
    """The Job before a store becomes a single node; where it is new or single already, it ends at once.

    Named by its configuration: a stack that has grown has it no more, and one that shrinks makes it again.
    """
    container: Manifest = {
        "name": "handover",
        "image": args.image,
        "command": ["/bin/sh", f"{node.CONFIG_DIR}/{handover.SCRIPT}"],
        "resources": {"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"memory": "32Mi"}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": pods.mounts(data=False),
    }
    pod = pods.pod(name, "handover", container, [pods.files(config, secret), pods.memory_volume()])
    pod["spec"]["restartPolicy"] = "Never"
    digest = config["metadata"]["name"].rpartition("-")[2]
    if settled := settings(args.platform, stores=True):  # a Job's pods cannot change
        digest = hashlib.sha256(json.dumps([digest, settled]).encode()).hexdigest()[:10]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        # One that failed never runs again, so the next update makes it anew.
        "metadata": {"name": f"{name}-alone-{digest}", "annotations": {"pulumi.com/replaceUnready": "true"}},
        "spec": {"backoffLimit": 2, "activeDeadlineSeconds": handover.DEADLINE_SECONDS, "template": pod},
    }


def _sentinels(name: str, args: RedisClusterArgs, secret: SecretRef, config: Manifest) -> Manifest:
    memory = f"{_SENTINEL_MEMORY_MB}Mi"
    container: Manifest = {
        "name": "sentinel",
        "image": args.image,
        "command": ["/bin/sh", f"{node.CONFIG_DIR}/start.sh"],
        "ports": [{"name": "sentinel", "containerPort": topology.SENTINEL_PORT, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "50m", "memory": memory}, "limits": {"memory": memory}},
        "readinessProbe": {**pods.run("health.sh"), "periodSeconds": 5, "timeoutSeconds": 5},
        # One that watches nothing for two minutes starts anew: it was told to stop for a shrink that did not go on.
        "livenessProbe": {**pods.run("health.sh"), "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 12},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": pods.mounts(data=True),
    }
    pod = pods.pod(name, "sentinel", container, [pods.files(config, secret), pods.memory_volume()], secret=secret)
    spec: Manifest = {
        "serviceName": f"{name}-sentinel",
        "replicas": args.size.nodes,
        "podManagementPolicy": "Parallel",
        "updateStrategy": {"type": "RollingUpdate"},
        "revisionHistoryLimit": 3,
        "selector": {"matchLabels": labels(name, "sentinel")},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": _claim_spec(1, args)}],
        # What a Sentinel remembers it can learn again from the others.
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Delete"},
        "template": pod,
    }
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": f"{name}-sentinel"}, "spec": spec}


def _proxy(name: str, args: RedisClusterArgs, secret: SecretRef, config: Manifest) -> Manifest:
    memory = f"{_PROXY_MEMORY_MB}Mi"
    health = {"httpGet": {"path": "/ready", "port": _PROXY_HEALTH_PORT}}
    password = {"secretKeyRef": {"name": secret.secret_name, "key": secret.key}}
    container: Manifest = {
        "name": "haproxy",
        "image": args.proxy_image,
        "command": ["haproxy", "-W", "-db", "-f", "/etc/haproxy/haproxy.cfg"],
        "env": [{"name": "REDIS_PASSWORD", "valueFrom": password}],
        "ports": [
            *(
                {"name": services.PORT_NAMES[port], "containerPort": port, "protocol": "TCP"}
                for port in policies.client_ports(args.tls)
            ),
            {"name": "health", "containerPort": _PROXY_HEALTH_PORT, "protocol": "TCP"},
        ],
        "resources": {"requests": {"cpu": "100m", "memory": memory}, "limits": {"memory": memory}},
        # Not ready while there is no primary; that must not restart it.
        "readinessProbe": {**health, "periodSeconds": 2, "timeoutSeconds": 2},
        "livenessProbe": {"httpGet": {"path": "/live", "port": _PROXY_HEALTH_PORT}, "periodSeconds": 10},
        # Endpoints are taken out of the Service while it still answers.
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [{"name": "config", "mountPath": "/etc/haproxy", "readOnly": True}],
    }
    volumes = [{"name": "config", "configMap": {"name": config["metadata"]["name"]}}]
    spec: Manifest = {
        "replicas": 2,
        "revisionHistoryLimit": 3,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "selector": {"matchLabels": labels(name, "proxy")},
        "template": pods.pod(name, "proxy", container, volumes, uid=_PROXY_UID, secret=secret),
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": f"{name}-proxy"}, "spec": spec}


def _budget(name: str, part: str) -> Manifest:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": f"{name}-{part}"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": labels(name, part)}},
    }
