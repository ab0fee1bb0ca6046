"""The difference of two values: only the changed element of a list, only the changed line of a text."""

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from tierstack.core.quantities import quantity
from tierstack.diff.marks import ABSENT, UNKNOWN, is_secret
from tierstack.diff.model import Item, Path, Property, elements, mapping

_KEYS = (
    ("name",),
    ("key",),
    ("label",),
    ("topologyKey",),
    ("dnsName", "recordType"),
    ("mountPath",),
    ("target",),
    ("containerPath",),
    ("containerPort", "protocol"),
    ("internal", "protocol"),
    ("port", "protocol"),
    ("path",),
    ("type",),
    ("id",),
)
"""What tells the elements of a list of maps apart: the first that all elements have, each another one."""
_SIZES = frozenset({"cpu", "memory", "storage", "ephemeral-storage", "size", "sizeLimit"})
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*)=(.*)", re.DOTALL)
_CONTEXT = 0

Pair = tuple[str, Any, Any]


def properties(old: Any, new: Any, path: Path = ()) -> Iterator[Property]:
    """What differs, each as deep inside as it is."""
    if is_secret(old) or is_secret(new):
        if old is not new:
            yield Property(path, old, new)
        return
    old, new = variables(*_opened(old, new))
    if _is_map(old, new):
        before, after = mapping(old), mapping(new)
        if not before and not after:
            yield from _leaf(old, new, path)
        for key in sorted(before.keys() | after.keys()):
            yield from properties(before.get(key, ABSENT), after.get(key, ABSENT), (*path, key))
    elif _is_list(old, new):
        before, after = elements(old), elements(new)
        if not before and not after:
            yield from _leaf(old, new, path)
        yield from _elements(before, after, path)
    else:
        yield from _leaf(old, new, path)


def aligned(old: Sequence[Any], new: Sequence[Any]) -> list[Pair]:
    """The elements of two lists, each with the one that it was or will be, ABSENT for none."""
    if named := _by_key(old, new):
        return named
    pairs: list[Pair] = []
    texts = [[_text(one) for one in side] for side in (old, new)]
    for tag, i, i_end, j, j_end in difflib.SequenceMatcher(None, *texts, autojunk=False).get_opcodes():
        if tag == "equal":
            pairs += [(str(j + index), old[i + index], new[j + index]) for index in range(i_end - i)]
            continue
        for index in range(max(i_end - i, j_end - j)):
            was = old[i + index] if i + index < i_end else ABSENT
            becomes = new[j + index] if j + index < j_end else ABSENT
            pairs.append((str((j if becomes is not ABSENT else i) + index), was, becomes))
    return pairs


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=repr)


def _elements(old: Sequence[Any], new: Sequence[Any], path: Path) -> Iterator[Property]:
    if list(old) != list(new) and sorted(map(_text, old)) == sorted(map(_text, new)):
        yield Property(path, list(old), list(new))  # the same elements in another order
        return
    for name, was, becomes in aligned(old, new):
        yield from properties(was, becomes, (*path, Item(name)))


def _by_key(old: Sequence[Any], new: Sequence[Any]) -> list[Pair]:
    """The pairs by what the elements call themselves; empty where they have no names."""
    for name in map(_name_by, _KEYS):
        sides = [{name(one): one for one in side} for side in (old, new)]
        if all(None not in named and len(named) == len(side) for named, side in zip(sides, (old, new), strict=True)):
            before, after = (cast(dict[str, Any], named) for named in sides)
            order = [*after, *(key for key in before if key not in after)]
            return [(key, before.get(key, ABSENT), after.get(key, ABSENT)) for key in order]
    return []


def variables(old: Any, new: Any) -> tuple[Any, Any]:
    """Both sides as maps where both are lists of `KEY=value`, as containers have them."""
    sides = [elements(old), elements(new)]
    found = [[_ASSIGNMENT.fullmatch(one) if isinstance(one, str) else None for one in side] for side in sides]
    if not any(sides) or not all(all(side) for side in found):
        return old, new
    maps = [{match[1]: match[2] for match in side if match} for side in found]
    return maps[0] if isinstance(old, list) else old, maps[1] if isinstance(new, list) else new


def _name_by(keys: tuple[str, ...]) -> Callable[[Any], str | None]:
    def name(one: Any) -> str | None:
        if not isinstance(one, Mapping):
            return None
        values = [cast(Mapping[str, Any], one).get(key) for key in keys]
        if values[0] is None or not all(isinstance(value, str | int | None) for value in values):
            return None
        return " ".join(str(value) for value in values if value is not None)

    return name


def _opened(old: Any, new: Any) -> tuple[Any, Any]:
    """Both sides parsed where both are JSON in a string, so that only what differs inside is shown."""
    if isinstance(old, str) and isinstance(new, str) and old != new and "\n" not in old.strip() + new.strip():
        before, after = opened(old), opened(new)
        if before is not None and type(before) is type(after):
            return before, after
    return old, new


def opened(text: str) -> Any:
    """The map or list that a text is as JSON; None where it is none."""
    if text[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def _leaf(old: Any, new: Any, path: Path) -> Iterator[Property]:
    if _equal(old, new, path):
        return
    if isinstance(old, str) and isinstance(new, str) and ("\n" in old.strip() or "\n" in new.strip()):
        yield Property(path, old, new, lines=tuple(changed_lines(old, new)))
    else:
        yield Property(path, old, new)


def changed_lines(old: str, new: str) -> Iterator[str]:
    """The lines that differ, each after `-` or `+`."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=_CONTEXT)
    for index, line in enumerate(lines):
        if index > 1 and not line.startswith("@@"):  # the first two name the files
            yield line


def _equal(old: Any, new: Any, path: Path) -> bool:
    if old is UNKNOWN or new is UNKNOWN:
        return False
    if old == new and type(old) in (bool, int, float, str) and isinstance(old, bool) == isinstance(new, bool):
        return True
    if path and path[-1] in _SIZES and (size := quantity(old)) is not None:
        return size == quantity(new)  # `1` and `1000m` are one amount
    return old is new or (type(old) is type(new) and old == new)


def _is_map(old: Any, new: Any) -> bool:
    return isinstance(old, Mapping | type(ABSENT)) and isinstance(new, Mapping | type(ABSENT)) and _settled(old, new)


def _is_list(old: Any, new: Any) -> bool:
    return isinstance(old, list | type(ABSENT)) and isinstance(new, list | type(ABSENT)) and _settled(old, new)


def _settled(old: Any, new: Any) -> bool:
    """Whether one side has something, and neither is a mark but for that of absence."""
    marks = [side for side in (old, new) if side is ABSENT or side is UNKNOWN or is_secret(side)]
    return len(marks) < 2 and all(mark is ABSENT for mark in marks)
