"""A bucket that one component hands to another."""

from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

import pulumi

from tierstack.links.certificate import TrustedCA
from tierstack.links.secrets import SecretRef

REPOSITORY = "restic"
"""Folder, below that of a component, in which restic keeps its repository: where a key that writes removes its own
locks, and the one that deletes writes too."""


class StorePurpose(Enum):
    """What a key of a bucket is for."""

    WRITE = "write"
    """Writes and reads; with a prune key beside it, it need not delete, except locks of restic."""
    PRUNE = "prune"
    """Deletes what is older than the retention; in repositories of restic it writes too."""
    DRILL = "drill"
    """Reads, for restores and drills."""


@dataclass(kw_only=True)
class StoreKey:
    """An access key of a bucket."""

    access_key_id: SecretRef
    """The key."""
    secret_access_key: SecretRef
    """Its secret."""


@dataclass(kw_only=True)
class ObjectStore:
    """An S3 bucket. The same fields on both platforms; what differs is in its credentials (SecretRef)."""

    source = "`store` of an ObjectStorage"

    bucket: str
    """Name of the bucket."""
    prefix: str = ""
    """Folder inside the bucket, without a leading or trailing slash. Default: the bucket's root."""
    endpoint_url: str | None = None
    """URL of the S3 API. None: AWS, by its region."""
    region: str | None = None
    """Region of the bucket. None: what the endpoint assumes."""
    access_key_id: SecretRef
    """Access key that writes."""
    secret_access_key: SecretRef
    """Its secret."""
    prune: StoreKey | None = None
    """Docker: the key that deletes. None: the one that writes."""
    drill: StoreKey | None = None
    """Docker: the key that only reads. None: the one that writes."""
    network: pulumi.Input[str] | None = None
    """Docker: network in which a self-hosted endpoint answers. None: it is reached from any network with a way out."""
    ca: TrustedCA | None = None
    """What clients verify the endpoint by. None: the CAs that the system trusts."""
    place: str | None = None
    """Where its credentials are, which tierstack fills in: a component elsewhere refuses it. None: not checked."""

    @property
    def location(self) -> str:
        """Bucket and folder as one address: `s3://bucket/prefix`."""
        return "/".join(["s3:/", self.bucket, *([self.prefix] if self.prefix else [])])

    @property
    def port(self) -> int:
        """TCP port of the S3 API."""
        endpoint = urlsplit(self.endpoint_url or "https://")
        return endpoint.port or (80 if endpoint.scheme == "http" else 443)

    def key(self, purpose: StorePurpose) -> StoreKey:
        """The key for a purpose: its own, or the one that writes."""
        own = {StorePurpose.PRUNE: self.prune, StorePurpose.DRILL: self.drill}.get(purpose)
        return own or StoreKey(access_key_id=self.access_key_id, secret_access_key=self.secret_access_key)
