"""From what is known of the dumps to one judgement: are they well, and which is due? Pure; reads no clock.

The agent in the container runs this very file. It imports the standard library only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any

from tierstack.backup_schedule import status
from tierstack.backup_schedule.cron import Cron, parse
from tierstack.backup_schedule.restic import judgement
from tierstack.backup_schedule.restic.judgement import Known
from tierstack.backup_schedule.restic.repository import Snapshot, entries

COMPARED = 7
"""The newest dump is compared with the middle of so many before it. So one small dump does not make the next ones look
right: twice a day, the fault stays for two days."""
_MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is known of the dumps of one name."""

    name: str
    cron: Cron
    snapshots: Sequence[Snapshot] = ()
    """The oldest first."""
    error: str | None = None
    """Why the last attempt failed. None: it did not."""
    tables: int | None = None
    """Tables in the newest dump."""
    seconds: float | None = None
    """How long it took."""
    since: datetime | None = None
    """When the one began that runs now."""
    waiting: bool = False
    """Whether it is of tables, and the database has none yet: its first migrations have not run."""

    @property
    def known(self) -> Known:
        """In the terms of backups of files, which are due and late alike."""
        return Known(snapshots=self.snapshots, backup_error=self.error)


@dataclass(frozen=True, kw_only=True)
class State:
    """All that is known."""

    jobs: Sequence[Job]
    check: Cron
    """When the repository is checked."""
    repository: Known = field(default_factory=Known)
    """What is known of the repository, with the dumps of all names."""
    disk: status.Disk | None = None
    """That of the repository, where it is not in a bucket."""


def state_of(
    settings: Mapping[str, Any],
    jobs: Mapping[str, Any],
    pruned: Mapping[str, Any],
    disk: status.Disk | None = None,
    running: tuple[str, datetime] | None = None,
) -> State:
    """What the files of the agent say. `running`: the dump that is being made, and since when."""
    noted: Mapping[str, Any] = jobs.get("jobs") or {}
    made: list[Job] = []
    for name, one in settings["jobs"].items():
        of: Mapping[str, Any] = noted.get(name) or {}
        made.append(
            Job(
                name=name,
                cron=parse(one["schedule"]),
                snapshots=entries(of.get("snapshots") or []),
                error=of.get("error"),
                tables=of.get("tables"),
                seconds=of.get("seconds"),
                waiting=bool(of.get("waiting")),
                since=running[1] if running and running[0] == name else None,
            )
        )
    every = sorted((one for job in made for one in job.snapshots), key=lambda one: one.began)
    return State(
        jobs=made,
        check=parse(settings["check_schedule"]),
        repository=judgement.known_of(jobs, pruned, every),
        disk=disk,
    )


def due(state: State, now: datetime, failed: Mapping[str, datetime]) -> list[str]:
    """The dumps to make now, by name. `failed`: when the last attempt of each ended, where it failed."""
    return [one.name for one in state.jobs if judgement.backup_due(one.cron, one.known, now, failed.get(one.name))]


def usual_bytes(snapshots: Sequence[Snapshot]) -> float | None:
    """Bytes of the dumps before the newest: the middle of the last ones. None: there are none."""
    before = [one.size_bytes for one in snapshots[:-1]][-COMPARED:]
    return median(before) if before else None


def shrunk(snapshots: Sequence[Snapshot]) -> bool:
    """Whether the newest dump has less than half the bytes of those before it."""
    usual = usual_bytes(snapshots)
    return usual is not None and snapshots[-1].size_bytes * 2 < usual


def faults(state: State, now: datetime) -> list[str]:
    """What is wrong, in words."""
    wrong: list[str] = []
    disk, known = state.disk, state.repository
    if ahead := len(known.snapshots) - len(judgement.past(known, now).snapshots):
        wrong.append(f"{ahead} dumps are of the future: the clock was wrong when they were made")
    if disk and disk.full:
        wrong.append(f"the disk of the dumps is full: {disk.free_bytes // _MIB} of {disk.size_bytes // _MIB} MiB free")
    for one in state.jobs:
        wrong += [f"dump `{one.name}`: {text}" for text in _faults(one, now)]
    return wrong + judgement.repository_faults(state.check, known, now)


def _faults(job: Job, now: datetime) -> list[str]:
    known = judgement.past(job.known, now)
    wrong = [f"the last attempt failed: {job.error}"] if job.error else []
    if late := _lateness(job, known, now):
        wrong.append(late)
    if shrunk(known.snapshots):
        newest, usual = known.snapshots[-1].size_bytes, usual_bytes(known.snapshots) or 0
        wrong.append(
            f"the newest has {newest / _MIB:,.1f} MiB, less than half of the {usual / _MIB:,.1f} MiB of those before it"
        )
    return wrong


def _lateness(job: Job, known: Known, now: datetime) -> str | None:
    late = None if job.waiting else judgement.lateness(job.cron, known, now, job.since)
    return late.replace("backup", "dump") if late else None


def report(state: State, wrong: Sequence[str], now: datetime) -> dict[str, Any]:
    """The status as a document for machines. Times are RFC 3339, in UTC."""
    known, disk = state.repository, state.disk
    return {
        "healthy": not wrong,
        "faults": list(wrong),
        "checked_at": status.stamp(now),
        "dumps": {one.name: _report(one, now) for one in state.jobs},
        "repository_checked_at": known.checked and status.stamp(known.checked),
        "repository_damaged": known.check_error is not None,
        "repository_check_late": judgement.check_late(state.check, known, now),
        "next_check": status.stamp(state.check.following(now)),
        "pruned_at": known.pruned and status.stamp(known.pruned),
        "disk": {"free_bytes": disk and disk.free_bytes, "size_bytes": disk and disk.size_bytes},
    }


def _report(job: Job, now: datetime) -> dict[str, Any]:
    known = judgement.past(job.known, now)
    last = known.snapshots[-1] if known.snapshots else None
    return {
        "count": len(known.snapshots),
        "late": _lateness(job, known, now) is not None,
        "shrunk": shrunk(known.snapshots),
        "failing": job.error is not None,
        "running_since": job.since and status.stamp(job.since),
        "next": status.stamp(job.cron.following(now)),
        "last": last
        and {
            "id": last.id,
            "begin": status.stamp(last.began),
            "size_bytes": last.size_bytes,
            "tables": job.tables,
            "seconds": job.seconds,
        },
    }
