"""Backups of files: found in the state of a stack, and restored aside or in the place of what there is."""

import contextlib
import json
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tierstack.backup_schedule import ledger
from tierstack.backup_schedule.engine import Step
from tierstack.backup_schedule.restic import restore
from tierstack.backup_schedule.restic.files import BEFORE
from tierstack.backup_schedule.restic.recovery import FilesOnDocker
from tierstack.backup_schedule.restic.repository import Snapshot, entries
from tierstack.engine.project import UsageError
from tierstack.recovery import signals
from tierstack.recovery.host import Host
from tierstack.recovery.restoring import Tell, refuse_occupied, remove, replacing, span, time_line

_MIB = 2**20
_SHOW_SECONDS = 5
"""Between two lines of progress."""


@dataclass(frozen=True)
class StoredFiles:
    """The backups of an application's files on a Docker host."""

    at: FilesOnDocker
    host: Host

    def drills(self) -> list[dict[str, Any]]:
        """The ledger, the oldest drill first."""
        return ledger.parsed(self.host.run([*restore.ledger_of(self.at), "drills"]))

    def record(self, entry: Mapping[str, Any]) -> None:
        """Append a drill to the ledger."""
        self.host.run([*restore.ledger_of(self.at), "record"], json.dumps(entry) + "\n")

    def snapshots(self) -> list[Snapshot]:
        """The backups that a restore can read now, the oldest first."""
        return entries(json.loads(self.host.run(restore.listing(self.at)))["snapshots"])


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a restore of files will do, before it does it."""

    snapshot: Snapshot
    seconds: float | None
    """How long it will take, by the last good drill. None: there was none."""

    def lines(self, now: datetime, into: str) -> list[str]:
        """The plan for people."""
        one = self.snapshot
        gap = span((now - one.began).total_seconds())
        return [
            f"restore the backup of {one.began:%Y-%m-%d %H:%M:%S} UTC: {one.files:,} files, "
            f"{one.size_bytes / _MIB:,.1f} MiB, {into}",
            f"missing in it: every file that was uploaded, changed or deleted after that moment, {gap} until now",
            time_line(self.seconds),
        ]


def planned(to: datetime | None, found: Sequence[Snapshot], drills: Sequence[Mapping[str, Any]], now: datetime) -> Plan:
    """The plan of a restore. Raises UsageError where no backup is of that moment or before."""
    if not found:
        raise UsageError("there is no backup of the files yet: see `tierstack status`")
    if to and to > now:
        raise UsageError(f"--to = {to.isoformat()}: is in the future. Leave it out to restore the newest backup")
    before = [one for one in found if to is None or one.began <= to]
    if not before:
        raise UsageError(f"--to = {to and to.isoformat()}: is before {found[0].began.isoformat()}, the oldest backup")
    chosen = before[-1]
    speed = ledger.bytes_per_second(drills)
    return Plan(snapshot=chosen, seconds=chosen.size_bytes / speed if speed else None)


def put_aside(backups: StoredFiles, aside: str, snapshot: Snapshot, tell: Tell) -> float:
    """Restore into a new volume; how long that took, in seconds. The application's files are not touched."""
    began = time.monotonic()
    try:
        with signals.ending_as_interrupts():
            run_steps(backups.host, restore.aside_commands(backups.at, aside=aside, snapshot=snapshot.id), tell)
    except BaseException:  # a step goes on when the client that began it is killed
        with signals.held_back():
            remove(backups.host, aside)
        raise
    return time.monotonic() - began


def put_in_place(backups: StoredFiles, aside: str, snapshot: Snapshot, tell: Tell) -> None:
    """Restore in the place of the files, while the application goes on. Where that fails, or is interrupted, they are
    as they were. Raises UsageError, with nothing touched, where an earlier restore left what it replaced."""
    at, host = backups.at, backups.host
    reserve = restore.reserve_in_place(at, aside=aside)
    with replacing(host, aside, reserve, _occupied(at), lambda: _undo(backups, aside, tell)):
        run_steps(host, restore.in_place_commands(at, aside=aside, snapshot=snapshot.id), tell)


def refuse_in_place(backups: StoredFiles, aside: str) -> None:
    """Raise UsageError where a restore in place would be refused: asked before its plan is shown."""
    at = backups.at
    asks = [*_as_owner(at), "-v", f"{at.volume}:/files:ro", at.image, "test", "-e", f"/files/{BEFORE}"]
    refuse_occupied(backups.host, aside, held=backups.host.succeeds(asks), occupied=_occupied(at))


def _occupied(at: FilesOnDocker) -> str:
    return (
        f"volume {at.volume} holds `{BEFORE}`, the files that an earlier restore replaced. Nothing was changed. "
        f"When nobody needs them: {removal(at)}"
    )


def removal(at: FilesOnDocker) -> str:
    """The command that removes what a restore in place left."""
    return shlex.join([*_as_owner(at), "-v", f"{at.volume}:/files", at.image, "rm", "-r", f"/files/{BEFORE}"])


def copy_one(at: FilesOnDocker, aside: str, file: str) -> list[str]:
    """The command that copies one file, named by its path in the volume, from the volume `aside` into that of the
    application, with its owner and time. It replaces a file of that name."""
    script = 'mkdir -p "$(dirname "/to/$1")" && cp -p "/from/$1" "/to/$1"'
    return [*_copying(at, aside), "sh", "-c", script, "copy", file]


def copy_all(at: FilesOnDocker, aside: str) -> list[str]:
    """The command that copies every file of the volume `aside`; those that were uploaded since stay."""
    return [*_copying(at, aside), "cp", "-a", "/from/.", "/to/"]


def _copying(at: FilesOnDocker, aside: str) -> list[str]:
    # As the owner of the files: what it makes is the application's.
    return [*_as_owner(at), "-v", f"{aside}:/from:ro", "-v", f"{at.volume}:/to", at.image]


def _as_owner(at: FilesOnDocker) -> list[str]:
    return ["docker", "run", "--rm", "--network", "none", "--user", at.user]


def _undo(backups: StoredFiles, aside: str, tell: Tell) -> None:
    _, *commands = every = restore.undo_in_place(backups.at, aside=aside)
    backups.host.succeeds(every[0])  # there may be no container to remove
    failed = [command for command in commands if not backups.host.succeeds(command)]
    lines = ["  it failed: the old files go back"]
    if failed:
        lines += [f"  they were not brought back; they are in `{BEFORE}` of {backups.at.volume}. By hand:"]
        lines += [f"  {shlex.join(command)}" for command in failed]
    with contextlib.suppress(OSError):  # a pipe that Ctrl-C ended too
        for line in lines:
            tell(line)


def run_steps(host: Host, steps: Sequence[Step], tell: Tell) -> None:
    """Carry out steps in their order, and tell how much of a long one is done."""
    for number, (what, command) in enumerate(steps, 1):
        began, title = time.monotonic(), f"  {number}/{len(steps)} {what}"
        follow(host, command, f"{title}: " if what == restore.RESTORE else None, tell)
        tell(f"{title}: {time.monotonic() - began:.1f} s")


def follow(host: Host, command: Sequence[str], before: str | None, tell: Tell) -> None:
    """Carry out a command, and tell every few seconds how much of it is done. `before`: what stands before the figures;
    None: nothing is told."""
    last = time.monotonic()

    def progress(line: str) -> None:
        nonlocal last
        if before is not None and time.monotonic() - last >= _SHOW_SECONDS and (shown := share(line)):
            last = time.monotonic()
            tell(f"{before}{shown}")

    host.follow(command, progress)


def share(line: str) -> str | None:
    """A line of progress for people. None: it is none."""
    try:
        document = json.loads(line)
        done, every = int(document["restored_bytes"]), int(document["total_bytes"])
    except (ValueError, KeyError, TypeError):
        return None
    return f"{done / _MIB:,.0f} of {every / _MIB:,.0f} MiB" if every else None
