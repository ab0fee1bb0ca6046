"""A bucket that one component hands to another."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from tierstack.links.secrets import SecretRef


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
    """Access key."""
    secret_access_key: SecretRef
    """Its secret."""
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
