"""A bucket with backups of MySQL: copies a file each, and binary logs in parts (`parts.py`).

It needs boto3 and the standard library.
"""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tierstack.backup_schedule.bucket import Bucket, DamagedError, library
from tierstack.backup_schedule.mysql import parts
from tierstack.backup_schedule.mysql.catalog import Copy
from tierstack.backup_schedule.mysql.parts import Part

_CHUNK = 2**20
_PIECE = 16 * 2**20
"""Bytes of the pieces in which a large object is uploaded: the 10,000 that S3 takes are 160 GB."""
_FAST = 1
"""Level of compression of base backups. At the next levels gzip takes longer than the copy."""


class StoredPart(NamedTuple):
    """A part that the bucket has."""

    part: Part
    key: str
    stored_at: float
    """When it came (seconds since 1970)."""


class MySQLBucket(Bucket):
    """The folder of one MySQL in a bucket."""

    def put_part(self, part: Part, content: bytes) -> None:
        """Store some bytes of a binary log."""
        self.put(part.name, gzip.compress(content, compresslevel=6))

    def parts(self) -> list[StoredPart]:
        """The parts of all binary logs."""
        listed = ((parts.part_of(self.name_of(one["Key"])), one) for one in self.objects(parts.LOGS))
        return [StoredPart(part, one["Key"], one["LastModified"].timestamp()) for part, one in listed if part]

    def copies(self) -> list[Copy]:
        """The complete base backups, the oldest first. Raises DamagedError."""
        marks = [one["Key"] for one in self.objects(parts.COPIES) if one["Key"].endswith(f"/{parts.MARK}")]
        return [self._described(key) for key in sorted(marks)]

    def _described(self, key: str) -> Copy:
        try:
            return Copy(**json.loads(self.unpacked(key)))
        except (ValueError, TypeError) as error:
            raise DamagedError(f"{self.url}: the object {key} is damaged ({error})") from error

    def put_copy(self, copy: Copy, data: Path) -> None:
        """Store a base backup with its files in `data`. What an attempt before has stored is not stored again."""
        folder = parts.data_of(copy.id)
        there = {self.name_of(one["Key"]) for one in self.objects(folder)}
        # One piece at a time: the container has little memory.
        config = library("boto3.s3.transfer").TransferConfig(multipart_chunksize=_PIECE, use_threads=False)
        for name in copy.files:
            key = f"{folder}{name}.gz"
            if key not in there:
                with (data / name).open("rb") as file:
                    self.s3.upload_fileobj(_Packed(file), self.name, f"{self.folder}/{key}", Config=config)
        self.put(parts.mark_of(copy.id), copy.text().encode())

    def file_of(self, copy: Copy, name: str) -> Iterator[bytes]:
        """A file of a base backup, in pieces. Raises FileNotFoundError and DamagedError."""
        key = f"{self.folder}/{parts.data_of(copy.id)}{name}.gz"
        wrong = library("botocore.exceptions").FlexibleChecksumError
        unpacker = zlib.decompressobj(wbits=31)
        try:
            for chunk in self.s3.get_object(Bucket=self.name, Key=key)["Body"].iter_chunks(_CHUNK):
                yield unpacker.decompress(chunk)
            yield unpacker.flush()
        except self.s3.exceptions.NoSuchKey:
            raise FileNotFoundError(key) from None
        except (wrong, zlib.error) as error:
            raise DamagedError(f"{self.url}: the object {key} is damaged ({error})") from error


class _Packed:
    """A file that is compressed while it is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._packer = file, zlib.compressobj(_FAST, wbits=31)
        self._held, self._over = bytearray(), False

    def read(self, size: int = -1) -> bytes:
        """The next bytes; none at the end."""
        while not self._over and (size < 0 or len(self._held) < size):
            chunk = self._file.read(_CHUNK)
            self._held += self._packer.compress(chunk) if chunk else self._packer.flush()
            self._over = not chunk
        end = len(self._held) if size < 0 else size
        given = bytes(self._held[:end])
        del self._held[:end]
        return given
