"""The name of a release, from what it is made of (pure)."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, cast

import pulumi

from tierstack.app_cluster import processes
from tierstack.app_cluster.application import Application
from tierstack.app_cluster.release import Release, with_known_images

_LAYOUT = 2  # raise it when containers of the same arguments are made differently: their names must then differ

# What changes no container of a release: how many there are, its part in the list, the proxy's part, and the migration,
# which runs before it. Connections, memory, variables and files count by what is made of them.
_OUTSIDE = {
    *("platform", "gateway", "hostnames", "http", "outbound"),
    *("secrets", "database", "redis", "more_redis", "environment"),
    *("uploads.storage_gb", "uploads.access_mode", "uploads.storage_class"),
    *("counts", "weight", "current", "drain", "migration"),
    *("php.children", "php.child_memory_mb", "php.memory_mb", "http_server.concurrency"),
    *("roles.*.count", "roles.*.max_count", "roles.*.queue"),
}


def release_name(app: Application, release: Release) -> pulumi.Input[str]:
    """12 hexadecimal digits that name a release: another image, or anything else that shapes its containers, is
    another release, which starts beside the one before. An output where an image comes from another resource or stack.
    """
    return with_known_images(release, lambda known: known_name(app, known))


def known_name(app: Application, release: Release) -> str:
    """The same for a release whose images are known at preview, as those of a Docker host always are."""
    shape = {**_content(app), **_content(release)}
    shape["http"] = shape.pop("requests")
    shape["layout"] = _LAYOUT
    shape["labels"] = app.platform.labels
    shape["host"] = app.hostnames[0]
    shape["memory"] = processes.web_memory_mb(release)
    shape["secrets"] = processes.secret_names(app)
    shape["environment"] = processes.plain_environment(app, release)
    shape["files"] = processes.files(app, release)
    return digest(shape)


def known_names(app: Application, releases: Sequence[Release]) -> list[str]:
    """The names of releases that run together, in their order. Raises ValueError where two of them are the same."""
    names = [known_name(app, one) for one in releases]
    if len(set(names)) < len(names):
        raise ValueError(f"the same release is given twice: {', '.join(names)}")
    return names


def digest(value: object, length: int = 12) -> str:
    """Hexadecimal digits that stand for `value` (anything JSON)."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:length]


def _content(of: Any) -> dict[str, object]:
    """The fields of an application or a release that count, as JSON."""
    values = {field.name: getattr(of, field.name) for field in fields(of) if field.name not in _OUTSIDE}
    return {name: _shape(None if value in ([], {}) else value, name) for name, value in values.items()}


def _shape(value: object, path: str) -> object:
    """`value` as JSON, without what is outside a release."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {key: _shape(entry, f"{path}.*") for key, entry in cast(dict[str, object], value).items()}
    if not is_dataclass(value) or isinstance(value, type):
        return value
    names = [field.name for field in fields(value) if f"{path}.{field.name}" not in _OUTSIDE]
    return {name: _shape(getattr(value, name), f"{path}.{name}") for name in names}
