"""Binary logs for tests, made byte by byte as MySQL writes them."""

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

from tierstack.backup_schedule.mysql.binlog import MAGIC
from tierstack.core.gtids import GtidSet, parse_set

SERVER = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
OTHER = "4e11fa47-71ca-11e1-9e33-c80aa9429562"
SECOND = 1_000_000
NOON = 1_795_694_400 * SECOND
"""2026-11-26T12:00:00Z in microseconds."""


def event(kind: int, body: bytes, flags: int = 0) -> bytes:
    """An event with its checksum."""
    size = 19 + len(body) + 4
    header = struct.pack("<IBIIIH", 0, kind, 1, size, 0, flags)
    return header + body + struct.pack("<I", zlib.crc32(body, zlib.crc32(header)))


def beginning(previous: str = "") -> bytes:
    """What each log begins with: its mark, its format (in use: the flag is no part of the checksum), what was before."""
    body = struct.pack("<H50sIB", 4, b"9.7.4", 0, 19) + bytes(40) + b"\x01"
    whole = bytearray(event(15, body))
    whole[17] |= 1
    return MAGIC + bytes(whole) + event(35, _set(parse_set(previous)))


def _set(found: GtidSet) -> bytes:
    body = struct.pack("<Q", len(found.intervals))
    for server, held in found.intervals.items():
        body += bytes.fromhex(server.replace("-", "")) + struct.pack("<Q", len(held))
        body += b"".join(struct.pack("<QQ", first, last + 1) for first, last in held)
    return body


def transaction(number: int, at: int, *, server: str = SERVER, rows: int = 1, original: int | None = None) -> bytes:
    """A transaction with `rows` events of rows. `original`: when another server committed it first."""
    rest = b"".join(event(30, bytes(300 * (index + 1))) for index in range(rows)) + event(16, bytes(8))
    times = at.to_bytes(7, "little") if original is None else (at | 1 << 55).to_bytes(7, "little")
    times += b"" if original is None else original.to_bytes(7, "little")
    # Its length has a length of its own: 3 bytes are enough for each of these.
    body = bytes(1) + bytes.fromhex(server.replace("-", "")) + struct.pack("<QBQQ", number, 2, 0, 1) + times
    length = 19 + len(body) + 3 + 4 + 4 + len(rest)
    body += b"\xfc" + struct.pack("<H", length) + struct.pack("<I", 90704)
    first = event(33, body)
    assert len(first) + len(rest) == length
    return first + rest


def log(previous: str, transactions: Sequence[bytes], *, closed: bool = True) -> bytes:
    """A whole log."""
    end = event(4, bytes(8) + b"binlog.000002") if closed else b""
    return beginning(previous) + b"".join(transactions) + end


def written(folder: Path, *logs: bytes, first: int = 1) -> list[Path]:
    """Logs under their names in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"binlog.{number:06}" for number in range(first, first + len(logs))]
    for path, data in zip(paths, logs, strict=True):
        path.write_bytes(data)
    return paths
