"""Pods of a RedisCluster on Kubernetes (pure): where they run, and which files they have."""

from tierstack.links import SecretRef
from tierstack.platform.internal_ca import CERTIFICATE, KEY, SERVER_DIRECTORY
from tierstack.platform.internal_ca import kubernetes as certificates
from tierstack.platform.kubernetes import POD_SECURITY, Manifest
from tierstack.platform.revision import ANNOTATION
from tierstack.redis_cluster import node
from tierstack.redis_cluster.policies import labels

_ZONE, _NODE = "topology.kubernetes.io/zone", "kubernetes.io/hostname"


def pod(
    name: str,
    part: str,
    container: Manifest,
    volumes: list[Manifest],
    uid: int = node.UID,
    secret: SecretRef | None = None,
) -> Manifest:
    """The template of the pods of a part: `node`, `sentinel`, `proxy` or `handover`. `secret`: what they read at their
    start; None for a Job, which ends and whose pods cannot change."""
    digits = secret.revision if secret else None
    annotated = {"annotations": {ANNOTATION: digits}} if digits is not None else {}
    own = {"labelSelector": {"matchLabels": labels(name, part)}}
    # A cluster of few nodes or one zone still runs it; the scheduler only prefers to spread.
    spread = [
        {"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "ScheduleAnyway", **own} for key in (_ZONE, _NODE)
    ]
    # Two of three on one node would be a majority that the loss of that node takes away.
    apart = {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": _NODE, **own}]}
    affinity = {"affinity": {"podAntiAffinity": apart}} if part in ("node", "sentinel") else {}
    return {
        "metadata": {"labels": labels(name, part), **annotated},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 45,
            # Full names are looked up as they are, and a lost DNS server costs one second and not five.
            "dnsConfig": {
                "options": [
                    {"name": "ndots", "value": "1"},
                    {"name": "timeout", "value": "1"},
                    {"name": "attempts", "value": "2"},
                ]
            },
            "securityContext": {**POD_SECURITY, "runAsUser": uid, "runAsGroup": uid, "fsGroup": uid},
            "topologySpreadConstraints": spread,
            **affinity,
            "containers": [container],
            "volumes": volumes,
        },
    }


def run(script: str) -> Manifest:
    """A probe or hook that runs one of the node's scripts."""
    return {"exec": {"command": ["/bin/sh", f"{node.CONFIG_DIR}/{script}"]}}


def files(config: Manifest, secret: SecretRef) -> Manifest:
    """The files and the password in one directory; the password is a file, not a variable of the environment."""
    sources = [
        {"configMap": {"name": config["metadata"]["name"]}},
        {"secret": {"name": secret.secret_name, "items": [{"key": secret.key, "path": "password"}]}},
    ]
    return {"name": "config", "projected": {"defaultMode": 0o440, "sources": sources}}


CERTIFICATE_MOUNT = [{"name": "certificate", "mountPath": SERVER_DIRECTORY, "readOnly": True}]


def certificate(name: str) -> list[Manifest]:
    """The volume with the certificate and key of the nodes."""
    items = [{"key": key, "path": key} for key in (CERTIFICATE, KEY)]
    secret: Manifest = {"secretName": certificates.server_secret(name), "defaultMode": 0o440, "items": items}
    return [{"name": "certificate", "secret": secret}]


def memory_volume() -> Manifest:
    """The volume at /tmp."""
    return {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}}


def mounts(*, data: bool) -> list[Manifest]:
    """Where a container has its files, and with `data` the volume that it keeps."""
    mounts: list[Manifest] = [
        {"name": "config", "mountPath": node.CONFIG_DIR, "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},
    ]
    return [{"name": "data", "mountPath": node.DATA_DIR}, *mounts] if data else mounts
