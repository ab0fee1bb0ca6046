"""What the groups share: labels, and the longer texts of their ConfigMaps."""

import functools
from pathlib import Path

import pulumi_kubernetes as k8s

LABELS = {
    "app.kubernetes.io/part-of": "bench",
    "app.kubernetes.io/managed-by": "tierstack",
    "tierstack.dev/environment": "local",
}


def image(name: str) -> str:
    """A reference by digest."""
    return f"registry.example/{name}@sha256:{'0' * 64}"


ORDER = {wave: {"argocd.argoproj.io/sync-wave": wave} for wave in ("2", "3", "4")}
"""Annotations of an object that Argo CD applies in this wave."""
KEPT = {
    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
    "argocd.argoproj.io/sync-wave": "2",
    "helm.sh/resource-policy": "keep",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
    "tierstack.dev/data-protection": "protect",
}
"""Annotations of an object with data."""


def labels(name: str = "", component: str = "") -> dict[str, str]:
    """Labels of an object, or without arguments those that all share."""
    own = {"app.kubernetes.io/name": name, "app.kubernetes.io/component": component}
    return {**LABELS, **own} if name else dict(LABELS)


@functools.cache
def _read(name: str) -> str:
    return (Path(__file__).parent / "files" / name).read_text()


def text(name: str, number: str) -> str:
    """The file `name` for one shop."""
    return _read(name).replace("@NUMBER@", number)


CONNECTIONS = [
    k8s.core.v1.EnvVarArgs(name="DB_PERSISTENT", value="true"),
    k8s.core.v1.EnvVarArgs(name="DB_SSLMODE", value="verify-full"),
    k8s.core.v1.EnvVarArgs(name="PGSSLMODE", value="verify-full"),
    k8s.core.v1.EnvVarArgs(name="PGSSLROOTCERT", value="/run/tierstack/ca/database/ca.crt"),
    k8s.core.v1.EnvVarArgs(name="REDIS_CAFILE", value="/run/tierstack/ca/redis/ca.crt"),
    k8s.core.v1.EnvVarArgs(name="REDIS_SCHEME", value="tls"),
    k8s.core.v1.EnvVarArgs(name="REDIS_USERNAME", value="app"),
]
CA_MOUNTS = [
    k8s.core.v1.VolumeMountArgs(name=f"{kind}-ca", mount_path=f"/run/tierstack/ca/{kind}", read_only=True)
    for kind in ("database", "redis")
]


def ca_volumes(number: str) -> list[k8s.core.v1.VolumeArgs]:
    """What clients verify the database and Redis by."""
    secrets = {"database-ca": f"db-{number}-ca", "redis-ca": f"redis-{number}-ca"}
    items = [k8s.core.v1.KeyToPathArgs(key="ca.crt", path="ca.crt")]
    return [
        k8s.core.v1.VolumeArgs(name=name, secret=k8s.core.v1.SecretVolumeSourceArgs(secret_name=secret, items=items))
        for name, secret in secrets.items()
    ]
