"""An S3 API in memory, as far as the probe speaks it, with each capability to be taken away."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from typing import Any


class AnswerError(Exception):
    """What boto3's ClientError carries."""

    def __init__(self, code: str) -> None:
        super().__init__(f"An error occurred ({code})")
        self.response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 403}}


@dataclass
class Version:
    id: str
    body: bytes
    until: datetime | None = None


@dataclass
class Bucket:
    """One bucket and what its endpoint can do."""

    versioned: bool = True
    locks: bool = True
    """Takes locked objects, and keeps the locks."""
    keeps_locks: bool = True
    rules: list[dict[str, Any]] | None = None
    """Lifecycle and replication rules. None: the endpoint has no such thing."""
    cut: bool = False
    """Loses the second part of an object of several."""
    objects: dict[str, list[Version]] = field(default_factory=dict)
    made: int = 0


class Client:
    """A client with some rights."""

    def __init__(self, bucket: Bucket, *rights: str) -> None:
        self.bucket, self.rights = bucket, rights
        self.parts: list[bytes] = []

    def _need(self, right: str) -> None:
        if right not in self.rights:
            raise AnswerError("AccessDenied")

    def put_object(self, Key: str, Body: bytes, **more: Any) -> dict[str, Any]:
        self._need("write")
        until = more.get("ObjectLockRetainUntilDate")
        if until and not self.bucket.locks:
            raise AnswerError("InvalidRequest")
        self.bucket.made += 1
        version = Version(f"v{self.bucket.made}" if self.bucket.versioned else "", Body, until)
        versions = self.bucket.objects.setdefault(Key, [])
        if not self.bucket.versioned:
            versions.clear()
        versions.append(version)
        return {"VersionId": version.id} if version.id else {}

    def _version(self, key: str, version: str | None) -> Version:
        self._need("read")
        found = self.bucket.objects.get(key) or []
        if not found:
            raise AnswerError("NoSuchKey")
        return found[-1] if version is None else next(one for one in found if one.id == version)

    def get_object(self, Key: str, VersionId: str | None = None, **_: Any) -> dict[str, Any]:
        return {"Body": BytesIO(self._version(Key, VersionId).body)}

    def head_object(self, Key: str, **_: Any) -> dict[str, Any]:
        return {"ContentLength": len(self._version(Key, None).body)}

    def delete_object(self, Key: str, VersionId: str | None = None, **_: Any) -> None:
        self._need("delete")
        if VersionId is None:
            self.bucket.objects.pop(Key, None)
            return
        version = next(one for one in self.bucket.objects[Key] if one.id == VersionId)
        if self.bucket.keeps_locks and version.until and datetime.now(UTC) < version.until:
            raise AnswerError("AccessDenied")
        self.bucket.objects[Key].remove(version)

    def list_objects_v2(self, Prefix: str = "", **_: Any) -> dict[str, Any]:
        self._need("list")
        return {"Contents": [{"Key": key} for key, found in self.bucket.objects.items() if found]}

    def list_object_versions(self, **_: Any) -> dict[str, Any]:
        self._need("list")
        pairs = [(key, one) for key, found in self.bucket.objects.items() for one in found]
        return {"Versions": [{"Key": key, "VersionId": one.id or "null"} for key, one in pairs if one.id]}

    def create_multipart_upload(self, **_: Any) -> dict[str, Any]:
        self.parts = []
        return {"UploadId": "1"}

    def upload_part(self, Body: bytes, **_: Any) -> dict[str, Any]:
        self.parts.append(Body)
        return {"ETag": str(len(self.parts))}

    def complete_multipart_upload(self, Key: str, **_: Any) -> None:
        self.put_object(Key, b"".join(self.parts[:1] if self.bucket.cut else self.parts))

    def abort_multipart_upload(self, **_: Any) -> None:
        self.parts = []

    def get_bucket_versioning(self, **_: Any) -> dict[str, Any]:
        return {}

    def get_bucket_lifecycle_configuration(self, **_: Any) -> dict[str, Any]:
        return {"Rules": self._rules("NoSuchLifecycleConfiguration")}

    def get_bucket_replication(self, **_: Any) -> dict[str, Any]:
        return {"ReplicationConfiguration": {"Rules": self._rules("ReplicationConfigurationNotFoundError")}}

    def _rules(self, none: str) -> list[dict[str, Any]]:
        if self.bucket.rules is None:
            raise AnswerError("NotImplemented")
        if not self.bucket.rules:
            raise AnswerError(none)
        return self.bucket.rules
