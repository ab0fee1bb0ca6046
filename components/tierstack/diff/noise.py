"""What a plan contains and no reader wants: left out, and counted."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from tierstack.diff.marks import ABSENT
from tierstack.diff.model import Change, Operation, Path, Property

PROTECT, RETAIN = ("options", "protect"), ("options", "retainOnDelete")
"""The paths of changes of options of a resource, which are no properties of it."""

READ = "resources that are only read"
DEFAULT_PROVIDER = "providers that the engine makes itself"
_INVISIBLE = "updates without a visible change"
STACK = "pulumi:pulumi:Stack"
"""The type of the stack itself, which changes with anything in it."""

_DERIVED = (
    re.compile(r"(^| )metadata (labels|annotations) app\.kubernetes\.io/version$"),
    re.compile(r"(^| )(annotations|labels|matchLabels) tierstack\.dev/(revision|release)$"),
    re.compile(r"^metadata annotations kubectl\.kubernetes\.io/last-applied-configuration$"),
    re.compile(r"^metadata annotations pulumi\.com/patchForce$"),
    re.compile(r"^labels tierstack\.dev/(revision|release)( |$)"),
)
"""Paths that follow from other changes: the version of an image beside the image, a hash beside what it is of."""
_VERSION = re.compile(r"(?<![0-9a-z])(?=[0-9a-f]*[0-9])[0-9a-f]{6,64}(?![0-9a-z])")
"""A hash in a name: six digits or more of base 16, at least one of them a number."""
_IDLE_MESSAGES = re.compile(
    r"^(error: (preview|update) failed$"  # beside the messages that say why
    r"|using pulumi-\S+ from \$PATH|warning: .*A new version of Pulumi is available|.*skipping replaceUnready check)",
    re.DOTALL,
)


def is_default_provider(change: Change) -> bool:
    """Whether it is a provider that the engine makes itself, where a program names none."""
    return change.type.startswith("pulumi:providers:") and change.name.startswith("default")


def of_change(change: Change) -> str:
    """Why a change is left out; empty where it is not."""
    if is_default_provider(change):
        return DEFAULT_PROVIDER if change.operation is not Operation.SAME else ""
    if change.operation is Operation.UPDATE and not change.properties:
        return _INVISIBLE
    return ""


def is_internal(path: Path) -> bool:
    """Whether it is something between the engine and its providers."""
    return (bool(path) and path[0].startswith("__")) or any(step.startswith("__") for step in path)


def is_derived(found: Property) -> bool:
    """Whether it only follows from other changes, by its path or as a name with another version in it."""
    text = " ".join(found.path)
    if any(pattern.search(text) for pattern in _DERIVED):
        return True
    sides = (found.old, found.new)
    is_name = all(isinstance(side, str) and "sha256:" not in side for side in sides) and not found.lines
    return is_name and without_version(sides[0]) == without_version(sides[1])


_DEFAULTS = "__defaults"
"""The key with the names of the properties that a provider has filled in."""


def is_default(found: Property, old: Any, new: Any) -> bool:
    """Whether a provider fills in, or no longer fills in, a value that the program does not give."""
    if (found.old is ABSENT) == (found.new is ABSENT):
        return False
    for step in found.path[:-1]:
        old, new = (cast(Mapping[str, Any], one).get(step) if isinstance(one, Mapping) else None for one in (old, new))
    side = new if found.old is ABSENT else old
    named = cast(Mapping[str, Any], side).get(_DEFAULTS) if isinstance(side, Mapping) else None
    return isinstance(named, list) and found.path[-1] in named


def without_version(name: str) -> str:
    """A name with `*` in the place of a hash."""
    return _VERSION.sub("*", name)


def without(found: Iterable[Property]) -> tuple[Property, ...]:
    """The properties that a reader sees."""
    return tuple(one for one in found if not is_internal(one.path))


_ENDED = re.compile(r"^(error: )?Detected that \S+ exited prematurely")


def is_end_of_a_plugin(message: str) -> bool:
    """Whether an error says that a plugin ended before the engine expected it. On a busy machine the engine says so of
    plugins that it has just asked to end. One that dies earlier makes calls fail, which are errors of their own."""
    return bool(_ENDED.match(message))


def is_idle_message(message: str) -> bool:
    """Whether a warning says nothing about the change."""
    return bool(_IDLE_MESSAGES.match(message))
