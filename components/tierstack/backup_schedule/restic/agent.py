"""What runs in the container beside an application's files: restic at the right times, and a status for others.

    python3 -m tierstack.backup_schedule.restic.agent run | backup | check | health | record | drills

It needs restic and the standard library. Settings are read anew every minute, so that a changed schedule needs no
restart. A job is a process of its own, so that what it held of memory is free afterwards.
"""

import contextlib
import fcntl
import json
import socket
import sys
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tierstack.backup_schedule import cron, keeping, metrics
from tierstack.backup_schedule.keeping import HELD
from tierstack.backup_schedule.output import publish, say
from tierstack.backup_schedule.restic import figures, judgement, pruning
from tierstack.backup_schedule.restic.repository import (
    CATALOG,
    CONFIG,
    OURS,
    RETRY_LOCK,
    SOURCE,
    IncompleteError,
    Repository,
    ResticError,
    entries,
)
from tierstack.backup_schedule.status import stamp

STATUS = CATALOG / "status.json"
"""A link to `HELD`."""
DRILLS = CATALOG / "drills.jsonl"
JOBS = CATALOG / "jobs.json"
"""What the jobs found."""
BUSY = CATALOG / "busy"
"""File that is locked while a job runs, and while a restic runs whose job was killed."""
PROFILE = "write"


def settings() -> dict[str, Any]:
    """The settings as the component wrote them."""
    return json.loads((CONFIG / "settings.json").read_text())


def read(path: Path) -> dict[str, Any]:
    """A file of the jobs; empty before the first."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


def write(path: Path, document: dict[str, Any]) -> None:
    """Replace a file of the jobs, so that nobody reads half of it."""
    publish(path, document)


@contextlib.contextmanager
def alone() -> Generator[int]:
    """One job at a time in this container: the file that says so. Raises BlockingIOError beside another one."""
    with BUSY.open("w") as busy:
        fcntl.flock(busy, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield busy.fileno()


def opened(repository: Repository) -> None:
    """Make sure that the repository answers, and has no lock of a restic of this container that was killed."""
    repository.open()
    if removed := repository.remove_locks_of(socket.gethostname()):
        say(f"removed {len(removed)} locks of a job that was killed")


def backup() -> int:
    """One backup, and what a volume as the repository no longer has to keep."""
    return _job("backup", _backup)


def check() -> int:
    """Look whether the repository is whole, and read the next part of its data."""
    return _job("check", _check)


def _job(kind: str, carry_out: Any) -> int:
    """Carry out a job beside no other, and note what it found."""
    try:
        with alone() as busy:
            jobs = read(JOBS)
            try:
                jobs = carry_out(Repository(settings(), PROFILE), jobs, busy)
            except Exception as error:  # whatever it is, it is told: an agent that is silent looks well
                said = str(error) if isinstance(error, ResticError) else f"{type(error).__name__}: {error}"
                say(f"{kind} failed: {said}")
                with contextlib.suppress(OSError):  # a full disk is told by itself
                    write(JOBS, {**jobs, f"{kind}_error": said})
                return 1
            write(JOBS, jobs)
            return 0
    except BlockingIOError:
        say(f"{kind}: another job runs")
        return 1


def _backup(repository: Repository, jobs: dict[str, Any], busy: int) -> dict[str, Any]:
    given = settings()
    opened(repository)
    excluded = [f"--exclude={SOURCE}/{OURS}*", *(f"--exclude={one}" for one in given["exclude"])]
    # A name of its own: that of a container changes with it, and then nothing would be pruned any more.
    named = ["--host", repository.host, "--tag", repository.tag, "--retry-lock", RETRY_LOCK]
    unreadable, said = 0, ""
    try:
        said = repository.run("backup", "--json", "--no-scan", *named, *excluded, str(SOURCE), keep_open=[busy])
    except IncompleteError as error:
        unreadable = error.files
    found = repository.snapshots()
    if found:
        last = found[-1]
        say(f"backup {last.id[:8]}: {last.files:,} files, {last.size_bytes / 2**20:.1f} MiB{_added(said)}")
    noted = {**jobs, "snapshots": [one.as_entry() for one in found], "backup_error": None, "unreadable": unreadable}
    if not given.get("store"):
        write(JOBS, noted)
        pruning.record(lambda: pruning.forget(repository, given["keep"], keep_open=[busy]), say)
        noted["snapshots"] = [one.as_entry() for one in repository.snapshots()]
    return noted


def _added(said: str) -> str:
    for line in reversed(said.splitlines()):
        with contextlib.suppress(ValueError):
            document = json.loads(line)
            if document.get("message_type") == "summary":
                return f", {document.get('data_added_packed', 0) / 2**20:.1f} MiB new"
    return ""


def _check(repository: Repository, jobs: dict[str, Any], busy: int) -> dict[str, Any]:
    opened(repository)
    parts: int = settings()["check_parts"]
    part = jobs.get("check_part", 0) % parts + 1
    now = stamp(datetime.now(UTC))
    subset = ["--read-data-subset", f"{part}/{parts}"]
    try:
        repository.run("check", *subset, "--retry-lock", RETRY_LOCK, keep_open=[busy])
    except ResticError as error:
        # Not again in five minutes: what is damaged stays so, and each check reads a part of everything.
        say(f"check failed: {error}")
        return {**jobs, "check_error": str(error), "checked": now}
    say(f"check: whole; read part {part} of {parts}")
    return {**jobs, "check_error": None, "checked": now, "check_part": part}


class State(keeping.Backups):
    """What one minute has to know of the one before."""

    def tick(self) -> list[str]:
        """One look at everything; the faults. Never raises: an agent that is gone could not say what is wrong."""
        self.collect()
        given = settings()
        when, checking = cron.parse(given["schedule"]), cron.parse(given["check_schedule"])
        jobs, now = read(JOBS), datetime.now(UTC)
        known = judgement.known_of(jobs, read(pruning.DONE), entries(jobs.get("snapshots") or []))
        disk = None if given.get("store") else keeping.disk_of(CATALOG)
        if self.job is None and not (disk and disk.full):
            if judgement.backup_due(when, known, now, self.failed_at):
                self.begin(__spec__.name)
            elif judgement.check_due(checking, known, now, self.failed_at):
                self.begin(__spec__.name, "check")
        wrong = judgement.faults(when, checking, known, now, self.since, disk)
        publish(HELD, judgement.report(when, checking, known, wrong, now, self.since, disk))
        return wrong


def run() -> None:
    """Make backups and checks when they are due, and say once a minute how things are."""
    keeping.link(STATUS, HELD)
    metrics.serve(lambda: keeping.page(HELD, DRILLS, settings()["labels"], figures.text))
    state = State()
    keeping.watch(state.tick, state)


def main() -> int:
    """One verb, its exit code."""
    verbs: keeping.Verbs = {
        "run": run,
        "backup": backup,
        "check": check,
        "health": lambda: keeping.health(HELD),
    }
    return keeping.command_line(__doc__, verbs, DRILLS)


if __name__ == "__main__":
    sys.exit(main())
