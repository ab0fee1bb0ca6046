"""The arguments of BackupSchedule and their rules."""

import re
from dataclasses import dataclass, field

import pulumi

from tierstack.backup_schedule.cron import CronError, parse
from tierstack.backup_schedule.facts import FACTS
from tierstack.core.bounds import bound_problems
from tierstack.core.errors import MISSING, Diagnostic, declare, rule
from tierstack.core.keys import DOCKER_ONLY, within
from tierstack.links import DatabaseArchive, DatabaseConnection, DatabaseEngine, ObjectStore
from tierstack.links.database import LONGEST_RETENTION_DAYS, RETENTION_DAYS
from tierstack.platform import Platform, PlatformKind, image_problems

declare(
    "backup-connection",
    "On Docker, the connection must say how backups stream from the primary.",
    "Barman: PostgreSQL connection; MySQL: mysqlbinlog",
)
declare(
    "backup-archive",
    "A database that is backed up on Kubernetes must archive its write-ahead log.",
    why="Without the log between them, base backups cannot be restored to a moment, and a running one not at all.",
)


@dataclass(kw_only=True)
class DrillArgs:
    """What a drill must find right: a restore aside that `tierstack drill` makes, measures and removes."""

    checks: dict[str, str] | None = None
    """Questions to the restored database, by a name: each a SELECT with one value, which must be true, such as
    `orders: SELECT count(*) > 0 FROM orders`. None: every table is read and counted, and nothing else."""
    max_lost_seconds: int | None = field(default=None, metadata=within(1, 86400, "seconds"))
    """A drill is bad where writes of more than so many seconds before the loss did not come back. 1 to 86400. None: 60
    on Docker, where the log is streamed; 120 on Kubernetes, where it is archived once a minute, and arrives later."""
    max_minutes: int = field(default=60, metadata=within(1, 1440, "minutes"))
    """A drill is bad where the database answered later than so many minutes after the loss. 1 to 1440. Default: 60."""
    within_hours: int = field(default=26, metadata=within(1, 8784, "hours"))
    """An alert tells that no drill was good for so many hours. 1 to 8784. Default: 26, for one each day. There is none
    on Kubernetes: let a job fail by `tierstack drill history`."""

    def lost_seconds(self, kind: PlatformKind) -> int:
        """How much a drill may find lost."""
        streamed = kind is PlatformKind.DOCKER
        return (60 if streamed else 120) if self.max_lost_seconds is None else self.max_lost_seconds

    def problems(self, path: str) -> list[Diagnostic]:
        """Everything that is wrong with it."""
        found: list[Diagnostic] = []
        for name, statement in (self.checks or {}).items():
            found += _question(f"{path}.checks.{name}", statement)
        return found


@rule(
    "drill-check",
    "A check of a drill must be one SELECT.",
    why="Its one value is the verdict: true, or the drill is bad.",
    wrong='backups: {drill: {checks: {orders: "orders are there"}}}',
    right='backups: {drill: {checks: {orders: "SELECT count(*) > 0 FROM orders"}}}',
)
def _question(path: str, statement: str) -> list[Diagnostic]:
    text = statement.strip().rstrip(";")
    if re.match(r"(?is)(select|with|values|table)\b", text) and ";" not in text:
        return []
    hint = "write one SELECT with one value that is true, such as `SELECT count(*) > 0 FROM orders`"
    return [Diagnostic(path, statement, "is not a single SELECT", hint)]


@dataclass(kw_only=True)
class BackupScheduleArgs:
    """Base backups on a schedule and the continuous log (WAL of PostgreSQL, binary logs of MySQL): together, any point
    in time can be restored."""

    platform: Platform
    """Where the database runs: `DockerHost(…)` or `Kubernetes(…)`."""
    database: DatabaseConnection
    """The database to back up: `DatabaseWithReplicas.connection`. On Kubernetes it needs an `archive`."""
    image: pulumi.Input[str] | None = field(default=None, metadata=DOCKER_ONLY)
    """Docker: image of the container that makes the backups, by digest (`repo@sha256:…`) or image id, with Python ≥
    3.11. PostgreSQL: Barman ≥ 3.11 and the client programs of the server's version; its user `barman` has id 26 and
    owns `/var/lib/barman`. MySQL: server and client programs of the server's version, with a `store` also boto3; its
    user `mysql` has id 999 and owns `/var/lib/backups`. None on Kubernetes, where the plugin brings its own."""
    schedule: str = "30 3 * * *"
    """When base backups are made: five-field cron, in UTC. Default: every night at 03:30. The first is made at once;
    one that was missed is made up for."""
    retention_days: int | None = field(default=None, metadata=within(1, LONGEST_RETENTION_DAYS, "days") | DOCKER_ONLY)
    """Docker: length of the recovery window in days; every moment in it can be restored. 1 to 3650. None: 14. On
    Kubernetes the database's archive has it (`archive.retention_days` of DatabaseWithReplicas)."""
    least_copies: int = field(default=1, metadata=within(1, 1000) | DOCKER_ONLY)
    """Docker: base backups that are kept however old they are. 1 to 1000. Default: 1, so that the last one is never
    removed."""
    first_backup_minutes: int = field(default=15, metadata=within(1, 1440, "minutes") | DOCKER_ONLY)
    """Docker: how long an update waits for the first base backup and for the log to stream. 1 to 1440. Default: 15.
    Raise it before attaching to a database that exists already: 100 GB at 100 MB/s take 17 minutes."""
    memory_mb: int | None = field(default=None, metadata=within(256, 65536, "MiB") | DOCKER_ONLY)
    """Docker: hard memory limit of the container in MiB. 256 to 65536. None: 512, for MySQL 768, because a server of
    its own fetches each base backup."""
    store: ObjectStore | None = field(default=None, metadata=DOCKER_ONLY)
    """Docker: the bucket that base backups and log go to as well, `store` of an ObjectStorage. Restores and drills then
    read from it. None: the backups stay in a volume of the host, and are lost with it. On Kubernetes
    the database's archive has it (`archive.store`)."""
    drill: DrillArgs | None = None
    """What a restore that is tried must find right; on Docker also an alert where none was. None: `tierstack drill` can
    be run, and nothing tells that it was not."""
    physical_name: str | None = None
    """What the names of its objects begin with, where that is not the component's name: give the old name here when the
    component is renamed, and nothing is replaced. None: the component's name."""

    def problems(self) -> list[Diagnostic]:
        """All rules, in the order of the fields."""
        docker = self.platform.kind is PlatformKind.DOCKER
        found = self.platform.problems() + self._engine()
        found += self._on_docker() if docker else self._on_kubernetes()
        found += self.drill.problems("drill") if self.drill else []
        return found + schedule_problems("schedule", self.schedule) + bound_problems(self)

    @property
    def archive(self) -> DatabaseArchive:
        """Kubernetes: where the log goes, which the rules ask for."""
        assert self.database.archive is not None
        return self.database.archive

    @property
    def window_days(self) -> int:
        """The recovery window in days, on both platforms."""
        if self.platform.kind is PlatformKind.KUBERNETES:
            return self.archive.retention_days
        return RETENTION_DAYS if self.retention_days is None else self.retention_days

    @property
    def container_memory_mb(self) -> int:
        """Docker: the container's limit in MiB."""
        return FACTS[self.database.engine].memory_mb if self.memory_mb is None else self.memory_mb

    @rule("backup-engine", "BackupSchedule must know the engine of the database.")
    def _engine(self) -> list[Diagnostic]:
        engine = self.database.engine
        known = [*FACTS] if self.platform.kind is PlatformKind.DOCKER else [DatabaseEngine.POSTGRESQL.value]
        if engine in known:
            return []
        wrong = "is an engine that BackupSchedule does not back up"
        wrong += "" if self.platform.kind is PlatformKind.DOCKER else " on Kubernetes"
        names = " or ".join(f"`{one}`" for one in known)
        return [Diagnostic("database.engine", engine, wrong, f"back it up by other means, or use {names}")]

    def _on_docker(self) -> list[Diagnostic]:
        instead = "pass the `connection` of a DatabaseWithReplicas on this Docker host"
        found = [
            Diagnostic(
                f"database.{name}",
                MISSING,
                "is needed on Docker to stream from the primary",
                instead,
                "backup-connection",
            )
            for name in ("backup_user", "backup_password", "direct_network")
            if getattr(self.database, name) is None
        ]
        if self.image is None:
            wrong = "is required on a Docker host"
            facts = FACTS.get(self.database.engine)
            instead = f"give {facts.image}, by digest" if facts else "give an image, by digest"
            found.append(Diagnostic("image", MISSING, wrong, instead, "required-on-platform"))
        else:
            found += image_problems("image", self.image, self.platform.kind)
        return found

    def _on_kubernetes(self) -> list[Diagnostic]:
        found: list[Diagnostic] = []
        if self.database.archive is None:
            wrong = "is missing: the database archives no write-ahead log, so no backup of it could be restored"
            instead = "give the DatabaseWithReplicas an `archive` with the `store` of an ObjectStorage"
            found.append(Diagnostic("database.archive", MISSING, wrong, instead, "backup-archive"))
        only_docker = {
            "image": "remove it: the barman-cloud plugin brings its own",
            "retention_days": "write `archive.retention_days` of the DatabaseWithReplicas",
            "memory_mb": "write `archive.memory_mb` of the DatabaseWithReplicas",
            "store": "write `archive.store` of the DatabaseWithReplicas",
        }
        for name, instead in only_docker.items():
            if (value := getattr(self, name)) is not None:
                wrong = "means something only on a Docker platform"
                found.append(Diagnostic(name, value, wrong, instead, "wrong-platform"))
        return found


@rule(
    "backup-schedule",
    "A schedule must be five fields of cron, in UTC, with a date that exists.",
    "crontab(5)",
    wrong='backups: {schedule: "0 30 3 * * *"}',
    right='backups: {schedule: "30 3 * * *"}',
)
def schedule_problems(path: str, value: str) -> list[Diagnostic]:
    """What is wrong with a schedule at `path`."""
    try:
        parse(value)
    except CronError as error:
        return [Diagnostic(path, value, error.wrong, error.instead)]
    return []
