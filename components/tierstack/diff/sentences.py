"""One sentence for each component: what a reader would say of it, not which resources change."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tierstack.core.quantities import quantity
from tierstack.diff.marks import ABSENT, Mark
from tierstack.diff.model import Change, Component, Operation, Plan, Property
from tierstack.diff.quantities import gib, number
from tierstack.diff.risk import path_matches
from tierstack.diff.texts import Text, Value, counted, fill, listed, plain_or_value


@dataclass(frozen=True)
class Sentence:
    """What happens to a component."""

    component: Component
    says: Text
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class _Fact:
    """Something that is said of a property in a reader's words."""

    path: str
    says: str
    """With `{old}`, `{new}` and `{name}`: the resources, where they are not named as the component is."""
    shown: Callable[[Any], str | None] = str
    """How a value is shown. None: then nothing is said."""


def _size(value: Any) -> str | None:
    amount = quantity(value)
    return gib(amount) if amount is not None else None


def _cores(value: Any) -> str | None:
    amount = quantity(value)
    return number(amount) if amount is not None else None


def _megabytes(value: Any) -> str | None:
    amount = quantity(value)
    return gib(amount * 2**20) if amount is not None else None


def _count(value: Any) -> str | None:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


_FACTS = (
    _Fact("spec instances", "{name}{old} → {new} servers", _count),
    _Fact("spec replicas", "{name}{old} → {new} pods", _count),
    _Fact("spec minReplicas", "{name}at least {old} → {new} pods", _count),
    _Fact("spec maxReplicas", "{name}at most {old} → {new} pods", _count),
    _Fact("spec storage size", "disk {old} → {new}", _size),
    _Fact("spec resources requests storage", "{name}disk {old} → {new}", _size),
    _Fact("spec resources requests memory", "memory {old} → {new}", _size),
    _Fact("spec resources requests cpu", "CPU {old} → {new}", _cores),
    _Fact("spec template spec containers * resources requests memory", "{name}memory {old} → {new}", _size),
    _Fact("spec template spec containers * resources requests cpu", "{name}CPU {old} → {new}", _cores),
    _Fact("memory", "{name}memory {old} → {new}", _megabytes),
    _Fact("spec postgresql parameters max_connections", "connections {old} → {new}"),
    _Fact("spec retentionPolicy", "backups kept {old} → {new}"),
    _Fact("spec schedule", "schedule {old} → {new}"),
)
_MOST_KINDS = 8
_MOST_NAMES = 4
_IMAGES = (
    "spec imageName",
    "spec template spec containers * image",
    "image",
    "spec template spec initContainers * image",
)


def sentences(plan: Plan) -> list[Sentence]:
    """The components that change, by name; what belongs to none comes last."""
    groups: dict[str, list[Change]] = {}
    kinds: dict[str, Component] = {}
    for one in plan.changes:
        groups.setdefault(one.component.name, []).append(one)
        if one.component.kind or one.component.name not in kinds:
            kinds[one.component.name] = one.component
    staying = {one.component.name for one in plan.unchanged}
    ordered = sorted(groups, key=lambda name: not name)
    return [Sentence(kinds[name], _says(groups[name], plan, name in staying), tuple(groups[name])) for name in ordered]


def _says(changes: Sequence[Change], plan: Plan, stays: bool) -> Text:
    operations = {one.operation for one in changes}
    if operations <= {Operation.CREATE, Operation.IMPORT} and not stays:
        return ("new: ", *_kinds(changes))
    if operations == {Operation.DELETE} and not stays:
        return ("removed: ", *_kinds(changes))
    parts: list[Text] = [*_containers(changes, plan), *_images(changes), *_numbers(changes), *_records(changes)]
    parts += _coming_and_going(changes)
    told = {id(change) for change in changes if _is_told(change)}
    rest = [one for one in changes if id(one) not in told]
    if replaced := [one for one in rest if one.operation is Operation.REPLACE]:
        parts.append(("replaced: ", *listed([f"{one.kind} {one.name}" for one in replaced])))
    if updated := [one for one in rest if one.operation is Operation.UPDATE]:
        words = "changes" if not parts else "more changes"
        parts.append((f"{words} in ", *listed([f"{one.kind} {one.name}" for one in updated])))
    found: list[str | Value] = []
    for index, part in enumerate(parts):
        found += ["; " if index else "", *part]
    return tuple(one for one in found if one)


def _kinds(changes: Sequence[Change]) -> Text:
    counts: dict[str, int] = {}
    if len(changes) <= _MOST_NAMES and not any(one.component.name for one in changes):
        return listed([f"{one.kind} {one.name}" for one in changes], most=_MOST_NAMES)  # no component says whose it is
    inside = [one for one in changes if (one.kind, one.name) != (one.component.kind, one.component.name)]
    for one in inside or changes:
        counts[one.kind] = counts.get(one.kind, 0) + 1
    shown = [
        plain_or_value(f"{count} {kind}" if count > 1 else kind) for kind, count in list(counts.items())[:_MOST_KINDS]
    ]
    more = f", and {len(counts) - _MOST_KINDS} more" if len(counts) > _MOST_KINDS else ""
    return (*(part for index, text in enumerate(shown) for part in (", " if index else "", *text) if part), more)


def _containers(changes: Sequence[Change], plan: Plan) -> Iterator[Text]:
    """Of a Docker host: how many containers the component has, where their number changes."""
    here = [one for one in changes if one.kind == "Container"]
    made, gone = (sum(one.operation is kind for one in here) for kind in (Operation.CREATE, Operation.DELETE))
    if made == gone or not plan.complete:
        return
    component = changes[0].component.name
    staying = sum(one.kind == "Container" and one.component.name == component for one in plan.unchanged)
    kept = len(here) - made - gone + staying
    yield (f"{kept + gone} → {kept + made} containers",)


def _images(changes: Sequence[Change]) -> Iterator[Text]:
    """`new image: 17.6 → 17.7` once for each pair of images."""
    told: set[tuple[str, str]] = set()
    for found in _matching(changes, _IMAGES):
        if not isinstance(found.old, str) or not isinstance(found.new, str) or (found.old, found.new) in told:
            continue
        told.add((found.old, found.new))
        yield fill("new image {image}", image=_image(found.old, found.new))


def _image(old: str, new: str) -> str:
    """The shortest that tells two references of images apart."""
    (name, was), (other, becomes) = (_split(one) for one in (old, new))
    if name != other:
        return f"{name}:{was} → {other}:{becomes}"
    if was == becomes:  # another build under the same tag
        was, becomes = (one.rpartition("sha256:")[2][:12] for one in (old, new))
    return f"{name.rpartition('/')[2]} {was} → {becomes}".strip()


def _split(reference: str) -> tuple[str, str]:
    plain, _, digest = reference.partition("@sha256:")
    name, colon, tag = plain.rpartition(":")
    if not colon or "/" in tag:
        name, tag = plain, ""
    return name, tag or digest[:12]


def _numbers(changes: Sequence[Change]) -> Iterator[Text]:
    for fact in _FACTS:
        said: dict[tuple[str, str], list[Change]] = {}
        for change in changes:
            for found in _matching([change], (fact.path,)):
                old, new = (_shown(value, fact) for value in (found.old, found.new))
                if old is not None and new is not None:
                    said.setdefault((old, new), []).append(change)
        for (old, new), where in said.items():
            names = [one.name for one in where]
            names = names if any(one.name != one.component.name for one in where) else []
            values = {"old": plain_or_value(old), "new": plain_or_value(new)}
            yield fill(fact.says, name=(*listed(names, most=2), ": ") if names else (), **values)


def _shown(value: Any, fact: _Fact) -> str | None:
    return None if isinstance(value, Mark) else fact.shown(value)


def _records(changes: Sequence[Change]) -> Iterator[Text]:
    """Of DNS: how many records come, go and change."""
    paths = {"new": 0, "removed": 0, "changed": 0}
    for found in _matching(changes, ("records * *",)):
        paths["new" if found.old is ABSENT else "removed" if found.new is ABSENT else "changed"] += 1
    words = [f"{counted(count, 'DNS record')} {word}" for word, count in paths.items() if count]
    if words:
        yield (", ".join(words),)


def _coming_and_going(changes: Sequence[Change]) -> Iterator[Text]:
    for operation, word in ((Operation.CREATE, "new"), (Operation.IMPORT, "taken over"), (Operation.DELETE, "removed")):
        those = [one for one in changes if one.operation is operation]
        if those:
            yield (f"{word}: ", *_kinds(those))


def _is_told(change: Change) -> bool:
    """Whether a number or an image says all of a change."""
    patterns = [*(fact.path for fact in _FACTS), *_IMAGES, "records * *"]
    visible = [one for one in change.properties if not one.derived]
    return bool(visible) and all(any(path_matches(one.path, p.split()) for p in patterns) for one in visible)


def _matching(changes: Iterable[Change], patterns: Sequence[str]) -> Iterator[Property]:
    split = [one.split() for one in patterns]
    for change in changes:
        if change.operation in (Operation.UPDATE, Operation.REPLACE):
            yield from (one for one in change.properties if any(path_matches(one.path, p) for p in split))
