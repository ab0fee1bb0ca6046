"""A bucket in memory, as boto3's client shows it to the backups of a MySQL."""

from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tierstack.backup_schedule import bucket
from tierstack.backup_schedule.mysql import bucket as of_mysql
from tierstack.backup_schedule.mysql.bucket import MySQLBucket

SETTINGS = {
    "bucket": "shop", "prefix": "prod", "server": "backups", "endpoint_url": None, "region": None, "ca_path": None,
}  # fmt: skip
FOLDER = "prod/backups/"


class ChecksumError(Exception):
    """As botocore's FlexibleChecksumError."""


class NoSuchKeyError(Exception):
    """As S3 answers it."""


class Body(BytesIO):
    """What is read of an object."""

    def iter_chunks(self, size: int) -> Iterator[bytes]:
        while chunk := self.read(size):
            yield chunk


class Memory:
    """boto3's client of S3."""

    exceptions = SimpleNamespace(NoSuchKey=NoSuchKeyError)

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.at: dict[str, datetime] = {}
        self.now = datetime(2026, 11, 26, 12, tzinfo=UTC)
        self.away = False
        self.puts: list[str] = []

    def names(self, below: str = "") -> list[str]:
        """The keys below the server's folder."""
        return sorted(key.removeprefix(FOLDER) for key in self.kept if key.startswith(FOLDER + below))

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:
        self._answer()
        self.kept[Key], self.at[Key] = Body, self.now
        self.puts.append(Key)

    def upload_fileobj(self, file: Any, bucket: str, key: str, Config: Any) -> None:
        parts = list[bytes]()
        while part := file.read(7):
            parts.append(part)
        self.put_object(Bucket=bucket, Key=key, Body=b"".join(parts))

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        self._answer()
        if Key not in self.kept:
            raise NoSuchKeyError
        return {"Body": Body(self.kept[Key])}

    def get_paginator(self, name: str) -> Any:
        def paginate(Bucket: str, Prefix: str) -> list[dict[str, Any]]:
            self._answer()
            if name == "list_object_versions":
                return []
            found = [key for key in sorted(self.kept) if key.startswith(Prefix)]
            return [{"Contents": [{"Key": key, "LastModified": self.at[key]} for key in found]}]

        return SimpleNamespace(paginate=paginate)

    def delete_objects(self, *, Bucket: str, Delete: dict[str, Any]) -> dict[str, Any]:
        for one in Delete["Objects"]:
            del self.kept[one["Key"]]
        return {}

    def _answer(self) -> None:
        if self.away:
            raise ConnectionError("Could not connect to the endpoint URL")


def in_memory(monkeypatch: pytest.MonkeyPatch) -> tuple[MySQLBucket, Memory]:
    """The bucket, and what it keeps."""
    kept = Memory()

    def library(name: str) -> Any:
        session = SimpleNamespace(client=lambda *_, **__: kept)
        return SimpleNamespace(
            Session=lambda **_: session,
            Config=lambda **_: None,
            TransferConfig=lambda **_: None,
            FlexibleChecksumError=ChecksumError,
        )

    for module in (bucket, of_mysql):
        monkeypatch.setattr(module, "library", library)
    monkeypatch.setattr("os.environ", {})
    return MySQLBucket(SETTINGS, Path("/etc/tierstack"), "write"), kept
