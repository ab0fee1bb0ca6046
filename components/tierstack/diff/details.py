"""The details of a change as lines: what a property was and will be, `-` and `+` before each."""

import json
from collections.abc import Iterator
from typing import Any

from tierstack.diff.marks import ABSENT, Mark
from tierstack.diff.model import Change, Operation, Property, shown_path
from tierstack.diff.report import VERBS
from tierstack.diff.texts import counted, printable, shown

_MOST_LINES = 40
"""Lines of one property; a new file of a thousand lines says no more than that."""
_MOST_PROPERTIES = 60
_LONGEST = 300


def heading(change: Change) -> tuple[str, str]:
    """`replace` and `Job web-migrate-2 (before: web-migrate-1)`."""
    before = f" (before: {change.previous})" if change.previous and change.previous != change.name else ""
    return VERBS[change.operation], f"{change.kind} {change.name}{before}"


def lines(change: Change) -> Iterator[str]:
    """The properties that change; nothing for what comes or goes as a whole."""
    if change.operation in (Operation.CREATE, Operation.DELETE, Operation.IMPORT):
        return
    visible = [one for one in change.properties if not one.derived] or list(change.properties)
    for one in visible[:_MOST_PROPERTIES]:
        yield from _of_property(one)
    if len(visible) > _MOST_PROPERTIES:
        yield f"  … {counted(len(visible) - _MOST_PROPERTIES, 'more property', 'more properties')}"
    if hidden := len(change.properties) - len(visible):
        follow = (
            "property that follows from these or is a default",
            "properties that follow from these or are defaults",
        )
        yield f"  … {counted(hidden, *follow)}"
    for reason in change.reasons:
        if not any(one.replaces for one in change.properties):
            yield f"  replaced because of {printable(reason)}, which the plan does not show"


def _of_property(one: Property) -> Iterator[str]:
    name = printable(shown_path(one.path))
    forces = "  # forces replacement" if one.replaces else ""
    if one.lines:
        yield f"  {name}:{forces}"
        for line in one.lines[:_MOST_LINES]:
            yield f"{line[0]}   {printable(line[1:])[:_LONGEST]}"
        if len(one.lines) > _MOST_LINES:
            yield f"  … {counted(len(one.lines) - _MOST_LINES, 'more line')}"
        return
    if one.old is not ABSENT:
        yield f"- {name}: {value(one.old)}{forces if one.new is ABSENT else ''}"
    if one.new is not ABSENT:
        yield f"+ {name}: {value(one.new)}{forces}"


def value(given: Any) -> str:
    """A value on one line: as JSON where its type would else be unclear."""
    if isinstance(given, Mark):
        return str(given)
    if isinstance(given, str):
        quoted = (
            given
            if given and given == given.strip() and not given[0].isdigit()
            else json.dumps(given, ensure_ascii=False)
        )
        return shown(quoted, _LONGEST)
    return shown(given, _LONGEST)
