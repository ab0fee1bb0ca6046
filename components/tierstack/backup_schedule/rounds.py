"""What the containers do alike that remove old backups every few hours: rounds, and how the last one went.

It runs in the container, with Python's standard library alone: their health checks come often.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tierstack.backup_schedule.output import publish, say
from tierstack.backup_schedule.status import stamp

EVERY_SECONDS = 6 * 3600
RETRY_SECONDS = 300
LATE = timedelta(hours=26)
"""How long no round may succeed before that is a fault."""


def run(done: Path, carry_out: Callable[[], str]) -> None:
    """A round at the start and every few hours, noted in the file `done`."""
    while True:
        time.sleep(EVERY_SECONDS if record(done, carry_out, say) else RETRY_SECONDS)


def record(done: Path, carry_out: Callable[[], str], tell: Callable[[str], object]) -> bool:
    """Carry out a round, and note when the last one succeeded and why this one failed; whether it succeeded."""
    error = None
    try:
        tell(carry_out())
    except Exception as failed:
        error = str(failed)
        tell(f"not pruned: {error}")
    before: dict[str, Any] = json.loads(done.read_text()) if done.exists() else {}
    at: str | None = before.get("at") if error else stamp(datetime.now(UTC))
    publish(done, {"at": at, "error": error})
    return error is None


def health(done: Path) -> int:
    """0 where the last success is fresh; before the first one 1, which the container's start period forgives."""
    noted: dict[str, Any] = json.loads(done.read_text()) if done.exists() else {}
    print((noted.get("error") or "all is well") if noted else "nothing was pruned yet")
    fresh = noted.get("at") and datetime.now(UTC) - datetime.fromisoformat(noted["at"]) < LATE
    return 0 if fresh else 1
