"""The arguments of ObjectStorage and their rules."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pulumi

from tierstack.core.errors import HIDDEN, MISSING, Diagnostic, rule
from tierstack.platform import Platform


@dataclass(kw_only=True)
class ObjectStorageArgs:
    """A bucket with an S3 API that exists already, of any provider: AWS, Ceph, Garage, MinIO, SeaweedFS."""

    platform: Platform
    """Where the components that use it run: `DockerHost(…)` or `Kubernetes(…)`."""
    bucket: str
    """Name of the bucket, such as `shop-backups`, which must exist. S3 naming rules: 3 to 63 of `a-z 0-9 . -`."""
    prefix: str = ""
    """Folder inside the bucket, without a leading or trailing slash. Default: the bucket's root."""
    endpoint_url: str | None = None
    """URL of the S3 API, such as `https://s3.example.net`. None: AWS, by its region."""
    region: str | None = None
    """Region, such as `eu-central-1`. None: what the endpoint assumes; required without `endpoint_url`."""
    access_key_id: pulumi.Input[str] | None = field(default=None, metadata={"secret": True})
    """Access key that may read, write and delete below the prefix. None only where manifests are rendered: the
    cluster then reads `access-key-id` and `secret-access-key` from the platform's `secret_store`."""
    secret_access_key: pulumi.Input[str] | None = field(default=None, metadata={"secret": True})
    """Its secret. None only where manifests are rendered."""
    physical_name: str | None = None
    """What the names of its objects begin with, where that is not the component's name: give the old name here when the
    component is renamed, and nothing is replaced. None: the component's name."""

    def problems(self) -> list[Diagnostic]:
        """The rules of a bucket, its address and its credentials."""
        found = self.platform.problems() + _bucket("bucket", self.bucket) + _prefix("prefix", self.prefix)
        if self.endpoint_url is not None:
            found += _endpoint("endpoint_url", self.endpoint_url)
        found += _region(self.region, aws=self.endpoint_url is None)
        for name in ("access_key_id", "secret_access_key"):
            found += _credential(name, getattr(self, name), self.platform.renders)
        return found + _rendered(self.platform)


@rule("bucket-region", "A bucket of AWS needs a region.", "Amazon S3: Regions")
def _region(value: str | None, *, aws: bool) -> list[Diagnostic]:
    if value is None and aws:
        wrong = "is required where `endpoint_url` is left out, which means AWS"
        return [Diagnostic("region", MISSING, wrong, "write the region, such as `eu-central-1`")]
    if value is not None and not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", value):
        return [Diagnostic("region", value, "is not the name of a region", "write one such as `eu-central-1`")]
    return []


@rule("plaintext-secret")
def _rendered(platform: Platform) -> list[Diagnostic]:
    if not platform.renders or platform.secret_store is not None:
        return []
    wrong = "is required where manifests are rendered: the bucket's credentials would be in plaintext"
    instead = "name a ClusterSecretStore that holds `access-key-id` and `secret-access-key`"
    return [Diagnostic("platform.secret_store", MISSING, wrong, instead)]


@rule("bucket-credential", "A bucket needs credentials, without blanks around them.")
def _credential(path: str, value: object, renders: bool) -> list[Diagnostic]:
    if value is None:
        if renders:
            return []
        return [
            Diagnostic(
                path,
                MISSING,
                "is required",
                "give it as a secret: `pulumi config set --secret`, or `config.require_secret(…)` in a program",
            )
        ]
    if isinstance(value, str) and (not value or value != value.strip()):
        return [Diagnostic(path, HIDDEN, "is empty or has blanks around it", "write the key alone")]
    return []


@rule(
    "bucket-name",
    "The name of a bucket must be one that S3 accepts.",
    "Amazon S3: General purpose bucket naming rules",
    wrong="bucket: Shop_Backups",
    right="bucket: shop-backups",
)
def _bucket(path: str, value: str) -> list[Diagnostic]:
    """Amazon S3 User Guide, "General purpose bucket naming rules"; other providers take no wider set."""
    if not 3 <= len(value) <= 63:
        return [Diagnostic(path, value, f"has {len(value)} characters", "write 3 to 63")]
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*[a-z0-9]", value):
        instead = "write lower-case letters, digits, hyphens and dots, such as `shop-backups`"
        return [Diagnostic(path, value, "is not a bucket name (S3 naming rules)", instead)]
    if ".." in value or re.fullmatch(r"\d+\.\d+\.\d+\.\d+", value):
        wrong = "has two dots in a row" if ".." in value else "looks like an IP address"
        return [Diagnostic(path, value, f"{wrong}, which S3 refuses", "write a name such as `shop-backups`")]
    prefix = next((p for p in ("xn--", "sthree-", "amzn-s3-demo-") if value.startswith(p)), None)
    suffix = next((s for s in ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3") if value.endswith(s)), None)
    if prefix or suffix:
        where = f"starts with `{prefix}`" if prefix else f"ends with `{suffix}`"
        return [Diagnostic(path, value, f"{where}, which S3 keeps for itself", "write another name")]
    return []


@rule(
    "bucket-prefix",
    "A prefix must be folder names that all S3 tools read alike.",
    wrong="prefix: /shop/",
    right="prefix: shop",
)
def _prefix(path: str, value: str) -> list[Diagnostic]:
    if value.startswith("/") or value.endswith("/"):
        stripped = value.strip("/")
        return [Diagnostic(path, value, "has a slash at an end", f"write `{stripped}`" if stripped else "leave it out")]
    if value and (not re.fullmatch(r"[A-Za-z0-9!_.*'()/-]+", value) or "//" in value):
        wrong = "has characters that S3 tools disagree on"
        return [Diagnostic(path, value, wrong, "write letters, digits, `-`, `_`, `.` and single slashes")]
    if any(part in (".", "..") for part in value.split("/")):
        return [Diagnostic(path, value, "has `.` or `..` as a folder", "write the folder's own name")]
    return []


@rule(
    "bucket-endpoint",
    "The endpoint of a bucket must be scheme, host and port.",
    wrong="endpoint_url: https://s3.example.net/shop-backups",
    right="endpoint_url: https://s3.example.net",
)
def _endpoint(path: str, value: str) -> list[Diagnostic]:
    instead = "write one such as `https://s3.example.net`"
    try:
        url = urlsplit(value)
        _ = url.port
    except ValueError:
        return [Diagnostic(path, value, "is not a URL", instead)]
    if url.username is not None or url.password is not None:
        wrong = "holds credentials, which would be in plaintext in state and plans"
        return [Diagnostic(path, HIDDEN, wrong, "remove them, and give `access_key_id` and `secret_access_key`")]
    if url.scheme not in ("https", "http") or not url.hostname or re.search(r"\s", value):
        return [Diagnostic(path, value, "is not an http or https URL", instead)]
    if url.path not in ("", "/") or url.query or url.fragment:
        wrong = "has more than scheme, host and port"
        return [Diagnostic(path, value, wrong, f"write `{url.scheme}://{url.netloc}`; the bucket has its own field")]
    return []
