"""Where and to when a restore may go: what would destroy a database, or could not end, is refused before it begins.

The agent in the container runs this very file. It imports the standard library only.
"""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tierstack.backup_schedule.status import FULL_BYTES, SEGMENT_BYTES, stamp

_MIB = 2**20
_SHOWN = 4  # names of a directory that a message lists


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a data directory of an engine is known."""

    title: str
    """What people call the engine."""
    mark: str
    """A file that each one has."""
    running: str | None
    """A file that one has while a server is on it. None: there is no such file."""


POSTGRESQL = Layout(title="PostgreSQL", mark="PG_VERSION", running="postmaster.pid")


def directory_problems(to: Path, catalog: Path, layout: Layout = POSTGRESQL) -> list[str]:
    """What forbids a restore into `to`: only a new or an empty directory, outside of any data directory, will do."""
    if not to.is_absolute():
        return [_problem(to, "is not an absolute path", "write one such as `/restore/data`")]
    if to.is_symlink() and not to.exists():
        return [_problem(to, f"is a link to {to.readlink()}, which is not there", "write a new or an empty directory")]
    to = to.resolve()
    for above in (to, *to.parents):
        if above == catalog:
            return [_problem(to, "is inside the catalog of the backups", "restore into a volume of its own")]
        if above != to and (above / layout.mark).exists():
            wrong = f"is inside the data directory {above} of a {layout.title}"
            return [_problem(to, wrong, "restore into a directory beside it, or into a new volume")]
        if above.exists() and not above.is_dir():
            what = "is a file" if above == to else f"is below {above}, which is a file"
            return [_problem(to, what, "write a new or an empty directory")]
    held = sorted(one.name for one in to.iterdir()) if to.exists() else []
    if not held:
        return []
    if layout.mark not in held:
        shown = ", ".join(held[:_SHOWN]) + (", …" if len(held) > _SHOWN else "")
        return [_problem(to, f"is not empty ({shown})", "write a new or an empty directory")]
    wrong = f"is a data directory of {layout.title}"
    if layout.running in held:
        wrong += f" with a server on it ({layout.running})"
    instead = "restore into a new volume; to replace it, stop the server and rename the directory first"
    return [_problem(to, wrong, instead)]


def time_problems(at: datetime | None, now: datetime, received: datetime | None) -> list[str]:
    """What forbids a restore to the moment `at`. `received`: when WAL last arrived; no commit in it is later, so that
    PostgreSQL would never reach a moment after it, and would end with an error."""
    if at is None:
        return []
    instead = "leave --time out to restore everything that was received"
    if at.tzinfo is None:
        return [f"--time = {at}: has no time zone; write one such as 2026-01-31T12:00:00Z"]
    if at > now:
        return [f"--time = {stamp(at)}: is in the future, it is {stamp(now)} now; {instead}"]
    if received is not None and at > received:
        return [f"--time = {stamp(at)}: is after the last WAL, which arrived at {stamp(received)}; {instead}"]
    return []


def room_problems(to: Path, base_bytes: int, segments: int) -> list[str]:
    """What forbids a restore of a base backup and of so many segments of WAL into `to`."""
    return free_problems(to, base_bytes + segments * SEGMENT_BYTES)


def free_problems(to: Path, needed_bytes: int) -> list[str]:
    """What forbids a restore that writes so many bytes to `to`: a disk that it would fill. The running database is
    often on the same one, and stops writing when that is full."""
    above = next(one for one in (to, *to.parents) if one.exists())
    needed, free = needed_bytes + FULL_BYTES, shutil.disk_usage(above).free
    if free >= needed:
        return []
    wrong = f"has {free // _MIB:,} MiB free, and the restore needs about {needed // _MIB:,} MiB"
    return [_problem(to, wrong, "add disk, or restore to a volume on another one")]


def last_received(server: Path) -> datetime | None:
    """When WAL last arrived, by the newest segment that a server of Barman's has received or archived; None where there
    is none."""
    segments = [*server.glob("streaming/*"), *server.glob("wals/*/*")]
    times = [one.stat().st_mtime for one in segments if one.is_file()]
    return datetime.fromtimestamp(max(times), UTC) if times else None


def _problem(to: Path, wrong: str, instead: str) -> str:
    return f"--to = {to}: {wrong}; {instead}"
