"""The arguments of FileBackups and their rules."""

import re
from dataclasses import dataclass, field

import pulumi

from tierstack.backup_schedule.args import schedule_problems
from tierstack.core.bounds import bound_problems
from tierstack.core.errors import HIDDEN, MISSING, Diagnostic, declare, rule
from tierstack.core.keys import within
from tierstack.links import FileVolume, ObjectStore
from tierstack.platform import Platform, PlatformKind, image_problems

declare(
    "files-platform",
    "FileBackups makes backups on a Docker host.",
    why="In a cluster the storage makes snapshots of a volume, which no container of ours may read while pods write.",
)
declare("files-volume", "What is backed up must have a volume.")
MEMORY_MB = 512
"""Limit of the agent's container where none is given."""
SHORTEST_PASSWORD = 16


@dataclass(kw_only=True)
class KeepArgs:
    """Which backups are kept: those that any rule keeps. Of an hour, day, week or month that is the last one."""

    last: int = field(default=1, metadata=within(1, 10000))
    """The newest so many, however old. 1 to 10000. Default: 1, so that the last one is never removed."""
    hourly: int | None = field(default=None, metadata=within(1, 10000))
    """One for each of the last so many hours that have one. 1 to 10000. None: no such rule."""
    daily: int | None = field(default=14, metadata=within(1, 10000))
    """One for each of the last so many days that have one. 1 to 10000. None: no such rule. Default: 14."""
    weekly: int | None = field(default=None, metadata=within(1, 10000))
    """One for each of the last so many weeks that have one. 1 to 10000. None: no such rule."""
    monthly: int | None = field(default=None, metadata=within(1, 10000))
    """One for each of the last so many months that have one. 1 to 10000. None: no such rule."""
    within_days: int | None = field(default=None, metadata=within(1, 3650, "days"))
    """All of so many days before the newest backup. 1 to 3650. None: no such rule."""

    @property
    def rules(self) -> dict[str, int]:
        """The rules by the names of restic (`--keep-daily`)."""
        given = {
            "last": self.last,
            "hourly": self.hourly,
            "daily": self.daily,
            "weekly": self.weekly,
            "monthly": self.monthly,
            "within": self.within_days,
        }
        return {name: count for name, count in given.items() if count is not None}


@dataclass(kw_only=True)
class FilesDrillArgs:
    """What a drill of files must find right: a restore aside that `tierstack drill` makes, compares and removes."""

    max_minutes: int = field(default=60, metadata=within(1, 10080, "minutes"))
    """A drill is bad where the files were back later than so many minutes after it began. 1 to 10080. Default: 60."""
    sample: int = field(default=200, metadata=within(1, 100000))
    """Files whose content is compared with that of the running application, chosen at random. 1 to 100000. Default:
    200."""
    within_hours: int = field(default=170, metadata=within(1, 8784, "hours"))
    """An alert tells that no drill was good for so many hours. 1 to 8784. Default: 170, for one each week."""


@dataclass(kw_only=True)
class FileBackupsArgs:
    """Backups of the files of an application on a schedule, by restic: encrypted, deduplicated, checked."""

    platform: Platform
    """Where the application runs: `DockerHost(…)`."""
    files: FileVolume
    """What is backed up: `uploads` of an AppCluster. For another named volume of the host:
    `FileVolume(volume=…, user="1000:1000")`."""
    image: pulumi.Input[str] | None = None
    """Image with restic ≥ 0.18 and Python ≥ 3.11, with a bucket also boto3; by digest (`repo@sha256:…`) or image id.
    Required."""
    schedule: str = "15 2 * * *"
    """When backups are made: five-field cron, in UTC. Default: every night at 02:15. The first is made at once; one
    that was missed is made up for."""
    keep: KeepArgs = field(default_factory=KeepArgs)
    """Which backups are kept. Default: one for each of the last 14 days."""
    exclude: list[str] | None = None
    """Patterns of files that are left out, below the root of the volume: `/source/cache`, or `*.tmp` anywhere (restic
    manual, "Excluding Files"). None: everything is backed up."""
    check_schedule: str = "45 4 * * 0"
    """When the repository is checked: five-field cron, in UTC. Default: every Sunday at 04:45."""
    check_parts: int = field(default=10, metadata=within(1, 1000))
    """Each check reads one of so many parts of the data, the next one each time, so that everything was read after so
    many checks. 1 to 1000. Default: 10."""
    store: ObjectStore | None = None
    """The bucket that the backups go to, `store` of an ObjectStorage. None: a volume of the host, which is lost with
    it."""
    password: pulumi.Input[str] | None = field(default=None, metadata={"secret": True})
    """Password that the repository is encrypted with; at least 16 characters. Give that of a repository which exists
    already. None: one is made (output `repository_password`); without it no backup can be read."""
    first_backup_minutes: int = field(default=15, metadata=within(1, 1440, "minutes"))
    """How long an update waits for the first backup. 1 to 1440. Default: 15. Raise it before a large volume: 100 GB at
    50 MB/s take 34 minutes."""
    memory_mb: int | None = field(default=None, metadata=within(128, 65536, "MiB"))
    """Hard memory limit of the container in MiB. 128 to 65536. None: 512."""
    drill: FilesDrillArgs | None = None
    """What a restore that is tried must find right, and an alert where none was. None: `tierstack drill` can be run,
    and nothing tells that it was not."""
    physical_name: str | None = None
    """What the names of its objects begin with, where that is not the component's name: give the old name here when the
    component is renamed, and nothing is replaced. None: the component's name."""

    def problems(self) -> list[Diagnostic]:
        """All rules, in the order of the fields."""
        found = self.platform.problems()
        if self.platform.kind is not PlatformKind.DOCKER:
            return [*found, self._elsewhere()]
        if self.files.volume is None:
            wrong = "is missing: the application has no uploads, so there is nothing to back up"
            found.append(Diagnostic("files.volume", MISSING, wrong, "give the AppCluster `uploads`", "files-volume"))
        if self.image is None:
            instead = "give an image with restic and Python, by digest"
            found.append(Diagnostic("image", MISSING, "is required on a Docker host", instead, "required-on-platform"))
        else:
            found += image_problems("image", self.image, self.platform.kind)
        found += schedule_problems("schedule", self.schedule)
        found += schedule_problems("check_schedule", self.check_schedule)
        return found + password_problems(self.password) + _owner(self.files) + bound_problems(self)

    def _elsewhere(self) -> Diagnostic:
        wrong = "are on Kubernetes, where FileBackups makes no backups"
        instead = (
            "make it on a Docker host only (in a stack: `docker.file_backups`); on Kubernetes use the snapshots of the "
            "storage class (VolumeSnapshot, or Velero with CSI), or a CronJob of restic that mounts the claim of the "
            "uploads"
        )
        return Diagnostic("files", MISSING, wrong, instead, "files-platform")

    @property
    def container_memory_mb(self) -> int:
        """The container's limit in MiB."""
        return MEMORY_MB if self.memory_mb is None else self.memory_mb

    @property
    def owner(self) -> tuple[int, int]:
        """User and group as whom files are read and restored."""
        uid, gid = (self.files.user or "").split(":")
        return int(uid), int(gid)


@rule("files-owner", "The owner of files must be `uid:gid`, and not root.")
def _owner(files: FileVolume) -> list[Diagnostic]:
    if files.volume is None or re.fullmatch(r"[1-9]\d{0,9}:\d{1,10}", files.user or ""):
        return []
    wrong = "is not `uid:gid` of a user other than root"
    return [Diagnostic("files.user", files.user or MISSING, wrong, "write the owner of the files, such as `1000:1000`")]


@rule("repository-password", "A password of a repository must be 16 characters or longer, in one line.")
def password_problems(password: object) -> list[Diagnostic]:
    """What is wrong with a password that is given."""
    if not isinstance(password, str) or (len(password) >= SHORTEST_PASSWORD and len(password.splitlines()) == 1):
        return []  # one that comes from a resource is known too late
    wrong = f"is shorter than {SHORTEST_PASSWORD} characters, or has a line break"
    return [Diagnostic("password", HIDDEN, wrong, "write a longer one, or leave it out: one is made then")]
