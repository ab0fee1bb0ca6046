"""Where barman-cloud keeps what, in a bucket. Pure; the containers run this very file.

`<prefix>/<server>/base/<id>/…` are base backups, and `<prefix>/<server>/wals/<timeline and log>/<segment>.gz` is the
write-ahead log (Barman manual, "Barman cloud"). CloudNativePG's plugin reads and writes the same.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from tierstack.backup_schedule.status import SEGMENT_BYTES

SEGMENT = re.compile(r"[0-9A-F]{24}")
"""Name of a segment: timeline, log and segment, eight digits each (PostgreSQL: WAL Internals)."""
HISTORY = re.compile(r"[0-9A-F]{8}\.history")
FORK = re.compile(r"^\s*(\d+)\s+([0-9A-Fa-f]+)/([0-9A-Fa-f]+)", re.MULTILINE)
"""Line of a history: a timeline before, and the position (LSN) at which it was left (PostgreSQL: timeline.c)."""
COMPRESSED = ".gz"
GZIP = b"\x1f\x8b"
"""First bytes of a file that gzip wrote (RFC 1952, 2.3.1)."""
CLOSE_SECONDS = 30
"""How often the segment that is being written is closed, where anything was written: at worst so many seconds of writes
and the time of an upload are not in the bucket. A segment of almost nothing takes about 20 kB there."""


class StoredWal(NamedTuple):
    """A file of the write-ahead log in a bucket."""

    name: str
    key: str
    stored_at: float
    """When it came (seconds since 1970)."""


def folder(prefix: str, server: str) -> str:
    """The folder of a server, without a slash at its end."""
    return "/".join(part for part in (prefix, server) if part)


def wal_key(server_folder: str, name: str) -> str:
    """The key of a segment, or of the history of a timeline, compressed."""
    directory = f"{name[:16]}/" if SEGMENT.fullmatch(name) else ""
    return f"{server_folder}/wals/{directory}{name}{COMPRESSED}"


def is_wal(name: str) -> bool:
    """Whether a file is a complete segment or the history of a timeline."""
    return bool(SEGMENT.fullmatch(name) or HISTORY.fullmatch(name))


def wal_name(key: str) -> str | None:
    """The name of the file that a key holds. None: it is no part of the log, such as the label of a backup."""
    name = key.rpartition("/")[2]
    for ending in (COMPRESSED, ".bz2", ".snappy", ".lz4", ".xz", ".zst"):
        name = name.removesuffix(ending)
    return name if is_wal(name) else None


def unsent(names: Iterable[str], sent: str) -> list[str]:
    """What was received after `sent`, in the order of the log. Names sort so, timelines first, and the history of a
    timeline before its segments. `sent` is empty before the first."""
    return sorted({name for name in names if is_wal(name) and name > sent})


def needed(stored: Sequence[StoredWal], begin: str, until: str | None = None) -> list[StoredWal]:
    """The files with which a base backup that began in segment `begin` is replayed: later segments of its timeline and
    of those after it, and all histories. `until`: the first segment of a base backup that began after the moment that
    is asked for; what follows it is not needed."""
    return [
        one
        for one in stored
        if HISTORY.fullmatch(one.name)
        or (one.name[:8] >= begin[:8] and one.name[8:] >= begin[8:] and (until is None or one.name[8:] <= until[8:]))
    ]


def position(lsn: str) -> int:
    """A position in the log, such as `0/3000060`, as a number."""
    high, _, low = lsn.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


@dataclass(frozen=True)
class History:
    """The timeline that a restore follows, and where it left those before it. Each restore that was put in place has
    begun a timeline; PostgreSQL itself follows the newest one that it finds."""

    timeline: int
    left: Mapping[int, int]
    """Timeline → the position at which it was left."""

    @classmethod
    def of(cls, stored: Sequence[StoredWal], texts: Mapping[str, str], at: float | None) -> "History | None":
        """The newest one; of a restore to the moment `at` (seconds since 1970), the newest that had begun by then: a
        later one lacks what was written until `at`. `texts`: of the histories, by file name. None: there is only one
        timeline."""
        names = [one.name for one in stored if HISTORY.fullmatch(one.name) and (at is None or one.stored_at <= at)]
        if not names:
            return None
        return cls.read(max(names), texts[max(names)])

    @classmethod
    def read(cls, name: str, text: str) -> "History":
        """What the history of a timeline says, `name`: of its file."""
        left = {int(before): position(f"{high}/{low}") for before, high, low in FORK.findall(text)}
        return cls(int(name[:8], 16), left)

    def has(self, timeline: int, ended: int | None) -> bool:
        """Whether a base backup of a timeline, which ended at a position, leads there: on one that had been left before
        the backup ended, the server would refuse to start."""
        if timeline >= self.timeline:
            return True
        left = self.left.get(timeline)
        return left is not None and (ended is None or ended <= left)

    def of_it(self, stored: Sequence[StoredWal]) -> list[StoredWal]:
        """The files of the log without those of other timelines."""
        return [one for one in stored if int(one.name[:8], 16) in {self.timeline, *self.left}]


def information(text: str) -> dict[str, str]:
    """What a base backup says of itself: `backup.info`, as Barman and barman-cloud write it."""
    pairs = (line.partition("=") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def information_file(catalog: Path, identifier: str) -> Path:
    """Where it is in Barman's directory of a server: 3.13.3 keeps it beside all backups, older ones in the backup's."""
    beside = catalog / "meta" / f"{identifier}-backup.info"
    return beside if beside.exists() else catalog / "base" / identifier / "backup.info"


def about(text: str) -> dict[str, Any]:
    """What a choice needs to know of a base backup, from its `backup.info`."""
    values = information(text)
    ended = values.get("end_xlog", "None")
    return {
        "begin_wal": values["begin_wal"],
        "end_xlog": None if ended == "None" else ended,
        "segment_bytes": int(values.get("xlog_segment_size") or SEGMENT_BYTES),
    }


@dataclass(frozen=True)
class Hole:
    """Segments that are missing between others, so that a replay ends before them."""

    after: str | None
    """The last segment before. None: the first one that the base backup needs is missing."""
    first: str
    """The first one that is missing."""
    count: int


def hole(names: Iterable[str], begin: str, history: History | None, segment_bytes: int) -> Hole | None:
    """The first hole in the log from segment `begin` on; None where there is none. `history`: of the timelines that
    the replay follows; None where it stays on that of `begin`.

    PostgreSQL takes a segment that is missing for the end of the log: without a moment to reach it promotes there, and
    says nothing of all that was written later.
    """
    of_a_log = 2**32 // segment_bytes  # PostgreSQL: XLogSegmentsPerXLogId

    def number_of(name: str) -> int:
        return int(name[8:16], 16) * of_a_log + int(name[16:], 16)

    start, oldest = number_of(begin), int(begin[:8], 16)
    begins = {oldest: start}
    if history is not None and history.timeline > oldest:
        line = sorted([*(one for one in history.left if one >= oldest), history.timeline])
        # A timeline begins with a copy of the segment in which the one before it was left.
        begins |= {after: history.left[before] // segment_bytes for before, after in pairwise(line)}

    def name_of(number: int) -> str:
        timeline = max(one for one, first in begins.items() if first <= number)
        return f"{timeline:08X}{number // of_a_log:08X}{number % of_a_log:08X}"

    # Those that a timeline wrote after it was left are no part of the log.
    held = {at for one in names if SEGMENT.fullmatch(one) and (at := number_of(one)) >= start and name_of(at) == one}
    for at in range(start, max(held, default=start) + 1):
        if at not in held:
            following = min((one for one in held if one > at), default=at + 1)
            return Hole(name_of(at - 1) if at > start else None, name_of(at), following - at)
    return None
