"""A bucket as the containers of the backups use it, whatever is backed up.

It needs boto3 and the standard library.
"""

import gzip
import importlib
import json
import os
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from tierstack.backup_schedule import layout

CREDENTIALS = "aws-credentials"
"""File with the keys of a container, a profile for each purpose."""
IDENTITY = "identity.json"
"""Object that says which database system the backups are of."""
DRILLS = "drills.jsonl"
AT_ONCE = 8
"""Objects that are read at the same time."""
_DELETED = 1000
"""Objects that one request deletes (Amazon S3 API: DeleteObjects)."""


class DamagedError(Exception):
    """An object is not what was stored."""


class StoredObject(Protocol):
    """An object of which the key is known."""

    @property
    def key(self) -> str:
        """In the bucket, from its beginning on."""
        ...


One = TypeVar("One", bound=StoredObject)


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
        """The bucket and the prefix, as barman-cloud's programs and people call it."""
        prefix = self.settings["prefix"]
        return f"s3://{self.name}/{prefix}" if prefix else f"s3://{self.name}"

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

    def name_of(self, key: str) -> str:
        """The key of an object, below the server's folder."""
        return key.removeprefix(f"{self.folder}/")

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects below the server's folder. Raises RuntimeError where one is not deleted."""
        keys = [f"{self.folder}/{name}" for name in names]
        for at in range(0, len(keys), _DELETED):
            given = {"Objects": [{"Key": key} for key in keys[at : at + _DELETED]], "Quiet": True}
            for error in self.s3.delete_objects(Bucket=self.name, Delete=given).get("Errors", []):
                raise RuntimeError(f"{error['Key']} was not deleted: {error.get('Code')} {error.get('Message', '')}")

    def claim(self, system: str, before: Collection[str] = ()) -> str | None:
        """Mark the folder as this database system's, where nobody has; what is wrong where it is another one's.
        `before`: identifiers of systems whose data this one goes on with."""
        held = self.get(IDENTITY)
        if held is None:
            if next(self.objects(""), None):
                return (
                    f"{self.url}/{self.server} holds backups, and nothing says of which database: give another prefix"
                )
            self.put(IDENTITY, json.dumps({"system_identifier": system}).encode())
            return None
        of = str(json.loads(held)["system_identifier"])
        if of == system or of in before:
            return None
        return (
            f"{self.url}/{self.server} holds the backups of another database (system {of}, and this one is {system}): "
            "nothing is written; give another bucket or prefix"
        )

    def clock(self) -> datetime:
        """What time it is by the store."""
        answer = self.s3.list_objects_v2(Bucket=self.name, Prefix=f"{self.folder}/", MaxKeys=1)
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])

    def bring(self, wanted: Iterable[One], place: Callable[[One, bytes], object]) -> list[One]:
        """Read objects, several at a time, and hand each with its content to `place`; those that are damaged, which
        are left out."""

        def bring_one(one: One) -> One | None:
            try:
                content = self.unpacked(one.key)
            except DamagedError:
                return one
            place(one, content)
            return None

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return [one for one in pool.map(bring_one, wanted) if one is not None]

    def unpacked(self, key: str) -> bytes:
        """An object, by its whole key; decompressed, where its key says that it is. Raises DamagedError."""
        # botocore compares the checksum that the store keeps of an object; gzip has one, too.
        wrong = library("botocore.exceptions").FlexibleChecksumError
        try:
            packed: bytes = self.s3.get_object(Bucket=self.name, Key=key)["Body"].read()
            return gzip.decompress(packed) if key.endswith(layout.COMPRESSED) else packed
        except (wrong, gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DamagedError(f"{self.url}: the object {key} is damaged ({error})") from error


def credentials(keys: Mapping[str, tuple[str, str]]) -> str:
    """The file of keys, a profile for each purpose (AWS CLI User Guide: Configuration and credential file settings)."""
    return "".join(
        f"[{purpose}]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
        for purpose, (key, secret) in sorted(keys.items())
    )
