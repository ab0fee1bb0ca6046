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


@functools.cache
def _read(name: str) -> str:
    return (Path(__file__).parent / "files" / name).read_text()


def text(name: str, number: str) -> str:
    """The file `name` for one shop."""
    return _read(name).replace("@NUMBER@", number)


ENCRYPTION = [
    k8s.core.v1.EnvVarArgs(name="DB_SSLMODE", value="verify-full"),
    k8s.core.v1.EnvVarArgs(name="PGSSLMODE", value="verify-full"),
    k8s.core.v1.EnvVarArgs(name="PGSSLROOTCERT", value="/run/tierstack/ca/database/ca.crt"),
]
CA_MOUNT = k8s.core.v1.VolumeMountArgs(name="database-ca", mount_path="/run/tierstack/ca/database", read_only=True)


def ca_volume(number: str) -> k8s.core.v1.VolumeArgs:
    """What clients verify the database by."""
    secret = k8s.core.v1.SecretVolumeSourceArgs(
        secret_name=f"db-{number}-ca", items=[k8s.core.v1.KeyToPathArgs(key="ca.crt", path="ca.crt")]
    )
    return k8s.core.v1.VolumeArgs(name="database-ca", secret=secret)
