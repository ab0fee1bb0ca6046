"""Volume claims (pure)."""

from collections.abc import Mapping

from tierstack.platform.kubernetes.manifest import SKIP_AWAIT, Manifest, manifest
from tierstack.platform.kubernetes.quantities import gibibytes


def claim_spec(gigabytes: int, storage_class: str | None, access_mode: str = "ReadWriteOnce") -> Manifest:
    """What is asked for: `gigabytes` in GiB, of `storage_class` (None: the cluster's default)."""
    spec: Manifest = {"accessModes": [access_mode], "resources": {"requests": {"storage": gibibytes(gigabytes)}}}
    return spec if storage_class is None else {**spec, "storageClassName": storage_class}


def claim(name: str, spec: Manifest, labels: Mapping[str, str]) -> Manifest:
    """A claim of its own, which can grow in place and be protected; no update waits for a pod to use it."""
    return manifest("v1", "PersistentVolumeClaim", name, spec, labels=labels, annotations=SKIP_AWAIT)
