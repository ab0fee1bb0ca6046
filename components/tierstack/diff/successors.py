"""Resources whose names carry a version: the new one takes the place of the old one, under another name."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tierstack.diff import noise
from tierstack.diff.compare import properties
from tierstack.diff.model import Change, Operation

Key = tuple[str, str, str]


def joined(changes: Sequence[Change]) -> Iterator[Change]:
    """The changes, with each that is made in the place of another one as a replacement of it."""
    going: dict[Key, list[Change]] = {}
    for one in changes:
        if one.operation is Operation.DELETE:
            going.setdefault(_key(one), []).append(one)
    taken: set[int] = set()
    made: dict[int, Change] = {}
    for one in changes:
        before = going.get(_key(one), [])
        if one.operation is Operation.CREATE and before and _key(one)[2] != one.name:
            old = before.pop(0)
            taken.add(id(old))
            made[id(one)] = _successor(old, one)
    for one in changes:
        if id(one) not in taken:
            yield made.get(id(one), one)


def _key(change: Change) -> Key:
    return change.type, change.component.name, noise.without_version(change.name)


def _successor(old: Change, new: Change) -> Change:
    found = tuple(replace(one, derived=noise.is_derived(one)) for one in properties(old.old, new.new))
    return replace(
        new,
        operation=Operation.REPLACE,
        old=old.old,
        previous=old.name,
        properties=noise.without(found),
        protected=old.protected,
        retained=old.retained,
        stops_first=False,
    )
