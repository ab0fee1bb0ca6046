"""The ledger of drills: a line of JSON each, beside the backups that were restored, never shortened.

The agent in the container runs this very file. It imports the standard library only.
"""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

GOOD, BAD, NOT_VERIFIED = "good", "bad", "not verified"
"""Results of a drill: everything came back as it should; something did not; it could not be carried out."""


def append(path: Path, entry: Mapping[str, Any]) -> None:
    """Add a drill; it is on disk when this returns."""
    with path.open("a") as ledger:
        ledger.write(json.dumps(entry) + "\n")
        ledger.flush()
        os.fsync(ledger.fileno())


def read(path: Path) -> list[dict[str, Any]]:
    """The drills, the oldest first."""
    return parsed(path.read_text()) if path.exists() else []


def parsed(lines: str) -> list[dict[str, Any]]:
    """The drills in the lines of a ledger; a line that a crash cut short is none."""
    found: list[dict[str, Any]] = []
    for line in lines.splitlines():
        with suppress(ValueError):
            found.append(json.loads(line))
    return found


def text(drills: Sequence[Mapping[str, Any]]) -> str:
    """The lines of some drills."""
    return "".join(json.dumps(one) + "\n" for one in drills)


def bytes_per_second(drills: Sequence[Mapping[str, Any]]) -> float | None:
    """How fast the last good drill copied and replayed a base backup of known size. None: there is none."""
    for one in reversed(drills):
        if one["result"] == GOOD and one.get("size_bytes") and one.get("rto_seconds"):
            return one["size_bytes"] / one["rto_seconds"]
    return None
