"""From what Barman reports to one judgement: are the backups well, and is a base backup due?

The agent in the container runs this very file. It imports the standard library only, and reads no clock.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tierstack.backup_schedule.cron import Cron

LATE = timedelta(hours=1)
"""How late a base backup may begin before that is a fault."""
LONGEST_RUN = timedelta(hours=24)
"""How long a base backup may run before its absence is a fault."""
RETRY = timedelta(minutes=5)
"""How long to wait after a failed attempt."""
SEGMENT_BYTES = 16 * 2**20
"""Size of a segment of WAL: PostgreSQL's default, with which the component makes its servers."""
FULL_BYTES = 4 * SEGMENT_BYTES
"""Bytes that are left of a full disk: what a busy primary fills in seconds."""
STALE = timedelta(minutes=5)
"""Age at which a status says nothing any more: the agent writes one every minute."""


@dataclass(frozen=True)
class Backup:
    """A base backup in Barman's catalog."""

    id: str
    begin: datetime
    end: datetime | None
    """To the second, rounded down; None while it runs."""
    status: str
    size_bytes: int

    @property
    def good(self) -> bool:
        """Whether a restore can start from it: copied, and the WAL of its own duration archived."""
        return self.status == "DONE"


def backups(listed: list[dict[str, Any]]) -> list[Backup]:
    """The answer of `barman list-backups`, oldest first. Barman names a backup by its local begin; here that is UTC."""
    found = [
        Backup(
            entry["backup_id"],
            datetime.strptime(entry["backup_id"], "%Y%m%dT%H%M%S").replace(tzinfo=UTC),
            datetime.fromtimestamp(int(entry["end_time_timestamp"]), UTC) if entry.get("end_time_timestamp") else None,
            entry["status"],
            int(entry.get("size_bytes") or 0),
        )
        for entry in listed
    ]
    return sorted(found, key=lambda backup: backup.id)


def newest(found: list[Backup]) -> Backup | None:
    """The newest backup that a restore can start from."""
    return next((backup for backup in reversed(found) if backup.good), None)


def shrunk(found: list[Backup]) -> bool:
    """Whether the newest good backup has less than half the bytes of the good one before it: much was deleted, or it
    lacks something."""
    good = [backup for backup in found if backup.good]
    return len(good) > 1 and good[-1].size_bytes * 2 < good[-2].size_bytes


def continuous(found: list[Backup], unbroken: datetime | None) -> bool:
    """Whether a backup and the WAL since then lead to the present: it began after the last gap (`unbroken`)."""
    last = newest(found)
    return last is not None and (unbroken is None or last.begin >= unbroken)


def starting(found: list[Backup], at: datetime | None) -> Backup | None:
    """The backup that a restore to the moment `at` starts from: the newest that had ended by then."""
    if at is None:
        return newest(found)
    return newest([b for b in found if b.end is not None and b.end + timedelta(seconds=1) <= at])


def due(
    cron: Cron, found: list[Backup], now: datetime, failed_at: datetime | None = None, unbroken: datetime | None = None
) -> bool:
    """Whether to begin a base backup: none since the schedule's last time, which makes up for missed ones, or none
    since WAL arrives without a gap (`unbroken`)."""
    if failed_at is not None and now - failed_at < RETRY:
        return False
    last = newest(found)
    return last is None or last.begin < cron.previous(now) or not continuous(found, unbroken)


@dataclass(frozen=True)
class Disk:
    """The disk that the catalog is on."""

    free_bytes: int
    size_bytes: int

    @property
    def full(self) -> bool:
        """Whether the next WAL may not fit."""
        return self.free_bytes < FULL_BYTES


def faults(
    cron: Cron,
    checks: dict[str, dict[str, str]],
    streamers: list[dict[str, Any]],
    found: list[Backup],
    now: datetime,
    running_since: datetime | None = None,
    unbroken: datetime | None = None,
    disk: Disk | None = None,
    *,
    log: str = "WAL",
) -> list[str]:
    """What is wrong, in words; empty when every moment from the oldest backup to now can be restored. `log`: what the
    engine calls that which leads from a base backup to a moment."""
    wrong = [_full(disk)] if disk and disk.full else []
    wrong += [
        f"{name.replace('_', ' ')}: {check.get('hint') or 'failed'}"
        for name, check in sorted(checks.items())
        if check.get("status") != "OK"
    ]
    if not checks:
        wrong.append("barman check gave no answer")
    if not streaming(streamers):
        wrong.append(f"no {log} is streaming from the primary")
    late = lateness(cron, found, now, running_since, unbroken, log)
    return [*wrong, late] if late else wrong


def streaming(streamers: list[dict[str, Any]]) -> bool:
    """Whether WAL arrives, by what the primary says of its receivers."""
    return any(streamer.get("current_state") == "streaming" for streamer in streamers)


def lateness(
    cron: Cron,
    found: list[Backup],
    now: datetime,
    running_since: datetime | None = None,
    unbroken: datetime | None = None,
    log: str = "WAL",
) -> str | None:
    """Which base backup is missing or overdue, in words; None where none is."""
    last = newest(found)
    patience = LATE if running_since is None or now - running_since > LONGEST_RUN else LONGEST_RUN
    if last is None:
        return "there is no base backup"
    if not continuous(found, unbroken):
        return f"{log} was interrupted until {unbroken and stamp(unbroken)}, and no base backup has followed"
    if last.begin < cron.previous(now - patience):
        return f"the last base backup began at {stamp(last.begin)}, before the schedule's last time"
    return None


def _full(disk: Disk) -> str:
    free, size = disk.free_bytes // 2**20, disk.size_bytes // 2**20
    return f"the catalog's disk is full: {free} of {size} MiB are free; add disk, or shorten `retention_days`"


def report(
    cron: Cron,
    found: list[Backup],
    streamers: list[dict[str, Any]],
    wrong: list[str],
    now: datetime,
    running_since: datetime | None,
    unbroken: datetime | None = None,
    disk: Disk | None = None,
) -> dict[str, Any]:
    """The status as a document for machines: `status.json` in the catalog. Times are RFC 3339, in UTC."""
    good = [backup for backup in found if backup.good]
    last = good[-1] if good else None
    return {
        "healthy": not wrong,
        "faults": wrong,
        "wal_streaming": streaming(streamers),
        "base_backup_late": lateness(cron, found, now, running_since, unbroken) is not None,
        "base_backup_shrunk": shrunk(found),
        "checked_at": stamp(now),
        "backups": len(good),
        "restorable_from": stamp(good[0].end + timedelta(seconds=1)) if good and good[0].end else None,
        "last_backup": last and {"id": last.id, "begin": stamp(last.begin), "size_bytes": last.size_bytes},
        "running_since": stamp(running_since) if running_since else None,
        "next_backup": stamp(cron.following(now)),
        "wal_lag_bytes": max((abs(int(s.get("write_lsn_diff_bytes") or 0)) for s in streamers), default=None),
        "catalog": {
            "free_bytes": disk.free_bytes if disk else None,
            "size_bytes": disk.size_bytes if disk else None,
        },
    }


def well(document: dict[str, Any], now: datetime) -> bool:
    """Whether a status document says that all is well, and is fresh enough to be believed."""
    return bool(document["healthy"]) and now - datetime.fromisoformat(document["checked_at"]) < STALE


def stamp(at: datetime) -> str:
    """RFC 3339 in UTC, to the second."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
