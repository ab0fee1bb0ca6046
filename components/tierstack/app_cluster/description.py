"""A release as JSON text (pure): all that is needed to make it again, and nothing that is secret.

The format has a number. What reads a description refuses every other format, and every key that it does not know, since
a release that is made without it would be another one under the same name.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, cast

from tierstack.app_cluster.counts import AppCounts
from tierstack.app_cluster.options import (
    HealthArgs,
    HttpServerArgs,
    MigrationArgs,
    PhpFpmArgs,
    RoleArgs,
    SecretDelivery,
)
from tierstack.app_cluster.release import Release, RequestLimits
from tierstack.core.arguments import load

FORMAT = 1
"""Raise it when a description of before cannot be read as it stands any more."""


class DescriptionError(ValueError):
    """A text that is not the description of a release; its text says why, as a clause."""


@dataclass(kw_only=True)
class _Described:
    """A release in types that the loader of arguments knows: the same fields as `Release`, without the two that are its
    part in a list (`weight`, `current`)."""

    image: str
    nginx_image: str | None
    php: PhpFpmArgs | None
    http_server: HttpServerArgs | None
    requests: RequestLimits
    health: HealthArgs
    environment: dict[str, str]
    secret_delivery: SecretDelivery
    writable_paths: list[str]
    roles: dict[str, RoleArgs]
    migration: MigrationArgs | None
    counts: AppCounts
    format: int = field(default=FORMAT)


_FIELDS = [one.name for one in dataclasses.fields(_Described) if one.name != "format"]
"""What is described of a release."""


def described(release: Release) -> dict[str, Any]:
    """`release` as JSON values. Raises DescriptionError where an image is not known."""
    if release.unknown_images:
        raise DescriptionError("has an image that is known only during the update")
    return {"format": FORMAT, **{name: plain(getattr(release, name)) for name in _FIELDS}}


def description(release: Release) -> str:
    """The same as text: one line, the same for the same release."""
    return json.dumps(described(release), sort_keys=True, separators=(",", ":"))


def release_of(text: str) -> Release:
    """The release that a description is of, with weight 0, and not current. Raises DescriptionError."""
    try:
        given = json.loads(text)
    except json.JSONDecodeError as error:
        raise DescriptionError(f"is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise DescriptionError("is not a map")
    values = cast(dict[str, Any], given)
    if values.get("format") != FORMAT or isinstance(values["format"], bool):
        raise DescriptionError(f"has the format {json.dumps(values.get('format'))}; this tierstack reads {FORMAT}")
    found, problems = load(_Described, values)
    if problems:
        raise DescriptionError(f"is damaged, or of another version of tierstack: {problems[0]}")
    return Release(**{name: getattr(found, name) for name in _FIELDS}, weight=0, current=False)


def plain(value: Any) -> Any:
    """Arguments as JSON values."""
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in cast(Mapping[str, Any], value).items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in cast(list[Any], value)]
    return value
