"""The rules of a bucket: its name and address, its keys, and what is asked of it. Pure."""

import re
from typing import Any
from urllib.parse import urlsplit

from tierstack.core.errors import HIDDEN, MISSING, Diagnostic, rule
from tierstack.platform import Platform, PlatformKind


@rule("bucket-region", "A bucket of AWS needs a region.", "Amazon S3: Regions")
def region(value: str | None, *, aws: bool) -> list[Diagnostic]:
    if value is None and aws:
        wrong = "is required where `endpoint_url` is left out, which means AWS"
        return [Diagnostic("region", MISSING, wrong, "write the region, such as `eu-central-1`")]
    if value is not None and not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", value):
        return [Diagnostic("region", value, "is not the name of a region", "write one such as `eu-central-1`")]
    return []


@rule("plaintext-secret")
def rendered(platform: Platform) -> list[Diagnostic]:
    if not platform.renders or platform.secret_store is not None:
        return []
    wrong = "is required where manifests are rendered: the bucket's credentials would be in plaintext"
    instead = "name a ClusterSecretStore that holds `access-key-id` and `secret-access-key`"
    return [Diagnostic("platform.secret_store", MISSING, wrong, instead)]


@rule("bucket-credential", "A bucket needs credentials, without blanks around them.")
def credential(path: str, value: object, *, required: bool) -> list[Diagnostic]:
    """The rules of a key or its secret."""
    if value is None:
        if not required:
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
    "store-self-hosted",
    "A self-hosted store has its own address and keys, and needs its images.",
    wrong="object_storage: {bucket: shop, memory_mb: 512}",
    right="object_storage: {bucket: shop, self_hosted: true, memory_mb: 512}",
)
def hosted(args: Any) -> list[Diagnostic]:
    """What a self-hosted store must have, and what it must not."""
    found: list[Diagnostic] = []
    for name in ("endpoint_url", "region", "access_key_id", "secret_access_key", "prune", "drill"):
        if (value := getattr(args, name)) is not None:
            shown = value if name in ("endpoint_url", "region") else HIDDEN
            wrong = "is of an external bucket; with `self_hosted` the store has its own"
            found.append(Diagnostic(name, shown, wrong, "remove it, or remove `self_hosted`"))
    needs = {"image": "VersityGW", "probe_image": "Python and boto3, such as Barman's"}
    for name, what in needs.items():
        if getattr(args, name) is None:
            wrong = "is required with `self_hosted`"
            found.append(Diagnostic(name, MISSING, wrong, f"give an image with {what}, by digest"))
    for name in ("lifecycle", "replication"):
        if getattr(args, name):
            wrong = f"is not possible with `self_hosted`: VersityGW has no {name}"
            found.append(Diagnostic(name, True, wrong, "use an external bucket, or remove it", "store-capability"))
    return found


@rule("store-self-hosted")
def unhosted(args: Any) -> list[Diagnostic]:
    """What means something only with a self-hosted store."""
    found: list[Diagnostic] = []
    given = {
        "image": args.image,
        "memory_mb": args.memory_mb,
        "ca_generation": args.ca_generation if args.ca_generation != 1 else None,
    }
    if not args.self_hosted:
        for name, value in given.items():
            if value is not None:
                wrong = "means something only with `self_hosted`"
                found.append(Diagnostic(name, value, wrong, "remove it, or write `self_hosted: true`"))
    return found


@rule("wrong-platform")
def on_kubernetes(args: Any) -> list[Diagnostic]:
    """What is only possible on a Docker host."""
    found: list[Diagnostic] = []
    if args.self_hosted:
        wrong = "is only possible on a Docker host"
        instead = "name an external S3 endpoint: `endpoint_url`, `access_key_id` and `secret_access_key`"
        found.append(Diagnostic("self_hosted", True, wrong, instead))
    for name in ("prune", "drill", "versioning", "lock_days", "lifecycle", "replication", "probe_image"):
        value = getattr(args, name)
        if value is not None and value is not False:
            shown = HIDDEN if name in ("prune", "drill") else value
            wrong = "means something only on a Docker platform: on Kubernetes the bucket is not probed"
            found.append(Diagnostic(name, shown, wrong, "remove it"))
    return found


@rule(
    "store-capability",
    "What is asked of a bucket must be something that its endpoint can do.",
    why="`up` tries it and keeps the result, so that a later preview refuses it.",
)
def capabilities(args: Any) -> list[Diagnostic]:
    """What is asked of an external bucket that nobody would verify."""
    if args.platform.kind is PlatformKind.KUBERNETES or args.probe_image is not None:
        return []
    names = ("prune", "drill", "versioning", "lock_days", "lifecycle", "replication")
    asked = [name for name in names if getattr(args, name) not in (None, False)]
    if not asked:
        return []
    wrong = f"is required with {', '.join(f'`{name}`' for name in asked)}: nothing else verifies it"
    return [Diagnostic("probe_image", MISSING, wrong, "give an image with Python and boto3, such as Barman's")]


@rule(
    "bucket-name",
    "The name of a bucket must be one that S3 accepts.",
    "Amazon S3: General purpose bucket naming rules",
    wrong="bucket: Shop_Backups",
    right="bucket: shop-backups",
)
def bucket(path: str, value: str) -> list[Diagnostic]:
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
def prefix(path: str, value: str) -> list[Diagnostic]:
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
def endpoint(path: str, value: str) -> list[Diagnostic]:
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
