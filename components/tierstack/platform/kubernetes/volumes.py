"""Volumes of pods, and where containers see them (pure)."""

from collections.abc import Sequence
from typing import Any

from tierstack.platform.kubernetes.manifest import Manifest
from tierstack.platform.kubernetes.quantities import mebibytes


def mount(name: str, path: str, *, read_only: bool = False) -> Manifest:
    """The volume `name`, as a container sees it at `path`."""
    return {"name": name, "mountPath": path, **({"readOnly": True} if read_only else {})}


def memory(name: str, megabytes: int) -> Manifest:
    """A volume in memory, which counts towards the limit of the containers that write to it."""
    return {"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": mebibytes(megabytes)}}


def config(name: str, config_map: str) -> Manifest:
    """The files of a ConfigMap."""
    return {"name": name, "configMap": {"name": config_map}}


def secret(name: str, secret_name: Any, keys: Sequence[str], *, mode: int | None = None) -> Manifest:
    """Some keys of a Secret, each a file of its name: the others may be keys that the pod must not have. `mode` None:
    every user reads them."""
    items = [{"key": key, "path": key} for key in keys]
    source: Manifest = {"secretName": secret_name, "items": items}
    return {"name": name, "secret": source if mode is None else {**source, "defaultMode": mode}}


def projected(name: str, sources: Sequence[Manifest]) -> Manifest:
    """Files of several sources in one directory, which only the pod's user and group read."""
    return {"name": name, "projected": {"defaultMode": 0o440, "sources": list(sources)}}


def secret_file(secret_name: Any, key: Any, path: str) -> Manifest:
    """One key of a Secret, as a source of `projected`."""
    return {"secret": {"name": secret_name, "items": [{"key": key, "path": path}]}}
