"""Where barman-cloud keeps what, in a bucket. Pure; the containers run this very file.

`<prefix>/<server>/base/<id>/…` are base backups, and `<prefix>/<server>/wals/<timeline and log>/<segment>.gz` is the
write-ahead log (Barman manual, "Barman cloud"). CloudNativePG's plugin reads and writes the same.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

SEGMENT = re.compile(r"[0-9A-F]{24}")
"""Name of a segment: timeline, log and segment, eight digits each (PostgreSQL: WAL Internals)."""
HISTORY = re.compile(r"[0-9A-F]{8}\.history")
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
