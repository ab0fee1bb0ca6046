"""Where barman-cloud keeps what, in a bucket. Pure; the containers run this very file.

`<prefix>/<server>/base/<id>/…` are base backups, and `<prefix>/<server>/wals/<timeline and log>/<segment>.gz` is the
write-ahead log (Barman manual, "Barman cloud"). CloudNativePG's plugin reads and writes the same.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

SEGMENT = re.compile(r"[0-9A-F]{24}")
"""Name of a segment: timeline, log and segment, eight digits each (PostgreSQL: WAL Internals)."""
HISTORY = re.compile(r"[0-9A-F]{8}\.history")
FORK = re.compile(r"^\s*(\d+)\s+([0-9A-Fa-f]+)/([0-9A-Fa-f]+)", re.MULTILINE)
"""Line of a history: a timeline before, and the position (LSN) at which it was left (PostgreSQL: timeline.c)."""
OF_A_LOG = 256
"""Segments in a log of 4 GiB, at PostgreSQL's default of 16 MiB each, with which the component makes its servers."""
COMPRESSED = ".gz"
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
        newest = max(names)
        left = {int(before): position(f"{high}/{low}") for before, high, low in FORK.findall(texts[newest])}
        return cls(int(newest[:8], 16), left)

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


def missing(names: Iterable[str]) -> str | None:
    """The first segment that is missing between others of its timeline. None: there is no hole."""
    numbers: dict[str, list[int]] = {}
    for name in names:
        if SEGMENT.fullmatch(name):
            numbers.setdefault(name[:8], []).append(int(name[8:16], 16) * OF_A_LOG + int(name[16:], 16))
    for timeline, of_it in sorted(numbers.items()):
        every = {*of_it}
        for number in range(min(every), max(every)):
            if number not in every:
                return f"{timeline}{number // OF_A_LOG:08X}{number % OF_A_LOG:08X}"
    return None
