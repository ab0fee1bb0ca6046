"""A bucket as the containers of the backups use it: boto3 for the log and for looking, barman-cloud for base backups.

It needs boto3, Barman's cloud tools and the standard library, as the Barman image has them.
"""

import gzip
import importlib
import json
import os
import subprocess
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from tierstack.backup_schedule import layout

CREDENTIALS = "aws-credentials"
"""File with the keys of a container, a profile for each purpose."""
IDENTITY = "identity.json"
"""Object that says which database system the backups are of."""
DRILLS = "drills.jsonl"
AT_ONCE = 8
"""Segments that a restore fetches at the same time."""


class DamagedError(Exception):
    """An object is not what was stored."""


def library(name: str) -> Any:
    """A module of boto3, which is there in the container only."""
    return importlib.import_module(name)


class Bucket:
    """The folder of one server in a bucket, by the key of one purpose."""

    def __init__(self, settings: Mapping[str, Any], config: Path, profile: str) -> None:
        """`settings`: `store` of the settings file; `config`: the directory with the keys."""
        self.settings, self.profile = settings, profile
        self.name: str = settings["bucket"]
        self.server: str = settings["server"]
        self.folder = layout.folder(settings["prefix"], self.server)
        self.environment = {
            **os.environ,
            "AWS_SHARED_CREDENTIALS_FILE": str(config / CREDENTIALS),
            "AWS_PROFILE": profile,
            **({"AWS_DEFAULT_REGION": settings["region"]} if settings["region"] else {}),
            **({"AWS_CA_BUNDLE": settings["ca_path"]} if settings["ca_path"] else {}),
        }
        os.environ.update(self.environment)
        session = library("boto3").Session(profile_name=profile)
        options = library("botocore.config").Config(
            connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 2}, max_pool_connections=AT_ONCE
        )
        self.s3: Any = session.client("s3", endpoint_url=settings["endpoint_url"], config=options)

    @property
    def url(self) -> str:
        """What barman-cloud's programs call the bucket."""
        prefix = self.settings["prefix"]
        return f"s3://{self.name}/{prefix}" if prefix else f"s3://{self.name}"

    def barman(self, program: str, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
        """Run one of barman-cloud's programs; its exit code and output are the caller's to judge. `more`: variables of
        its environment."""
        endpoint = self.settings["endpoint_url"]
        command = [f"barman-cloud-{program}", "--cloud-provider", "aws-s3", "--aws-profile", self.profile]
        command += [*(["--endpoint-url", endpoint] if endpoint else []), *arguments]
        return subprocess.run(command, env={**self.environment, **more}, capture_output=True, text=True)

    def put(self, key: str, body: bytes) -> None:
        """Write an object below the server's folder."""
        self.s3.put_object(Bucket=self.name, Key=f"{self.folder}/{key}", Body=body)

    def get(self, key: str) -> bytes | None:
        """An object below the server's folder. None: there is none."""
        try:
            return self.s3.get_object(Bucket=self.name, Key=f"{self.folder}/{key}")["Body"].read()
        except self.s3.exceptions.NoSuchKey:
            return None

    def objects(self, below: str) -> Iterator[dict[str, Any]]:
        """The objects below a folder of the server's."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=f"{self.folder}/{below}")
        for page in pages:
            yield from page.get("Contents", [])

    def claim(self, system: str) -> str | None:
        """Mark the folder as this database system's, where nobody has; what is wrong where it is another one's."""
        held = self.get(IDENTITY)
        if held is None:
            if next(self.objects("base/"), None) or next(self.objects("wals/"), None):
                return (
                    f"{self.url}/{self.server} holds backups, and nothing says of which database: give another prefix"
                )
            self.put(IDENTITY, json.dumps({"system_identifier": system}).encode())
            return None
        of = str(json.loads(held)["system_identifier"])
        if of == system:
            return None
        return (
            f"{self.url}/{self.server} holds the backups of another database (system {of}, and this one is {system}): "
            "nothing is written; give another bucket or prefix"
        )

    def put_wal(self, name: str, content: bytes) -> None:
        """Store a file of the log, compressed as it is or now."""
        packed = content if content[:2] == layout.GZIP else gzip.compress(content, compresslevel=6)
        self.s3.put_object(Bucket=self.name, Key=layout.wal_key(self.folder, name), Body=packed)

    def wals(self) -> list[layout.StoredWal]:
        """Every file of the log that the bucket has."""
        found = ((layout.wal_name(one["Key"]), one) for one in self.objects("wals/"))
        return [
            layout.StoredWal(name, one["Key"], one["LastModified"].timestamp())
            for name, one in found
            if name is not None
        ]

    def histories(self, wals: list[layout.StoredWal]) -> dict[str, str]:
        """The texts of the timelines' histories among files of the log, by their names."""
        return {one.name: self._unpacked(one).decode() for one in wals if layout.HISTORY.fullmatch(one.name)}

    def clock(self) -> datetime:
        """What time it is by the store."""
        answer = self.s3.list_objects_v2(Bucket=self.name, Prefix=f"{self.folder}/", MaxKeys=1)
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])

    def fetch(self, wals: list[layout.StoredWal], into: Path) -> list[str]:
        """Bring files of the log into a directory; the names of those that are damaged, which are left out."""

        def one(wal: layout.StoredWal) -> str | None:
            try:
                content = self._unpacked(wal)
            except DamagedError:
                return wal.name
            (into / wal.name).write_bytes(content)
            return None

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return [name for name in pool.map(one, wals) if name]

    def _unpacked(self, wal: layout.StoredWal) -> bytes:
        # botocore compares the checksum that the store keeps of an object; gzip has one, too.
        wrong = library("botocore.exceptions").FlexibleChecksumError
        try:
            packed: bytes = self.s3.get_object(Bucket=self.name, Key=wal.key)["Body"].read()
            return gzip.decompress(packed) if wal.key.endswith(layout.COMPRESSED) else packed
        except (wrong, gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DamagedError(f"{self.url}: the object {wal.key} is damaged ({error})") from error

    def base_backups(self) -> list[dict[str, Any]]:
        """What the bucket's base backups say of themselves, in the form of `barman list-backups`; the oldest first."""
        infos = [one["Key"] for one in self.objects("base/") if one["Key"].endswith("/backup.info")]
        return [self._described(key) for key in sorted(infos)]

    def _described(self, key: str) -> dict[str, Any]:
        body: bytes = self.s3.get_object(Bucket=self.name, Key=key)["Body"].read()
        text = body.decode()
        values = layout.information(text)
        ended = values.get("end_time", "None")
        return {
            "backup_id": key.split("/")[-2],
            "status": values["status"],
            "end_time_timestamp": None if ended == "None" else datetime.fromisoformat(ended).timestamp(),
            "version": values.get("version"),
            "size_bytes": int(values["size"]) if values.get("size", "None") != "None" else 0,
            **layout.about(text),
        }


def credentials(keys: Mapping[str, tuple[str, str]]) -> str:
    """The file of keys, a profile for each purpose (AWS CLI User Guide: Configuration and credential file settings)."""
    return "".join(
        f"[{purpose}]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
        for purpose, (key, secret) in sorted(keys.items())
    )
