"""A drill of files: the newest backup restored aside, counted, and compared with what the application has."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tierstack.backup_schedule.restic import restore
from tierstack.backup_schedule.status import stamp
from tierstack.recovery.files import StoredFiles, put_aside
from tierstack.recovery.found import now
from tierstack.recovery.host import CommandError
from tierstack.recovery.recording import Drilled, figure, ledger_line, recorded, slow
from tierstack.recovery.restoring import Tell, refuse_beside_another_drill, remove

_MIB = 2**20


@dataclass(kw_only=True)
class FilesResult(Drilled):
    """What a drill of files found."""

    snapshot: str | None = None
    """The backup that was restored, by its id."""
    moment: str | None = None
    """When it was made."""
    rpo_seconds: float | None = None
    """From the backup to the drill: what was uploaded since would be lost."""
    rto_seconds: float | None = None
    """From the first command of the restore to all files in a volume."""
    expected_files: int | None = None
    """Files in the backup, by what it says of itself."""
    expected_bytes: int | None = None
    """Their bytes."""
    files: int | None = None
    """Files that came back."""
    size_bytes: int | None = None
    """Their bytes."""
    compared: int | None = None
    """Files whose content was compared with that of the application."""
    different: list[str] = field(default_factory=list[str])
    """Those of them that differ, ten at most."""
    source: str | None = None
    """What was read: `volume` or `bucket`."""


def run(backups: StoredFiles, name: str, tell: Tell) -> FilesResult:
    """Make a drill and record it. One that cannot be carried out is recorded too, as `not verified`."""
    aside = f"{backups.at.catalog}-drill"
    refuse_beside_another_drill(backups.host, aside)
    result = FilesResult(backups=name)
    with recorded(result, backups.record, lambda: remove(backups.host, aside)):
        _carry_out(backups, aside, result, tell)
        judge(result, backups.at.max_minutes)
    return result


def _carry_out(backups: StoredFiles, aside: str, result: FilesResult, tell: Tell) -> None:
    found = backups.snapshots()
    if not found:
        raise CommandError("there is no backup of the files yet: see `tierstack status`")
    newest, began = found[-1], now()
    result.snapshot, result.moment = newest.id, stamp(newest.began)
    result.expected_files, result.expected_bytes = newest.files, newest.size_bytes
    result.source = "bucket" if backups.at.bucket else "volume"
    result.rpo_seconds = round((began - newest.began).total_seconds(), 1)
    tell(
        f"the backup of {result.moment} is restored aside: {newest.files:,} files, {newest.size_bytes / _MIB:,.1f} MiB"
    )
    result.rto_seconds = round(put_aside(backups, aside, newest, tell), 1)
    compared: Mapping[str, Any] = json.loads(backups.host.run(restore.compare(backups.at, aside=aside)))
    result.files, result.size_bytes = compared["files"], compared["size_bytes"]
    result.compared, result.different = compared["compared"], compared["different"]
    tell(f"  compared {result.compared} files with those of the application")


def judge(result: FilesResult, max_minutes: int) -> None:
    """What the result of a drill is, by what it found: one that compared nothing has proven nothing."""
    found: list[str] = []
    if result.files != result.expected_files:
        found.append(f"{result.files} files came back, and the backup has {result.expected_files}")
    if result.size_bytes != result.expected_bytes:
        found.append(f"{result.size_bytes} bytes came back, and the backup has {result.expected_bytes}")
    if result.different:
        found.append(f"the content of files differs from that of the application: {', '.join(result.different)}")
    found += slow(result.rto_seconds, max_minutes)
    unproven = "no file could be compared: there is none, or the application has changed all of them since"
    result.conclude(found, None if result.compared else unproven)


def entry_line(one: Mapping[str, Any]) -> str:
    """A drill of files for people."""
    files = f"{one['files'] if one['files'] is not None else '?'} of {one['expected_files'] or '?'} files"
    return ledger_line(one, f"{files}, compared {one['compared'] or 0}  RTO {figure(one['rto_seconds'])}")
