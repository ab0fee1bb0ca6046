"""From what is known of a repository to one judgement: are the backups well, and what is due? Pure; reads no clock.

The agent in the container runs this very file. It imports the standard library only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from tierstack.backup_schedule import rounds, status
from tierstack.backup_schedule.cron import Cron
from tierstack.backup_schedule.restic.repository import Snapshot

AHEAD = timedelta(minutes=5)
"""How far a backup may lie in the future before the clock was wrong when it was made."""
_MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of a repository."""

    snapshots: Sequence[Snapshot] = ()
    backup_error: str | None = None
    """Why the last backup failed. None: it did not."""
    unreadable: int = 0
    """Files that the last backup could not read."""
    checked: datetime | None = None
    """When the repository was last found to be whole."""
    check_error: str | None = None
    """What the last check found. None: nothing."""
    pruned: datetime | None = None
    """When what the rules no longer keep was last removed."""
    prune_error: str | None = None
    """Why the last removal failed."""


def past(known: Known, now: datetime) -> Known:
    """Without backups of the future: a clock that was wrong would keep every later one from being due."""
    return replace(known, snapshots=[one for one in known.snapshots if one.began <= now + AHEAD])


def of_status(found: Sequence[Snapshot]) -> list[status.Backup]:
    """The snapshots in the terms of base backups, which are due and shrink alike."""
    return [status.Backup(one.id, one.began, one.began, "DONE", one.size_bytes) for one in found]


def backup_due(cron: Cron, known: Known, now: datetime, failed_at: datetime | None) -> bool:
    """Whether to begin a backup: none since the schedule's last time, which makes up for missed ones."""
    return status.due(cron, of_status(past(known, now).snapshots), now, failed_at)


def check_due(cron: Cron, known: Known, now: datetime, failed_at: datetime | None) -> bool:
    """Whether to begin a check. A repository without a snapshot has nothing to be checked; the first check comes at
    the schedule's next time after the first backup."""
    if not known.snapshots or (failed_at is not None and now - failed_at < status.RETRY):
        return False
    since = known.checked or known.snapshots[0].began
    return since < cron.previous(now)


def faults(
    cron: Cron, check: Cron, known: Known, now: datetime, since: datetime | None = None, disk: status.Disk | None = None
) -> list[str]:
    """What is wrong, in words. `since`: when the backup began that runs now; `disk`: that of the repository, where it
    is not in a bucket."""
    wrong: list[str] = []
    if (ahead := len(known.snapshots) - len((known := past(known, now)).snapshots)) > 0:
        wrong.append(f"{ahead} backups are of the future: the clock was wrong when they were made")
    if disk and disk.full:
        wrong.append(
            f"the disk of the backups is full: {disk.free_bytes // _MIB} of {disk.size_bytes // _MIB} MiB free"
        )
    if known.backup_error:
        wrong.append(f"the last backup failed: {known.backup_error}")
    if late := lateness(cron, known, now, since):
        wrong.append(late)
    if known.unreadable:
        wrong.append(f"the last backup lacks {known.unreadable} files, which the application's user may not read")
    if shrunk(known):
        before, last = known.snapshots[-2], known.snapshots[-1]
        wrong.append(
            f"the newest backup has {last.files:,} files and {last.size_bytes / _MIB:,.1f} MiB, less than half of the "
            f"{before.files:,} files and {before.size_bytes / _MIB:,.1f} MiB of the one before"
        )
    return wrong + repository_faults(check, known, now)


def repository_faults(check: Cron, known: Known, now: datetime) -> list[str]:
    """What is wrong with the repository itself, in words."""
    wrong: list[str] = []
    if known.check_error:
        wrong.append(f"the repository is damaged, or cannot be read: {known.check_error}")
    elif check_late(check, known, now):
        wrong.append("the repository was not checked at the schedule's last time")
    if known.prune_error:
        wrong.append(f"nothing is pruned: {known.prune_error}")
    elif known.pruned and now - known.pruned > rounds.LATE:
        wrong.append(f"nothing was pruned since {status.stamp(known.pruned)}")
    return wrong


def lateness(cron: Cron, known: Known, now: datetime, since: datetime | None = None) -> str | None:
    """Which backup is missing or overdue, in words; None where none is."""
    if not known.snapshots:
        return "there is no backup yet"
    running = since is not None and now - since <= status.LONGEST_RUN
    last = known.snapshots[-1]
    if last.began < cron.previous(now - (status.LONGEST_RUN if running else status.LATE)):
        return f"the last backup began at {status.stamp(last.began)}, before the schedule's last time"
    return None


def shrunk(known: Known) -> bool:
    """Whether the newest backup has less than half the bytes, or the files, of the one before."""
    if len(known.snapshots) < 2:
        return False
    before, last = known.snapshots[-2], known.snapshots[-1]
    return last.size_bytes * 2 < before.size_bytes or last.files * 2 < before.files


def check_late(check: Cron, known: Known, now: datetime) -> bool:
    """Whether a check is overdue by more than a day: it may take hours, and waits for a backup."""
    return check_due(check, known, now - status.LONGEST_RUN, None)


def report(
    cron: Cron,
    check: Cron,
    known: Known,
    wrong: Sequence[str],
    now: datetime,
    since: datetime | None,
    disk: status.Disk | None,
) -> dict[str, Any]:
    """The status as a document for machines. Times are RFC 3339, in UTC."""
    known = past(known, now)
    first, last = (known.snapshots[0], known.snapshots[-1]) if known.snapshots else (None, None)
    return {
        "healthy": not wrong,
        "faults": list(wrong),
        "checked_at": status.stamp(now),
        "backups": len(known.snapshots),
        "backup_late": lateness(cron, known, now, since) is not None,
        "backup_shrunk": shrunk(known),
        "unreadable_files": known.unreadable,
        "restorable_from": first and status.stamp(first.began),
        "last_backup": last
        and {"id": last.id, "begin": status.stamp(last.began), "size_bytes": last.size_bytes, "files": last.files},
        "running_since": since and status.stamp(since),
        "next_backup": status.stamp(cron.following(now)),
        "repository_checked_at": known.checked and status.stamp(known.checked),
        "repository_damaged": known.check_error is not None,
        "repository_check_late": check_late(check, known, now),
        "next_check": status.stamp(check.following(now)),
        "pruned_at": known.pruned and status.stamp(known.pruned),
        "disk": {"free_bytes": disk and disk.free_bytes, "size_bytes": disk and disk.size_bytes},
    }


def known_of(jobs: Mapping[str, Any], pruning: Mapping[str, Any], found: Sequence[Snapshot]) -> Known:
    """What the files of the jobs say."""

    def at(value: Any) -> datetime | None:
        return datetime.fromisoformat(value) if value else None

    return Known(
        snapshots=found,
        backup_error=jobs.get("backup_error"),
        unreadable=jobs.get("unreadable") or 0,
        checked=at(jobs.get("checked")),
        check_error=jobs.get("check_error"),
        pruned=at(pruning.get("at")),
        prune_error=pruning.get("error"),
    )
