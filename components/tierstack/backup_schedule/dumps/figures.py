"""The state of dumps for Prometheus. The agent in the container runs this very file."""

from collections.abc import Mapping
from typing import Any

from tierstack.backup_schedule.metrics import seconds
from tierstack.backup_schedule.restic.figures import HELP, of_repository

PREFIX = "tierstack_dumps"
_HELP = {
    "healthy": "1 while the newest dumps are as their schedules want them, and the repository whole.",
    "late": "1 while a dump is missing or overdue.",
    "shrunk": "1 while the newest dump has less than half the bytes of those before it.",
    "failing": "1 while the last attempt failed.",
    "count": "Dumps in the repository.",
    "last_bytes": "Bytes of the newest dump, before compression.",
    "last_tables": "Tables in the newest dump.",
    "last_seconds": "How long the newest dump took.",
    "last_timestamp_seconds": "When the newest dump began.",
    **HELP,
    "repository_checked_timestamp_seconds": "When the newest dumps were last read back, and the repository checked.",
}


def values(document: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """The metrics in a status document: by name, then by the dump; those of all dumps have an empty one. What is not
    known is left out."""
    nothing: dict[str, Any] = {}
    found: dict[str, dict[str, Any]] = {
        "healthy": {"": document["healthy"]},
        **{what: {"": value} for what, value in of_repository(document).items()},
    }
    for name, one in document["dumps"].items():
        last = one["last"] or nothing
        of: dict[str, Any] = {
            **{what: one[what] for what in ("late", "shrunk", "failing", "count")},
            "last_bytes": last.get("size_bytes"),
            "last_tables": last.get("tables"),
            "last_seconds": last.get("seconds"),
            "last_timestamp_seconds": seconds(last.get("begin")),
        }
        for what, value in of.items():
            found.setdefault(what, {})[name] = value
    known = {
        what: {name: float(value) for name, value in by.items() if value is not None} for what, by in found.items()
    }
    return {what: by for what, by in known.items() if by}


def text(document: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """The page that Prometheus reads. What is of one dump has the label `dump`."""
    lines: list[str] = []
    for what, by in values(document).items():
        metric = f"{PREFIX}_{what}"
        lines += [f"# HELP {metric} {_HELP[what]}", f"# TYPE {metric} gauge"]
        for name, value in by.items():
            given = {**labels, **({"dump": name} if name else {})}
            shown = ",".join(f'{key}="{one}"' for key, one in sorted(given.items()))
            lines.append(f"{metric}{{{shown}}} {value:.15g}")
    return "\n".join(lines) + "\n"
