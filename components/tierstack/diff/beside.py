"""What changes beside the resources of a plan, and is not counted as one of them: the outputs of the stack, which other
stacks read, and the versions of the providers that the engine makes itself."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tierstack.diff.compare import properties
from tierstack.diff.events import OUTPUTS
from tierstack.diff.marks import ABSENT, Mark
from tierstack.diff.model import Change, Component, Operation, Property, elements, mapping
from tierstack.diff.noise import STACK
from tierstack.diff.secrets import Masker, has_secret

SECRECY = "secretOutputs"
"""The first step of the path of a change of whether an output is secret."""
_REFERENCE = "pulumi:pulumi:StackReference"


def outputs(document: Mapping[str, Any], masker: Masker) -> tuple[Any, Any]:
    """The outputs of the stack before and afterwards, masked; to be called before any text is cleaned."""
    given = mapping(document.get(OUTPUTS))
    return masker.pair(mapping(given.get("old")), mapping(given.get("new")))


def of_outputs(document: Mapping[str, Any], masked: tuple[Any, Any], masker: Masker, stack: str) -> Iterator[Change]:
    """How the outputs change; nothing where the stack had none, or the plan does not say."""
    given = mapping(document.get(OUTPUTS))
    before, after = mapping(given.get("old")), mapping(given.get("new"))
    if not before:
        return
    old, new = ({"outputs": masker.cleaned(side)} for side in masked)
    found = list(properties(old, new))
    for key in sorted(before.keys() & after.keys()):
        was, becomes = has_secret(before[key]), has_secret(after[key])
        if was != becomes:
            found.append(Property((SECRECY, key), was, becomes))
    if found:
        yield Change(Operation.UPDATE, STACK, stack, Component(""), old, new, tuple(found))


def of_providers(changes: Sequence[Change]) -> Iterator[Change]:
    """Other versions of default providers: one goes and one comes, or one is updated."""
    by_type: dict[str, list[Change]] = {}
    for one in changes:
        by_type.setdefault(one.type, []).append(one)
    for type_, those in sorted(by_type.items()):
        old = {one.old.get("version", ABSENT) for one in those if one.operation is not Operation.CREATE}
        new = {one.new.get("version", ABSENT) for one in those if one.operation is not Operation.DELETE}
        gone, come = sorted(map(str, old - new - {ABSENT})), sorted(map(str, new - old - {ABSENT}))
        if gone and come:
            found = Property(("version",), ", ".join(gone), ", ".join(come))
            yield Change(Operation.UPDATE, type_, "default", Component(""), properties=(found,))


def reads(document: Mapping[str, Any], project: str, stack: str) -> str:
    """The `project/stack` of another state or preview that reads the outputs of this stack; empty where it does not."""
    deployment = mapping(document.get("deployment"))
    states = [mapping(one) for one in elements(deployment.get("resources"))]
    states += [mapping(step.get("newState") or step.get("oldState")) for step in elements(document.get("steps"))]
    for state in states:
        if state.get("type") != _REFERENCE:
            continue
        name = str(mapping(state.get("inputs")).get("name") or mapping(state.get("outputs")).get("name") or "")
        parts = name.split("/")
        if parts[-1] == stack and (len(parts) < 2 or parts[-2] == project):
            place = str(state.get("urn", "")).split("::")
            own = place[0].removeprefix("urn:pulumi:")
            if len(place) > 1 and (place[1], own) != (project, stack):
                return f"{place[1]}/{own}"
    return ""


def renamed(change: Change) -> dict[str, str]:
    """Outputs that go, each with the new one that has its value."""
    old, new = (mapping(side.get("outputs")) for side in (change.old, change.new))
    added = {repr(value): key for key, value in new.items() if key not in old and not isinstance(value, Mark)}
    return {key: added[repr(value)] for key, value in old.items() if key not in new and repr(value) in added}
