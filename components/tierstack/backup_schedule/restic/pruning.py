"""What removes from a repository what the rules no longer keep.

    python3 -m tierstack.backup_schedule.restic.pruning run | now | health

With a bucket it runs in a container of its own, with a key that deletes; the one that makes backups has none. It shares
the volume of the backups with that one, for restic's cache and to say how it went.
"""

import json
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tierstack.backup_schedule import rounds
from tierstack.backup_schedule.output import say
from tierstack.backup_schedule.restic.repository import CATALOG, CONFIG, RETRY_LOCK, AbsentError, Repository

DONE = CATALOG / "pruned.json"
PROFILE = "prune"
VERSION_DAYS = 14
"""How long a bucket with versions keeps what was deleted or overwritten: until then it can be brought back."""


def tag_of(dump: str) -> str:
    """Tag of the dumps of a name, where a repository has several kinds of snapshots."""
    return f"dump-{dump}"


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
    return rounds.record(DONE, carry_out, tell)


def policies(given: Mapping[str, Any]) -> dict[str, Mapping[str, int]]:
    """The rules of the settings, by the tag of the snapshots that they are for."""
    if "jobs" in given:
        return {tag_of(name): job["keep"] for name, job in given["jobs"].items()}
    return {given["tag"]: given["keep"]}


def _round() -> str:
    given: dict[str, Any] = json.loads((CONFIG / "settings.json").read_text())
    repository = Repository(given, PROFILE)
    try:
        repository.run("cat", "config", "--no-lock", seconds=60)
    except AbsentError:
        return "there is no repository yet: nothing to remove"
    repository.remove_locks_of(socket.gethostname())
    repository.run("unlock")  # those of anybody that were not renewed for 30 minutes
    done = "; ".join(forget(Repository({**given, "tag": tag}, PROFILE), keep) for tag, keep in policies(given).items())
    from tierstack.backup_schedule import pruning  # here, because health checks come often and need none of it
    from tierstack.backup_schedule.bucket import Bucket

    bucket = Bucket(given["store"], CONFIG, PROFILE)
    return f"{done}; removed {pruning.versions(bucket, datetime.now(UTC) - timedelta(days=VERSION_DAYS))} old versions"


def health() -> int:
    """0 where the last success is fresh."""
    return rounds.health(DONE)


if __name__ == "__main__":
    verbs: dict[str, Callable[[], int | None]] = {
        "run": lambda: rounds.run(DONE, _round),
        "health": health,
        "now": lambda: not record(_round, say),
    }
    sys.exit(verbs[sys.argv[1]]())
