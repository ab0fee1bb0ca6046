"""What removes from a repository what the rules no longer keep.

    python3 -m tierstack.backup_schedule.restic.pruning run | now | health

With a bucket it runs in a container of its own, with a key that deletes; the one that makes backups has none. It shares
the volume of the backups with that one, for restic's cache and to say how it went.
"""

import json
import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tierstack.backup_schedule import keeping
from tierstack.backup_schedule.keeping import say
from tierstack.backup_schedule.restic.repository import CATALOG, CONFIG, RETRY_LOCK, AbsentError, Repository
from tierstack.backup_schedule.status import stamp

DONE = CATALOG / "pruned.json"
PROFILE = "prune"
EVERY_SECONDS = 6 * 3600
RETRY_SECONDS = 300
LATE_SECONDS = 26 * 3600
VERSION_DAYS = 14
"""How long a bucket with versions keeps what was deleted or overwritten: until then it can be brought back."""


def forget(repository: Repository, keep: Mapping[str, int], keep_open: Iterable[int] = ()) -> str:
    """Remove the snapshots that no rule keeps, and what only they needed; what was done. Raises ResticError."""
    rules = [part for name, count in sorted(keep.items()) for part in (f"--keep-{name}", _amount(name, count))]
    # By the tag alone: snapshots of another path or host would be kept as groups of their own, for ever.
    chosen = ["--tag", repository.tag, "--group-by", "tags"]
    repository.run("forget", "--prune", *chosen, *rules, "--retry-lock", RETRY_LOCK, keep_open=keep_open)
    return f"kept by {' '.join(rules)}: {len(repository.snapshots())} backups"


def _amount(name: str, count: int) -> str:
    return f"{count}d" if name == "within" else str(count)


def record(carry_out: Callable[[], str], tell: Callable[[str], object]) -> bool:
    """Carry out a removal and note how it went; whether it succeeded."""
    error = None
    try:
        tell(carry_out())
    except AbsentError:
        tell("there is no repository yet: nothing to remove")
    except Exception as failed:
        error = str(failed)
        tell(f"not pruned: {error}")
    before: dict[str, Any] = json.loads(DONE.read_text()) if DONE.exists() else {}
    at: str | None = before.get("at") if error else stamp(datetime.now(UTC))
    keeping.publish(DONE, {"at": at, "error": error})
    return error is None


def _round() -> str:
    given: dict[str, Any] = json.loads((CONFIG / "settings.json").read_text())
    repository = Repository(given, PROFILE)
    repository.run("cat", "config", "--no-lock", seconds=60)
    repository.remove_locks_of(socket.gethostname())
    repository.run("unlock")  # those of anybody that were not renewed for 30 minutes
    done = forget(repository, given["keep"])
    from tierstack.backup_schedule import prune  # it needs boto3, which is slow to import
    from tierstack.backup_schedule.bucket import Bucket

    bucket = Bucket(given["store"], CONFIG, PROFILE)
    return f"{done}; removed {prune.versions(bucket, datetime.now(UTC) - timedelta(days=VERSION_DAYS))} old versions"


def run() -> None:
    """Prune at the start and every few hours."""
    while True:
        time.sleep(EVERY_SECONDS if record(_round, say) else RETRY_SECONDS)


def health() -> int:
    """0 where the last success is fresh; before the first one 1, which the container's start period forgives."""
    done: dict[str, Any] = json.loads(DONE.read_text()) if DONE.exists() else {}
    print(done.get("error") or "all is well" if done else "nothing was pruned yet")
    return 0 if done.get("at") and datetime.fromisoformat(done["at"]).timestamp() > time.time() - LATE_SECONDS else 1


if __name__ == "__main__":
    verbs: dict[str, Callable[[], int | None]] = {"run": run, "health": health, "now": lambda: not record(_round, say)}
    sys.exit(verbs[sys.argv[1]]())
