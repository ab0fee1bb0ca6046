"""Workloads and their pods (pure), as the `restricted` Pod Security Standard admits them.

Whatever is not an argument here is given as a field, under the name that the Kubernetes reference has for it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tierstack.platform.kubernetes.manifest import Manifest, manifest

POD_SECURITY: Manifest = {
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
    "fsGroupChangePolicy": "OnRootMismatch",
}
"""securityContext of a pod under the `restricted` Pod Security Standard; add runAsUser, runAsGroup and fsGroup."""

CONTAINER_SECURITY: Manifest = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
"""securityContext of a container under the `restricted` Pod Security Standard, with a read-only root."""

NO_TOKEN: Manifest = {"automountServiceAccountToken": False, "enableServiceLinks": False}
"""Of a pod that asks the API server nothing: no token in it, and no variable for each Service of the namespace."""


def container(
    name: str,
    image: Any,
    command: Sequence[str],
    resources: Manifest,
    mounts: Sequence[Manifest] = (),
    **fields: Any,
) -> Manifest:
    """A container without privileges, on a read-only root. `command`: the whole command line."""
    return {
        "name": name,
        "image": image,
        "command": list(command),
        "resources": resources,
        "securityContext": CONTAINER_SECURITY,
        **({"volumeMounts": list(mounts)} if mounts else {}),
        **fields,
    }


def port(name: str, number: int) -> Manifest:
    """A TCP port that a container listens on."""
    return {"name": name, "containerPort": number, "protocol": "TCP"}


def variables(values: Mapping[str, Any]) -> list[Manifest]:
    """`env` of a container, with values that anyone may read."""
    return [{"name": key, "value": value} for key, value in values.items()]


def from_secret(variable: str, secret_name: Any, key: Any) -> Manifest:
    """A variable with the value of a Secret."""
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret_name, "key": key}}}


def user(uid: int, gid: int | None = None, **fields: Any) -> Manifest:
    """securityContext of a pod whose processes run as `uid`:`gid`, to which its volumes belong. `gid` None: the number
    of the user."""
    group = uid if gid is None else gid
    return {**POD_SECURITY, "runAsUser": uid, "runAsGroup": group, "fsGroup": group, **fields}


def pod(
    labels: Mapping[str, Any],
    containers: Sequence[Manifest],
    *,
    security: Manifest,
    before: Sequence[Manifest] = (),
    volumes: Sequence[Manifest] = (),
    stop_seconds: int | None = None,
    annotations: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Manifest:
    """The template of a workload's pods. `security`: see `user`. `before`: containers that end before the others start.
    `stop_seconds`: how long a stop may take before the processes are killed; None: 30."""
    spec: Manifest = {"securityContext": security, "containers": list(containers)}
    if before:
        spec["initContainers"] = list(before)
    if volumes:
        spec["volumes"] = list(volumes)
    if stop_seconds is not None:
        spec["terminationGracePeriodSeconds"] = stop_seconds
    annotated = {"annotations": dict(annotations)} if annotations else {}
    return {"metadata": {"labels": dict(labels), **annotated}, "spec": {**spec, **fields}}


def rolling(unavailable: int, surge: int | str) -> Manifest:
    """An update that takes `unavailable` pods away and starts `surge` beside the others at a time."""
    return {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": unavailable, "maxSurge": surge}}


ONE_AT_MOST = {"type": "Recreate"}
"""An update that ends the old pod before it starts the new one."""


def deployment(
    name: str,
    selected: Mapping[str, str],
    template: Manifest,
    *,
    strategy: Manifest,
    replicas: int | None,
    namespace: str | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    **fields: Any,
) -> Manifest:
    """A Deployment of pods with the labels `selected`, which can never change. `replicas` None: an autoscaler owns the
    field. `fields`: further ones of its spec."""
    spec: Manifest = {
        "selector": {"matchLabels": dict(selected)},
        "strategy": strategy,
        "template": template,
        **({} if replicas is None else {"replicas": replicas}),
        **fields,
    }
    return manifest("apps/v1", "Deployment", name, spec, namespace=namespace, labels=labels, annotations=annotations)


def stateful_set(
    name: str,
    selected: Mapping[str, str],
    template: Manifest,
    *,
    replicas: int,
    claims: Mapping[str, Manifest],
    annotations: Mapping[str, str] | None = None,
    **fields: Any,
) -> Manifest:
    """A StatefulSet whose headless Service has its name, and that starts and ends its pods all at once. `claims`: the
    specs of each pod's volume claims, by the volume's name; immutable, as the selector and the Service are."""
    spec: Manifest = {
        "serviceName": name,
        "replicas": replicas,
        "podManagementPolicy": "Parallel",
        "updateStrategy": {"type": "RollingUpdate"},
        "selector": {"matchLabels": dict(selected)},
        "volumeClaimTemplates": [{"metadata": {"name": volume}, "spec": asked} for volume, asked in claims.items()],
        "template": template,
        **fields,
    }
    return manifest("apps/v1", "StatefulSet", name, spec, annotations=annotations)
