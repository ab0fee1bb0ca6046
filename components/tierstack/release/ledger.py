"""The ledger of releases (pure): lines of JSON that are only ever added, and what they say together.

A release writes a line when it begins, one for each step, and one when it ends. So a release whose driver was killed is
there too, with the steps that it made.
"""

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

Entry = Mapping[str, Any]
BEGAN, STEP, ENDED = "began", "step", "ended"
"""What a line says."""
FINISHED, TAKEN_BACK, ROLLED_BACK, FAILED, INTERRUPTED = (
    "finished",
    "taken back",
    "rolled back",
    "failed",
    "interrupted",
)
"""How a release ended: it takes all requests; the driver took it back; somebody went back; it could be neither finished
nor taken back; it ended before its first step."""


def began(
    id: str, *, at: str, by: str, kind: str, strategy: str, old: Entry, approved_by: str | None, notes: Sequence[str]
) -> Entry:
    """The first line. `kind`: `release` or `rollback`. `old`: `name`, `image` and `description` of what it takes the
    place of, which is what a rollback goes back to. `notes`: what somebody has allowed for it, such as another time."""
    entry = {"event": BEGAN, "id": id, "at": at, "by": by, "kind": kind, "strategy": strategy, "old": dict(old)}
    return {**entry, **({"approved_by": approved_by} if approved_by else {}), **({"notes": [*notes]} if notes else {})}


def step(id: str, *, at: str, title: str, weight: int, seconds: float, verdict: str, figures: Entry) -> Entry:
    """The line of a step that went well."""
    return {
        "event": STEP,
        "id": id,
        "at": at,
        "title": title,
        "weight": weight,
        "seconds": round(seconds, 1),
        "verdict": verdict,
        **figures,
    }


def ended(
    id: str, *, at: str, outcome: str, new: Entry | None, reason: str = "", seconds: float | None = None, **figures: Any
) -> Entry:
    """The last line. `new`: name, image and description of what runs now. `seconds`: from the finding to the moment
    when the old release had all requests, where it was taken back."""
    entry = {"event": ENDED, "id": id, "at": at, "outcome": outcome, "new": dict(new) if new else None, **figures}
    return {
        **entry,
        **({"reason": reason} if reason else {}),
        **({"seconds": round(seconds, 1)} if seconds is not None else {}),
    }


def parsed(lines: str) -> list[dict[str, Any]]:
    """The lines of a ledger; one that a crash cut short is none."""
    found: list[dict[str, Any]] = []
    for line in lines.splitlines():
        with suppress(ValueError):
            found.append(json.loads(line))
    return found


def as_line(entry: Entry) -> str:
    """An entry as it stands in the ledger."""
    return json.dumps(entry, separators=(",", ":")) + "\n"


def releases(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """The releases that a ledger tells of, the oldest first: the first line of each, with its `steps` and its `end`,
    which is None where it has none."""
    found: dict[str, dict[str, Any]] = {}
    for one in entries:
        known = found.setdefault(str(one["id"]), {"id": one["id"], "steps": [], "end": None})
        if one["event"] == BEGAN:
            known |= {key: value for key, value in one.items() if key != "event"}
        elif one["event"] == STEP:
            known["steps"].append(one)
        else:
            known["end"] = one
    return list(found.values())


def unended(entries: Iterable[Entry]) -> dict[str, Any] | None:
    """The last release, where it has no end."""
    found = releases(entries)
    return found[-1] if found and found[-1]["end"] is None else None


def versions(entries: Iterable[Entry], running: str, keep: int) -> list[dict[str, Any]]:
    """What it can be gone back to, the newest first: `name`, `image`, `description` and `at`, the time until which it
    ran. Each stands there once, and without the release `running`; at most `keep`."""
    found: dict[str, dict[str, Any]] = {}
    for one in releases(entries):
        old, end = one.get("old"), one["end"]
        if old and end and end["outcome"] in (FINISHED, ROLLED_BACK):
            found.pop(old["name"], None)
            found[old["name"]] = {**old, "at": end["at"]}
    return [one for one in reversed(found.values()) if one["name"] != running][:keep]


def usual_update_seconds(entries: Iterable[Entry]) -> float | None:
    """How long an update of a release took, the median of the last ones. None: there was none."""
    found = [float(one["update_seconds"]) for one in entries if "update_seconds" in one]
    return statistics.median(found[-9:]) if found else None


def lines(entries: Iterable[Entry]) -> list[str]:
    """The releases for people, the newest last."""
    said: list[str] = []
    for one in releases(entries):
        end = one["end"] or {"outcome": "not ended", "new": None, "at": one.get("at", "?")}
        old, new = cast(Entry, one.get("old") or {}), cast(Entry, end["new"] or {})
        to = f"{old.get('name', '?')} → {new.get('name', '?')}" if end["outcome"] in (FINISHED, ROLLED_BACK) else ""
        kept = to or f"{old.get('name', '?')} stays"
        reached = f", after its step {one['steps'][-1]['title']}" if one["steps"] and not to else ""
        why = f": {end['reason']}" if end.get("reason") else ""
        approved = f", approved by {one['approved_by']}" if one.get("approved_by") else ""
        how = f"{one.get('strategy') or one.get('kind', '?')}"
        said.append(
            f"{end['at']}  {end['outcome']:<11}  {how:<10}  {kept}  by {one.get('by', '?')}{approved}{reached}{why}"
        )
    return said
