"""Reads a binary log of MySQL event by event: which transactions are in it, until where it is whole, and when each was
committed.

Backups have to know that without a server: the primary may be gone. The agent in the container runs this very file. It
imports the standard library only.

Source: MySQL source, `libs/mysql/binlog/event`: `binlog_event.h` (header, checksum), `control_events.h`
(Format_description_event, Gtid_event, Previous_gtids_event).
"""

import struct
import uuid
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tierstack.core.gtids import Gtid, GtidSet

MAGIC = b"\xfebin"
_HEADER = struct.Struct("<IBIIIH")  # seconds, type, server id, size of the event, end position, flags
_STOP, _ROTATE, _FORMAT, _GTID, _ANONYMOUS, _PREVIOUS, _TAGGED = 3, 4, 15, 33, 34, 35, 42
_IN_USE = 1
"""Flag of the first event while the server writes the file; its checksum is that without the flag."""
_CRC = 4
_LARGEST = 2**31
"""Bytes of an event, above which a size is a broken one: MySQL packs at most 1 GiB into a packet."""


class BrokenLogError(Exception):
    """A binary log that cannot be used as a whole; the message says where and why."""


@dataclass(frozen=True)
class Transaction:
    """A transaction in a binary log."""

    gtid: Gtid
    committed: int
    """When the server committed it, in microseconds since 1970, by its clock."""
    start: int
    """Where it begins, in bytes from the beginning of the file."""
    size: int
    """Its bytes, with the event that names it."""

    @property
    def end(self) -> int:
        """Where the next one begins."""
        return self.start + self.size


@dataclass
class Log:
    """What is in a binary log, as far as it was read."""

    path: Path
    previous: GtidSet
    """Transactions that the server had committed before this file, as far as it remembers."""
    contained: GtidSet
    """Transactions that are whole in it, before the one that reading stopped at."""
    end: int
    """Bytes until the end of the last whole transaction, or of the events between transactions."""
    begun: bool = False
    """Whether `previous` is known: a file that has just been made has not even that."""
    closed: bool = False
    """Whether the server ended it, and began another or was shut down."""
    closed_at: int | None = None
    """When that was, in seconds since 1970, rounded down: every transaction that was committed before is in it, or in
    one before it. None: it is open, or the server died."""
    torn: str | None = None
    """Why nothing after `end` can be used: the file is cut short, or damaged. None: it is whole."""
    damaged: bool = False
    """Whether the bytes are others than the server wrote. One that only ends too early may still be arriving."""
    stopped: Transaction | None = None
    """The transaction at which `stop` asked to stop. None: the end was reached."""
    last: Transaction | None = None
    """The last whole transaction before that. None: there is none."""

    @property
    def after(self) -> GtidSet:
        """Transactions that are committed where it ends: what the next file begins with."""
        return self.previous | self.contained


def read(path: Path, stop: Callable[[Transaction], bool] | None = None, *, size: int | None = None) -> Log:
    """Read the binary log `path`, at most its first `size` bytes, until `stop` says of a transaction that it is one too
    many. Every event's checksum is compared.

    A file that is cut short or damaged is read until there, and `torn` says so. Raises BrokenLogError where it is no
    binary log with GTIDs at all.
    """
    with path.open("rb") as file:
        return _read(path, file, stop, size)


def _read(path: Path, file: BinaryIO, stop: Callable[[Transaction], bool] | None, size: int | None) -> Log:
    found = Log(path, GtidSet(), GtidSet(), len(MAGIC))
    mark = file.read(len(MAGIC) if size is None else min(size, len(MAGIC)))
    if mark != MAGIC[: len(mark)]:
        raise BrokenLogError(f"{path.name} is not a binary log: it does not begin with one's mark")
    if len(mark) < len(MAGIC):
        found.torn = "ends within its mark"
        return found
    events = _Events(file, size)
    open_: Transaction | None = None
    try:
        for at, kind, seconds, body in events:
            if open_ and at >= open_.end:
                _complete(found, open_)
                open_ = None
            if open_:
                continue
            if kind == _GTID:
                one = _transaction(at, body)
                if stop and stop(one):
                    found.stopped = one
                    return found
                open_ = one
                continue
            if kind in (_ANONYMOUS, _TAGGED):
                what = "without a GTID" if kind == _ANONYMOUS else "with a tagged GTID"
                raise BrokenLogError(f"{path.name} has a transaction {what} at byte {at:,}; such cannot be restored")
            if kind == _PREVIOUS:
                found.previous, found.begun = _previous(body), True
            found.closed = kind in (_STOP, _ROTATE)
            found.closed_at = seconds if found.closed else None
            found.end = events.position
    except _TornError as error:
        found.torn, found.damaged = str(error), error.damaged
    if open_ and events.position >= open_.end:
        _complete(found, open_)
    elif open_ and found.torn is None:
        found.torn = f"ends within the transaction {open_.gtid}, which begins at byte {open_.start:,}"
    return found


def _complete(found: Log, one: Transaction) -> None:
    found.contained.add(one.gtid.server, one.gtid.number, one.gtid.number)
    found.end, found.last = one.end, one


class _TornError(Exception):
    """The bytes end too early, or (`damaged`) are not those that the server wrote."""

    def __init__(self, message: str, *, damaged: bool = False) -> None:
        super().__init__(message)
        self.damaged = damaged


class _Events:
    """The events of a file, each with its position, type, time and body without the checksum."""

    def __init__(self, file: BinaryIO, size: int | None) -> None:
        self._file, self._size = file, size
        self.position = len(MAGIC)
        """Where the next event begins."""
        self._checked = False

    def __iter__(self) -> Iterator[tuple[int, int, int, bytes]]:
        while header := self._bytes(_HEADER.size):
            seconds, kind, _, length, _, flags = _HEADER.unpack(self._whole(header, _HEADER.size))
            if not _HEADER.size <= length <= _LARGEST:
                raise _TornError(f"is damaged at byte {self.position:,}: an event of {length:,} bytes", damaged=True)
            rest = length - _HEADER.size
            body = self._whole(self._bytes(rest, _HEADER.size), rest)
            if kind == _FORMAT:
                # Its last five bytes are the kind of checksum (1: CRC-32) and its own.
                self._checked = body[-_CRC - 1] == 1
                header = header[:-2] + struct.pack("<H", flags & ~_IN_USE)
            if self._checked:
                if zlib.crc32(body[:-_CRC], zlib.crc32(header)) != int.from_bytes(body[-_CRC:], "little"):
                    wrong = f"is damaged at byte {self.position:,}: the checksum of an event is another one"
                    raise _TornError(wrong, damaged=True)
                body = body[:-_CRC]
            at, self.position = self.position, self.position + length
            yield at, kind, seconds, body

    def _bytes(self, count: int, after: int = 0) -> bytes:
        left = count if self._size is None else min(count, max(0, self._size - self.position - after))
        return self._file.read(left)

    def _whole(self, held: bytes, count: int) -> bytes:
        if len(held) < count:
            raise _TornError(f"ends within the event that begins at byte {self.position:,}")
        return held


def _transaction(at: int, body: bytes) -> Transaction:
    """The body of a Gtid_event: flags, UUID, number, two logical timestamps, times of the commit, length."""
    server = str(uuid.UUID(bytes=body[1:17]))
    number = int.from_bytes(body[17:25], "little")
    place = 25 + 1 + 8 + 8
    committed = int.from_bytes(body[place : place + 7], "little")
    # The highest bit says that the time of the first commit, on another server, follows.
    place += 14 if committed >> 55 else 7
    return Transaction(Gtid(server, number), committed & ~(1 << 55), at, _packed(body, place))


def _packed(body: bytes, place: int) -> int:
    """A number as the protocol packs it: one byte up to 250, else 2, 3 or 8 bytes after a mark."""
    first = body[place]
    if first <= 250:
        return first
    length = {252: 2, 253: 3, 254: 8}[first]
    return int.from_bytes(body[place + 1 : place + 1 + length], "little")


def _previous(body: bytes) -> GtidSet:
    """The body of a Previous_gtids_event: for each UUID its intervals, whose ends are one too far."""
    if body[7]:
        raise BrokenLogError("the binary logs have tagged GTIDs, which cannot be restored")
    found, place = GtidSet(), 8
    for _ in range(int.from_bytes(body[:8], "little")):
        server = str(uuid.UUID(bytes=body[place : place + 16]))
        intervals = int.from_bytes(body[place + 16 : place + 24], "little")
        place += 24
        for _ in range(intervals):
            first, after = struct.unpack_from("<QQ", body, place)
            found.add(server, first, after - 1)
            place += 16
    return found


def previous(path: Path) -> GtidSet:
    """Transactions that the server had committed before the file."""
    return read(path, lambda _: True).previous
