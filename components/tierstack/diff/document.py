"""A report as JSON, for machines: its form has a version, and `docs/diff.schema.json` describes it."""

from collections.abc import Iterator
from typing import Any

from tierstack.diff import details
from tierstack.diff.model import Change, shown_path
from tierstack.diff.report import Report, summary, verdict
from tierstack.diff.risk import Finding
from tierstack.diff.texts import plain

VERSION = 1
"""Of the form. It grows when a key goes or changes its meaning; new keys leave it as it is."""


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
        "left_out": dict(plan.left_out),
        "notes": list(plan.notes),
        "errors": list(plan.errors),
        "warnings": list(plan.warnings),
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
