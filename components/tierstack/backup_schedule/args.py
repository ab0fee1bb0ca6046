"""The arguments of BackupSchedule and their rules."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pulumi

from tierstack.backup_schedule.cron import CronError, parse
from tierstack.core.errors import HIDDEN, MISSING, Problem, out_of_range
from tierstack.links import DatabaseConnection
from tierstack.platform import Platform, PlatformKind, image_problems

LONGEST_RETENTION_DAYS = 3650
"""Ten years: beyond it a number is more likely a slip than a wish."""


@dataclass(kw_only=True)
class BackupDestination:
    """An S3 bucket, of any provider: AWS, Ceph, Garage, MinIO, SeaweedFS."""

    bucket: str
    """Name of the bucket, which must exist. S3 naming rules: 3 to 63 of `a-z 0-9 . -`."""
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

    def problems(self, path: str, platform: Platform) -> list[Problem]:
        """The rules of a bucket, its address and its credentials."""
        found = _bucket(f"{path}.bucket", self.bucket) + _prefix(f"{path}.prefix", self.prefix)
        if self.endpoint_url is not None:
            found += _endpoint(f"{path}.endpoint_url", self.endpoint_url)
        if self.region is None and self.endpoint_url is None:
            wrong = "is required where `endpoint_url` is left out, which means AWS"
            found.append(Problem(f"{path}.region", MISSING, wrong, "write the region, such as `eu-central-1`"))
        if self.region is not None and not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", self.region):
            wrong = "is not the name of a region"
            found.append(Problem(f"{path}.region", self.region, wrong, "write one such as `eu-central-1`"))
        for name in ("access_key_id", "secret_access_key"):
            found += _credential(f"{path}.{name}", getattr(self, name), platform.renders)
        return found


@dataclass(kw_only=True)
class BackupScheduleArgs:
    """Base backups on a schedule and continuous WAL of a PostgreSQL: together, any point in time can be restored."""

    platform: Platform
    """Where the database runs: `DockerHost(…)` or `Kubernetes(…)`."""
    database: DatabaseConnection
    """The database to back up: `DatabaseWithReplicas.connection`."""
    image: pulumi.Input[str] | None = None
    """Docker: image with Barman ≥ 3.11, Python ≥ 3.11 and PostgreSQL's client programs of the server's version, by
    digest (`repo@sha256:…`) or image id. Its user `barman` has id 26 and owns `/var/lib/barman`. None on Kubernetes,
    where the plugin brings its own."""
    schedule: str = "30 3 * * *"
    """When base backups are made: five-field cron, in UTC. Default: every night at 03:30. The first is made at once;
    one that was missed is made up for."""
    retention_days: int = 14
    """Length of the recovery window in days: every moment in it can be restored. 1 to 3650. Default: 14."""
    destination: BackupDestination | None = None
    """The bucket that backups go to; required on Kubernetes. None (Docker only): a volume of the same host, which
    helps against mistakes but not against the loss of the host."""
    first_backup_minutes: int = 15
    """Docker: how long an update waits for the first base backup and for WAL to stream. 1 to 1440. Default: 15.
    Raise it before attaching to a database that exists already: 100 GB at 100 MB/s take 17 minutes."""
    memory_mb: int = 512
    """Hard memory limit in MiB of what ships the log: the container on Docker; on Kubernetes the sidecar beside each
    server, which requests it too. 256 to 65536. Default: 512."""
    cpu: float = 0.5
    """Kubernetes: cores of that sidecar, request and limit, so that the server's pod stays in the quality of service
    class Guaranteed. With a core of its own it ships more than 16 MiB of log a second. 0.05 to 16. Default: 0.5."""
    wal_parallel: int = 1
    """Kubernetes: segments of 16 MiB that are archived at a time, and fetched at a time by a standby. Raise it, and
    `cpu` with it, where a busy server must catch up after the bucket was away. More than one takes processor from a
    promotion, which asks the archive. 1 to 16. Default: 1."""
    physical_name: str | None = None
    """What the names of its objects begin with, where that is not the component's name: give the old name here when the
    component is renamed, and nothing is replaced. None: the component's name."""

    def problems(self) -> list[Problem]:
        """All rules, in the order of the fields."""
        docker = self.platform.kind is PlatformKind.DOCKER
        found = self.platform.problems() + (self._on_docker() if docker else self._on_kubernetes())
        found += _schedule("schedule", self.schedule)
        found += out_of_range("retention_days", self.retention_days, 1, LONGEST_RETENTION_DAYS, "days")
        found += out_of_range("first_backup_minutes", self.first_backup_minutes, 1, 1440, "minutes")
        found += out_of_range("memory_mb", self.memory_mb, 256, 65536, "MiB")
        found += out_of_range("cpu", self.cpu, 0.05, 16, "cores")
        found += out_of_range("wal_parallel", self.wal_parallel, 1, 16)
        if self.destination is not None:
            found += self.destination.problems("destination", self.platform)
        return found

    def problems_as(self, name: str) -> list[Problem]:
        """The rule of a component of this name: on Kubernetes the database must archive to the ObjectStore that it
        makes, or there would be no write-ahead log to restore from."""
        archive = self.database.archive
        if self.platform.kind is not PlatformKind.KUBERNETES or archive == name or not self.archive_is_known:
            return []
        wrong = "is missing" if archive is None else f"is not `{name}`, the ObjectStore of this BackupSchedule"
        wrong += "; the database would archive nothing there, and nothing could be restored"
        instead = f'give DatabaseWithReplicas `archive=object_store_name("{name}")`'
        return [Problem("database.archive", MISSING if archive is None else archive, wrong, instead)]

    @property
    def archive_is_known(self) -> bool:
        """Whether the connection says what the database archives to: one that was written by hand may not."""
        return self.database.archive is not None or self.database.place is not None

    def _on_docker(self) -> list[Problem]:
        instead = "pass the `connection` of a DatabaseWithReplicas on this Docker host"
        found = [
            Problem(f"database.{name}", MISSING, "is needed on Docker to stream from the primary", instead)
            for name in ("backup_user", "backup_password", "direct_network")
            if getattr(self.database, name) is None
        ]
        if self.image is None:
            wrong = "is required on a Docker host"
            found.append(Problem("image", MISSING, wrong, "give an image with Barman, by digest"))
        else:
            found += image_problems("image", self.image, self.platform.kind)
        if self.destination is not None:
            wrong = "is not supported on a Docker host yet"
            found.append(Problem("destination", self.destination.bucket, wrong, "leave it out: a volume is used"))
        return found

    def _on_kubernetes(self) -> list[Problem]:
        found: list[Problem] = []
        if self.database.cluster is None:
            instead = "pass the `connection` of a DatabaseWithReplicas on this Kubernetes platform"
            wrong = "is needed on Kubernetes to name the CloudNativePG Cluster"
            found.append(Problem("database.cluster", MISSING, wrong, instead))
        if self.image is not None:
            wrong = "means something only on a Docker platform"
            found.append(Problem("image", self.image, wrong, "remove it: the barman-cloud plugin brings its own"))
        if self.destination is None:
            wrong = "is required on Kubernetes: a volume of the cluster would be lost with it"
            found.append(Problem("destination", MISSING, wrong, "give a bucket"))
        elif self.platform.renders and self.platform.secret_store is None:
            wrong = "is required where manifests are rendered: the bucket's credentials would stand in clear"
            instead = "name a ClusterSecretStore that holds `access-key-id` and `secret-access-key`"
            found.append(Problem("platform.secret_store", MISSING, wrong, instead))
        return found


def _schedule(path: str, value: str) -> list[Problem]:
    try:
        parse(value)
    except CronError as error:
        return [Problem(path, value, error.wrong, error.instead)]
    return []


def _credential(path: str, value: object, renders: bool) -> list[Problem]:
    if value is None:
        if renders:
            return []
        return [Problem(path, MISSING, "is required", "give it as a secret: `config.require_secret(…)`")]
    if isinstance(value, str) and (not value or value != value.strip()):
        return [Problem(path, HIDDEN, "is empty or has blanks around it", "write the key alone")]
    return []


def _bucket(path: str, value: str) -> list[Problem]:
    """Amazon S3 User Guide, "General purpose bucket naming rules"; other providers take no wider set."""
    if not 3 <= len(value) <= 63:
        return [Problem(path, value, f"has {len(value)} characters", "write 3 to 63")]
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*[a-z0-9]", value):
        instead = "write lower-case letters, digits, hyphens and dots, such as `shop-backups`"
        return [Problem(path, value, "is not a bucket name (S3 naming rules)", instead)]
    if ".." in value or re.fullmatch(r"\d+\.\d+\.\d+\.\d+", value):
        wrong = "has two dots in a row" if ".." in value else "looks like an IP address"
        return [Problem(path, value, f"{wrong}, which S3 refuses", "write a name such as `shop-backups`")]
    prefix = next((p for p in ("xn--", "sthree-", "amzn-s3-demo-") if value.startswith(p)), None)
    suffix = next((s for s in ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3") if value.endswith(s)), None)
    if prefix or suffix:
        where = f"starts with `{prefix}`" if prefix else f"ends with `{suffix}`"
        return [Problem(path, value, f"{where}, which S3 keeps for itself", "write another name")]
    return []


def _prefix(path: str, value: str) -> list[Problem]:
    if value.startswith("/") or value.endswith("/"):
        stripped = value.strip("/")
        return [Problem(path, value, "has a slash at an end", f"write `{stripped}`" if stripped else "leave it out")]
    if value and (not re.fullmatch(r"[A-Za-z0-9!_.*'()/-]+", value) or "//" in value):
        wrong = "has characters that S3 tools disagree on"
        return [Problem(path, value, wrong, "write letters, digits, `-`, `_`, `.` and single slashes")]
    if any(part in (".", "..") for part in value.split("/")):
        return [Problem(path, value, "has `.` or `..` as a folder", "write the folder's own name")]
    return []


def _endpoint(path: str, value: str) -> list[Problem]:
    instead = "write one such as `https://s3.example.net`"
    try:
        url = urlsplit(value)
        _ = url.port
    except ValueError:
        return [Problem(path, value, "is not a URL", instead)]
    if url.username is not None or url.password is not None:
        wrong = "holds credentials, which would stand in clear in state and plans"
        return [Problem(path, HIDDEN, wrong, "remove them, and give `access_key_id` and `secret_access_key`")]
    if url.scheme not in ("https", "http") or not url.hostname or re.search(r"\s", value):
        return [Problem(path, value, "is not an http or https URL", instead)]
    if url.path not in ("", "/") or url.query or url.fragment:
        wrong = "has more than scheme, host and port"
        return [Problem(path, value, wrong, f"write `{url.scheme}://{url.netloc}`; the bucket has its own field")]
    return []
