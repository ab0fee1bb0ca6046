"""A report as JSON, for machines: its form has a version, and `docs/diff.schema.json` describes it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from tierstack.diff import details
from tierstack.diff.markdown import LIMIT, MARKER, comment
from tierstack.diff.model import Change, shown_path
from tierstack.diff.noise import STACK
from tierstack.diff.report import Report, summary, unjudged, verdict
from tierstack.diff.risk import WORST, Finding, Risk
from tierstack.diff.texts import plain

VERSION = 1
"""Of the form. It grows when a key goes or changes its meaning; new keys leave it as it is."""

_ROOM = 300
"""Characters of a comment that are left to who posts it."""


@dataclass(frozen=True)
class Written:
    """What of a report is enough to post it, and to end as its own run did."""

    comment: str
    classes: tuple[Risk, ...]
    failed: bool


def written(report: Report) -> Written:
    """Of a report that is made now."""
    return Written(comment(report, LIMIT - _ROOM), tuple(report.classes()), bool(report.plan.errors))


def read_back(text: str) -> Written:
    """Of a report that was written as JSON. Raises ValueError where it is none: whoever posts it may not trust it."""
    given: Any = json.loads(text)
    if not isinstance(given, Mapping) or cast(Mapping[str, Any], given).get("version") != VERSION:
        raise ValueError(f"is no report of version {VERSION}; make it with `tierstack diff -o report.json`")
    report = cast(Mapping[str, Any], given)
    said, classes = report.get("comment"), report.get("classes")
    if not isinstance(said, str) or not MARKER.match(said) or len(said.encode("utf-16-le")) // 2 > LIMIT - _ROOM:
        raise ValueError("has no `comment` that can be posted; make it with `tierstack diff -o report.json`")
    if not isinstance(classes, list) or not all(one in WORST for one in cast(list[Any], classes)):
        raise ValueError(f"has other `classes` than {', '.join(WORST)}")
    return Written(said, tuple(Risk(one) for one in cast(list[str], classes)), report.get("result") != "succeeded")


def document(report: Report) -> dict[str, Any]:
    """The whole report."""
    plan, cost = report.plan, report.cost
    return {
        "version": VERSION,
        "project": plan.project,
        "stack": plan.stack,
        "result": "failed" if plan.errors else "succeeded",
        "verdict": plain(verdict(report)),
        "summary": summary(report),
        "worst": report.worst.value if report.worst else None,
        "classes": [one.value for one in report.classes()],
        "changes": {operation.value: count for operation, count in report.counts.items()},
        "unchanged": plan.unchanged_count,
        "findings": [_finding(one) for one in report.findings],
        "cost": {
            "whole_stack": cost.whole,
            "before": {"cpu": cost.before.cpu, "memory_bytes": cost.before.memory, "disk_bytes": cost.before.disk},
            "after": {"cpu": cost.after.cpu, "memory_bytes": cost.after.memory, "disk_bytes": cost.after.disk},
        },
        "components": [
            {"name": one.component.name, "kind": one.component.kind, "says": plain(one.says)}
            for one in report.sentences
        ],
        "resources": [_change(one) for one in plan.changes],
        "outputs": [found for one in plan.beside if one.type == STACK for found in _properties(one)],
        "readers": list(plan.readers),
        "tier": {"before": plan.tier[0], "after": plan.tier[1]} if plan.tier else None,
        "left_out": dict(plan.left_out),
        "notes": [plain(one) for one in (*plan.notes, *unjudged(plan))],
        "errors": list(plan.errors),
        "warnings": list(plan.warnings),
        "comment": comment(report, LIMIT - _ROOM),
    }


def _finding(one: Finding) -> dict[str, Any]:
    return {
        "rule": one.rule,
        "class": one.risk.value,
        "resources": [{"kind": each.kind, "name": each.name, "component": each.component.name} for each in one.changes],
        "what": plain(one.what),
        "because": [
            {"path": shown_path(p.path), "old": details.value(p.old), "new": details.value(p.new)} for p in one.because
        ]
        or [{"path": reason, "old": "", "new": ""} for reason in one.reasons],
        "instead": plain(one.instead),
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "operation": change.operation.value,
        "type": change.type,
        "name": change.name,
        "component": change.component.name,
        "previous": change.previous,
        "properties": list(_properties(change)),
    }


def _properties(change: Change) -> Iterator[dict[str, Any]]:
    for one in change.properties:
        yield {
            "path": shown_path(one.path),
            "old": None if one.lines else details.value(one.old),
            "new": None if one.lines else details.value(one.new),
            "lines": list(one.lines),
            "forces_replacement": one.replaces,
        }
