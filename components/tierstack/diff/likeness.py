"""Whether a resource that comes is the one that goes under another name, or something else of the same type."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, cast

from tierstack.diff.model import Change, at, elements

_LEAST = 0.75
"""The share of its properties that a renamed resource keeps. A lower one takes two applications with the same ports and
labels for one; a higher one takes a rename that also moves an image for two resources."""
_NAMING = frozenset({"apiVersion", "kind", "metadata", "name"})
"""Properties that say what a resource is called, and not what it does."""


def is_renamed(old: Change, new: Change) -> bool:
    """Whether `new` does what `old` did: but for their names, most of their properties are the same."""
    if identity(old) == identity(new):
        return False  # made anew under its own name, and deleted there right afterwards
    before, after = (Counter(_leaves(change)) for change in (old, new))
    return 2 * (before & after).total() >= _LEAST * (before.total() + after.total())


def identity(change: Change) -> tuple[str, ...]:
    """What a Kubernetes object is called in its cluster; of anything else, how the program calls it."""
    name = at(change.state, "metadata name")
    if not isinstance(name, str):
        return (change.name,)
    return str(at(change.state, "metadata namespace")), name


def _leaves(change: Change) -> Iterator[tuple[str, str]]:
    """Each property with its value, `*` in the place of the names of the resource."""
    names = {change.name, change.component.name, *(str(at(change.state, one)) for one in ("metadata name", "name"))}
    known = sorted((re.escape(one) for one in names if one), key=len, reverse=True)
    own = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(known)})(?![A-Za-z0-9])")
    rest = {key: value for key, value in change.state.items() if key not in _NAMING}
    yield from ((path, own.sub("*", value)) for path, value in _walk(rest, ""))


def _walk(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, one in cast(Mapping[str, Any], value).items():
            yield from _walk(one, f"{path}.{key}")
    elif isinstance(value, list):
        for one in elements(value):
            yield from _walk(one, path)
    else:
        yield path, repr(value)
