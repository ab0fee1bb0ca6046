"""Events of the engine as the document that `pulumi preview --json` prints, with the outputs of the stack besides.

Only the events have the outputs that a stack will have. The engine writes them, a line each, with
`PULUMI_ENABLE_STREAMING_JSON_PREVIEW=true pulumi preview --json`.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from tierstack.diff.noise import STACK

OUTPUTS = "stackOutputs"
"""The key of the document with the outputs of the stack: `old` and `new`."""
_COLOR = re.compile(r"<\{%[a-z0-9 ]*%\}>|\x1b\[[0-9;]*m")

Event = Mapping[str, Any]


def events(text: str) -> list[Event]:
    """The events in what the engine printed, other lines left aside; none where it printed a document."""
    found: list[Event] = []
    for line in text.splitlines():
        if not line.startswith('{"'):
            continue
        try:
            one: Any = json.loads(line)
        except ValueError:
            continue
        if isinstance(one, dict) and "sequence" in one and "timestamp" in one:
            found.append(cast(Event, one))
    return found


def document(given: Iterable[Event]) -> dict[str, Any]:
    """The document, with `steps`, `diagnostics` and `changeSummary` as the engine would print them."""
    steps: list[dict[str, Any]] = []
    diagnostics: list[Any] = []
    summary: Mapping[str, int] = {}
    outputs: dict[str, Any] | None = None
    for event in given:
        if "resourcePreEvent" in event:
            steps.append(_step(_metadata(event["resourcePreEvent"])))
        elif "resOutputsEvent" in event:
            state = _metadata(event["resOutputsEvent"])
            if state.get("type") == STACK:  # the last one has what the program hands out
                outputs = {key: _outputs(state.get(key)) for key in ("old", "new")}
        elif "diagnosticEvent" in event:
            diagnostics += _diagnostic(event["diagnosticEvent"])
        elif "summaryEvent" in event:
            summary = event["summaryEvent"].get("resourceChanges") or {}
    found = {"steps": steps, "diagnostics": diagnostics, "changeSummary": dict(summary)}
    return {**found, OUTPUTS: outputs} if outputs is not None else found


def _step(metadata: Event) -> dict[str, Any]:
    replaced = [str(key) for key in cast(list[Any], metadata.get("keys") or [])]
    detailed = cast(Mapping[str, Event], metadata.get("detailedDiff") or {})
    kinds = {path: {"kind": one.get("diffKind", "update")} for path, one in detailed.items()}
    step: dict[str, Any] = {"op": metadata["op"], "urn": metadata["urn"], "detailedDiff": kinds}
    for key, name in (("old", "oldState"), ("new", "newState")):
        if state := cast(dict[str, Any], metadata.get(key) or {}):
            step[name] = {**state, "custom": bool(state.get("custom"))}  # which events leave out where it is false
    differing = [str(key) for key in cast(list[Any], metadata.get("diffs") or [])]
    return step | ({"replaceReasons": replaced} if replaced else {}) | ({"diffReasons": differing} if differing else {})


def _metadata(event: Event) -> Event:
    return cast(Event, event.get("metadata") or {})


def _outputs(state: Event | None) -> Mapping[str, Any]:
    return (state or {}).get("outputs") or {}


def _diagnostic(event: Event) -> Iterator[dict[str, Any]]:
    if not event.get("ephemeral"):
        text = _COLOR.sub("", f"{event.get('prefix') or ''}{event.get('message') or ''}")
        yield {"message": text, "severity": str(event.get("severity", "")), "urn": event.get("urn", "")}
