"""What `pulumi preview --json` prints, as a plan. Any program's, of any language."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from tierstack.diff import beside, events, noise
from tierstack.diff.compare import properties
from tierstack.diff.manifests import is_kept
from tierstack.diff.marks import ABSENT, EXPOSED, FORMER, SECRET, is_secret
from tierstack.diff.model import Change, Component, Item, Operation, Path, Plan, Property, elements, in_order, mapping
from tierstack.diff.owners import Owners
from tierstack.diff.secrets import Masker, has_secret
from tierstack.diff.successors import joined

State = Mapping[str, Any]


class UnreadableError(ValueError):
    """What was given is no preview."""


@dataclass
class _Steps:
    """The steps of one resource, in their order."""

    urn: str
    operations: list[str] = field(default_factory=list[str])
    old: State = field(default_factory=dict[str, Any])
    new: State = field(default_factory=dict[str, Any])
    detailed: dict[str, str] = field(default_factory=dict[str, str])
    reasons: list[str] = field(default_factory=list[str])
    differing: list[str] = field(default_factory=list[str])
    """The properties that the provider calls different, where it says no more."""


_REPLACING = frozenset({"replace", "create-replacement", "import-replacement", "read-replacement"})
_LEFTOVERS = frozenset({"delete-replaced", "remove-pending-replace", "discard-replaced"})
_READING = frozenset({"read", "refresh", "discard", "diff", "extend-parameterize"})
_PLAIN = {
    "create": Operation.CREATE,
    "import": Operation.IMPORT,
    "update": Operation.UPDATE,
    "delete": Operation.DELETE,
    "same": Operation.SAME,
}


def parsed(text: str) -> dict[str, Any]:
    """The document in what the engine printed, which may be events, after any other lines. Raises UnreadableError."""
    if given := events.events(text):
        return events.document(given)
    start = re.search(r"^\{", text, re.MULTILINE)
    try:
        document: Any = json.loads(text[start.start() :]) if start else None
    except ValueError as error:
        raise UnreadableError(f"is not JSON ({error}); make it with `pulumi preview --json`") from None
    if not isinstance(document, dict) or not ({"steps", "changeSummary", "diagnostics"} & set(cast(State, document))):
        raise UnreadableError("is no preview: it has no `steps`; make it with `pulumi preview --json`")
    return cast(dict[str, Any], document)


def read(document: State) -> Plan:
    """The plan of a preview, without secrets and without noise."""
    given = cast(list[dict[str, Any]], document.get("steps") or [])
    steps = [one for one in _by_resource(given) if f"::{noise.STACK}::" not in one.urn]
    owners = Owners.of([state for one in steps for state in (one.old, one.new) if state])
    masker, left_out = Masker(), Counter[str]()
    pairs = {one.urn: _masked(one, masker) for one in steps}  # all of them, before any of them is shown
    outputs = beside.outputs(document, masker)
    changes: list[Change] = []
    providers: list[Change] = []
    same: list[Change] = []
    for one in steps:
        old, new, before = (masker.cleaned(side) for side in pairs[one.urn])
        change = _change(one, old, new, before, owners.of_resource(one.urn, one.new or one.old))
        if change and noise.is_default_provider(change) and change.operation is not Operation.SAME:
            providers.append(change)
        if why := noise.of_change(change) if change else noise.READ:
            left_out[why] += 1
        elif change is None:
            continue
        elif change.operation is Operation.SAME:
            same.append(change)
        else:
            changes.append(change)
    said = [one for one in cast(list[State], document.get("diagnostics") or []) if str(one.get("message", "")).strip()]
    summary = cast(Mapping[str, int], document.get("changeSummary") or {})
    project, stack = _place(given)
    errors, ended = tuple(_messages(said, "error", masker)), tuple[str, ...]()
    if all(noise.is_end_of_a_plugin(one) for one in errors):
        errors, ended = (), errors
    more = [*beside.of_providers(providers)]
    if told := sum(one.type in {each.type for each in more} for one in providers):
        left_out[noise.DEFAULT_PROVIDER] -= told
    if not errors:  # a program that failed has not handed out everything
        more += beside.of_outputs(document, outputs, masker, stack)
    return Plan(
        changes=in_order(joined(changes)),
        unchanged=in_order(same),
        unchanged_count=max(int(summary.get("same", 0)) - 1, len(same)),  # one of them is the stack itself
        complete=bool(summary.get("same", 0)) and len(same) >= int(summary.get("same", 0)) // 2,
        project=project,
        stack=stack,
        left_out=dict(+left_out),
        beside=tuple(more),
        errors=errors,
        warnings=(*_messages(said, "warning", masker), *ended),
        has_outputs=events.OUTPUTS in document,
        files=any(_renders(state) for one in steps for state in (one.old, one.new)),
    )


def _renders(state: State) -> bool:
    """Whether it is a Kubernetes provider that writes manifests into files."""
    is_one = str(state.get("type", "")) == "pulumi:providers:kubernetes"
    return is_one and "renderYamlToDirectory" in cast(State, state.get("inputs") or {})


def _by_resource(given: Sequence[Mapping[str, Any]]) -> Iterator[_Steps]:
    found: dict[str, _Steps] = {}
    for step in given:
        urn = str(step["urn"])
        one = found.setdefault(urn, _Steps(urn))
        one.operations.append(str(step["op"]))
        one.old = cast(State, step.get("oldState") or one.old)
        one.new = cast(State, step.get("newState") or one.new)
        detailed = cast(Mapping[str, Mapping[str, Any]], step.get("detailedDiff") or {})
        one.detailed |= {path: str(diff.get("kind", "update")) for path, diff in detailed.items()}
        one.differing += [str(key) for key in elements(step.get("diffReasons")) if key not in one.differing]
        one.reasons += [str(key) for key in elements(step.get("replaceReasons")) if key not in one.reasons]
    yield from found.values()


def _masked(one: _Steps, masker: Masker) -> tuple[Any, Any, Any]:
    """Inputs before and after, and the outputs before, where the provider compares with them."""
    holds_secrets = _is_a_secret(one)
    before, after = mapping(one.old.get("inputs")), mapping(one.new.get("inputs"))
    old, new = masker.pair(before, after, secret_values=holds_secrets)
    if not one.detailed:
        return old, new, {}
    hidden = cast(list[str], one.old.get("additionalSecretOutputs") or [])
    outputs = {key: value for key, value in cast(State, one.old.get("outputs") or {}).items() if key not in hidden}
    return old, new, masker.pair(outputs, after, secret_values=holds_secrets)[0]


def _is_a_secret(one: _Steps) -> bool:
    """Whether it is a Secret of Kubernetes, whose values are all secret."""
    return str((one.new or one.old).get("type", "")).startswith("kubernetes:core/v1:Secret")


def _change(one: _Steps, old: State, new: State, outputs: State, component: Component) -> Change | None:
    """What happens to a resource. None: it is only read."""
    operation = _operation(one.operations)
    if operation is None:
        return None
    found: tuple[Property, ...] = ()
    if operation in (Operation.UPDATE, Operation.REPLACE):
        found = tuple(_properties(one, old, new, outputs))
    if one.old and one.new and operation in (Operation.UPDATE, Operation.SAME):
        beside = tuple(_options(one))
        if operation is Operation.SAME:
            beside += tuple(each for each in properties(old, new) if each.new is EXPOSED)
        found += beside
        operation = Operation.UPDATE if beside else operation
    state = one.new or one.old
    return Change(
        operation=operation,
        type=str(state.get("type") or one.urn.split("::")[2].rpartition("$")[2]),
        name=one.urn.split("::", 3)[3],
        component=component,
        old={} if operation in (Operation.CREATE, Operation.IMPORT) else old,
        new={} if operation is Operation.DELETE else new,
        properties=noise.without(found),
        reasons=tuple(one.reasons),
        protected=bool(one.old.get("protect")),
        retained=bool(one.old.get("retainOnDelete")) or is_kept(old),
        stops_first=_stops_first(one, old, new) if operation is Operation.REPLACE else None,
    )


def _options(one: _Steps) -> Iterator[Property]:
    """What changes of what protects the resource: the engine counts that as no change, like a secret that is no longer
    marked as one."""
    for path in (noise.PROTECT, noise.RETAIN):
        was, becomes = (bool(state.get(path[1])) for state in (one.old, one.new))
        if was != becomes:
            yield Property(path, was, becomes)


def _operation(steps: Sequence[str]) -> Operation | None:
    kinds = set(steps)
    if kinds & _REPLACING:
        return Operation.REPLACE
    plain = [_PLAIN[one] for one in steps if one in _PLAIN]
    return plain[-1] if plain and not kinds <= _LEFTOVERS | _READING else None


def _stops_first(one: _Steps, old: State, new: State) -> bool | None:
    """Whether the old one goes first: as the steps are ordered, where all are shown, else where both have one name."""
    made, gone = (
        next((index for index, step in enumerate(one.operations) if step in kinds), None)
        for kinds in (("create-replacement", "import-replacement"), ("delete-replaced",))
    )
    if made is not None and gone is not None:
        return gone < made
    names = [_physical_name(state) for state in (old, new)]
    return True if names[0] and names[0] == names[1] else None


def _physical_name(state: State) -> Any:
    metadata = state.get("metadata")
    inside = cast(State, metadata).get("name") if isinstance(metadata, Mapping) else None
    return state.get("name") or inside


def _properties(one: _Steps, old: State, new: State, outputs: State) -> Iterator[Property]:
    """What differs, and what the provider says that differs although the inputs are what they were."""
    replacing = {_keys(path) for path, kind in one.detailed.items() if kind.endswith("-replace")}
    replacing |= set() if replacing else {(key,) for key in one.reasons}
    seen: set[Path] = set()
    told: list[Path] = []
    for found in properties(old, new):
        seen.add(found.path)
        forces = any(_related(found.path, path) for path in replacing)
        derived = noise.is_derived(found) or (not forces and noise.is_default(found, old, new))
        yield replace(found, replaces=forces, derived=derived)
    for path in sorted({_keys(path) for path in one.detailed} | replacing):
        if any(_related(path, other) for other in seen):
            continue
        was, becomes = _inside(old, path), _inside(new, path)
        hidden = is_secret(becomes) and _is_below_a_secret(new, path) and not _is_a_secret(one)
        if is_secret(was) and is_secret(becomes):
            was = FORMER  # the provider sees another value, which nobody else may
        elif was == becomes:
            was = _inside(outputs, path)
        if was != becomes or path in replacing:
            told.append(path)
            yield Property(path, was, becomes, path in replacing, hidden=hidden)
    raw = properties(mapping(one.old.get("inputs")), mapping(one.new.get("inputs")))
    masked = [each.path for each in raw if not any(_related(each.path, p) for p in (*seen, *told))]
    if not (masked or seen or told):
        # The engine hides both sides, and the provider says at most which property it is.
        masked = [(key,) for key in one.differing or new if has_secret(mapping(one.new.get("inputs")).get(key))]
    yield from (Property(path, FORMER, SECRET) for path in masked)


def _is_below_a_secret(value: Any, path: Path) -> bool:
    """Whether a path leads into something that is secret as a whole."""
    return any(is_secret(_inside(value, path[:length])) for length in range(len(path)))


_STEP = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[([0-9]+)\]|\.?([^.\[]+)')


def _keys(path: str) -> Path:
    """A path as the engine writes it: `spec.containers[0]["a.b"]`."""
    return tuple(Item(found[2]) if found[2] else str(found[1] or found[3]) for found in _STEP.finditer(path))


def _related(one: Path, other: Path) -> bool:
    """Whether one of them is inside the other; positions and names of elements are not compared."""
    return all(a == b or isinstance(a, Item) or isinstance(b, Item) for a, b in zip(one, other, strict=False))


def _inside(value: Any, path: Path) -> Any:
    for step in path:
        if isinstance(value, list):
            elements = cast(list[Any], value)
            value = elements[int(step)] if step.isdecimal() and int(step) < len(elements) else ABSENT
        elif isinstance(value, Mapping):
            value = cast(State, value).get(step, ABSENT)
        else:
            return value if is_secret(value) else ABSENT
    return value


def _messages(said: Sequence[State], severity: str, masker: Masker) -> Iterator[str]:
    told: set[str] = set()
    for one in said:
        message = masker.text(str(one["message"]).strip())
        if one.get("severity") == severity and message not in told and not noise.is_idle_message(message):
            told.add(message)
            yield message


def _place(given: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    for step in given:
        parts = str(step["urn"]).split("::")
        if len(parts) >= 4:
            return parts[1], parts[0].removeprefix("urn:pulumi:")
    return "", ""
