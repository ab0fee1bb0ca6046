"""The arguments of DatabaseDumps and their rules."""

import re
from dataclasses import dataclass, field

import pulumi

from tierstack.backup_schedule.args import DrillArgs, schedule_problems
from tierstack.backup_schedule.dumps.facts import FACTS, DumpFacts
from tierstack.backup_schedule.restic.args import KeepArgs, password_problems
from tierstack.core.bounds import bound_problems
from tierstack.core.errors import MISSING, Diagnostic, declare, rule
from tierstack.core.keys import within
from tierstack.links import DatabaseConnection, ObjectStore
from tierstack.platform import Platform, PlatformKind, image_problems

declare(
    "dumps-platform",
    "DatabaseDumps makes dumps on a Docker host.",
    why="In a cluster the operator makes base backups and archives the log; a CronJob of pg_dump needs rights and an "
    "image of its own.",
)
declare(
    "dumps-connection",
    "The connection must say as whom a database is dumped.",
    "PostgreSQL: the user that reads. MySQL: that of the backups.",
)
declare("dumps-engine", "DatabaseDumps must know the engine of the database.")
WHOLE = "all"
"""Name of the dump of everything, where no jobs are given."""
MEMORY_MB = 512
"""Limit of the agent's container where none is given."""
_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")


def _kept() -> KeepArgs:
    return KeepArgs(daily=None, within_days=30)


@dataclass(kw_only=True)
class DumpJobArgs:
    """One dump: of what, when, and how long it is kept."""

    schedule: str = "0 1,13 * * *"
    """When it is made: five-field cron, in UTC. Default: twice a day, at 01:00 and 13:00. The first is made at once;
    one that was missed is made up for."""
    keep: KeepArgs = field(default_factory=_kept)
    """Which of its dumps are kept. Default: all of the last 30 days, and always the newest."""
    tables: list[str] | None = None
    """Only the rows of these tables: `orders`, of PostgreSQL also with a schema, `audit.orders`. None: the whole
    database."""

    def problems(self, path: str, facts: DumpFacts | None) -> list[Diagnostic]:
        """Everything that is wrong with it."""
        found = schedule_problems(f"{path}.schedule", self.schedule)
        if self.tables is not None and not self.tables:
            wrong = "is an empty list, so nothing would be dumped"
            return [*found, Diagnostic(f"{path}.tables", [], wrong, _LEFT_OUT, "dump-table")]
        for index, name in enumerate(self.tables or []):
            if facts and not facts.table.fullmatch(name):
                wrong = "is not the name of a table"
                instead = f"write it as {facts.described}, without quotes or patterns"
                found.append(Diagnostic(f"{path}.tables[{index}]", name, wrong, instead, "dump-table"))
        return found


_LEFT_OUT = "name tables, or leave it out: the whole database is dumped then"
declare(
    "dump-table",
    "Tables of a dump must be plain names.",
    wrong="dumps: {jobs: {critical: {tables: ['order*']}}}",
    right="dumps: {jobs: {critical: {tables: [orders, payments]}}}",
)


@dataclass(kw_only=True)
class DatabaseDumpsArgs:
    """Logical dumps of a database on a schedule, by pg_dump or mysqldump: encrypted, deduplicated, checked."""

    platform: Platform
    """Where the database runs: `DockerHost(…)`."""
    database: DatabaseConnection
    """The database to dump: `DatabaseWithReplicas.connection`. The primary itself is read, not the pooler."""
    image: pulumi.Input[str] | None = None
    """Image with restic ≥ 0.18, Python ≥ 3.11 and the client programs of the server's version, with a bucket also
    boto3; by digest (`repo@sha256:…`) or image id. PostgreSQL: pg_dump, pg_restore and psql of its major version.
    MySQL: mysqldump and mysql of its release. Required."""
    jobs: dict[str, DumpJobArgs] | None = None
    """The dumps by their names, each with its own schedule, retention and tables. None: one named `all`, of the whole
    database, twice a day, kept for 30 days."""
    lock_seconds: int = field(default=60, metadata=within(1, 3600, "seconds"))
    """How long a dump waits for the lock of a table that a migration holds, before it fails and is tried again after
    five minutes. 1 to 3600. Default: 60. What waits behind a waiting dump waits as long."""
    longest_minutes: int = field(default=240, metadata=within(1, 1440, "minutes"))
    """A dump that takes longer is ended, and its locks are released: until it ends, no migration changes a table that
    it reads. 1 to 1440. Default: 240."""
    check_schedule: str = "45 4 * * *"
    """When the newest dump of each name is read back whole, and the repository is checked: five-field cron, in UTC.
    Default: every night at 04:45."""
    check_parts: int = field(default=10, metadata=within(1, 1000))
    """Each check reads one of so many parts of all data besides, the next one each time, so that everything was read
    after so many checks. 1 to 1000. Default: 10."""
    store: ObjectStore | None = None
    """The bucket that the dumps go to, `store` of an ObjectStorage. None: a volume of the host, which is lost with
    it."""
    password: pulumi.Input[str] | None = field(default=None, metadata={"secret": True})
    """Password that the repository is encrypted with; at least 16 characters. Give that of a repository which exists
    already. None: one is made (output `repository_password`); without it no dump can be read."""
    first_dump_minutes: int = field(default=15, metadata=within(1, 1440, "minutes"))
    """How long an update waits for the first dump of each name. 1 to 1440. Default: 15. Raise it before a large
    database: 50 GB at 50 MB/s take 17 minutes."""
    memory_mb: int | None = field(default=None, metadata=within(128, 65536, "MiB"))
    """Hard memory limit of the container in MiB. 128 to 65536. None: 512."""
    drill: DrillArgs | None = None
    """What a restore that is tried must find right, and an alert where none was; `max_lost_seconds` means nothing here.
    None: `tierstack drill` can be run, and nothing tells that it was not."""
    physical_name: str | None = None
    """What the names of its objects begin with, where that is not the component's name: give the old name here when the
    component is renamed, and nothing is replaced. None: the component's name."""

    def problems(self) -> list[Diagnostic]:
        """All rules, in the order of the fields."""
        found = self.platform.problems()
        if self.platform.kind is not PlatformKind.DOCKER:
            return [*found, self._elsewhere()]
        found += self._login()
        if self.image is None:
            instead = f"give {self.facts.image if self.facts else 'an image with a dump program'}, by digest"
            found.append(Diagnostic("image", MISSING, "is required on a Docker host", instead, "required-on-platform"))
        else:
            found += image_problems("image", self.image, self.platform.kind)
        found += _names(self.jobs)
        for name, one in self.all_jobs.items():
            found += one.problems(f"jobs.{name}", self.facts)
        found += schedule_problems("check_schedule", self.check_schedule)
        found += password_problems(self.password)
        found += self.drill.problems("drill") if self.drill else []
        return found + bound_problems(self)

    def _elsewhere(self) -> Diagnostic:
        wrong = "is on Kubernetes, where DatabaseDumps makes no dumps"
        instead = (
            "make it on a Docker host only (in a stack: `docker.dumps`); on Kubernetes use base backups and log "
            "(`backups`), and where a dump is needed a CronJob of pg_dump with the read user"
        )
        return Diagnostic("database", MISSING, wrong, instead, "dumps-platform")

    def _login(self) -> list[Diagnostic]:
        if self.facts is None:
            wrong = "is an engine that DatabaseDumps does not dump"
            known = " or ".join(f"`{one}`" for one in FACTS)
            return [Diagnostic("database.engine", self.database.engine, wrong, f"use {known}", "dumps-engine")]
        kind = self.facts.reader
        instead = "pass the `connection` of a DatabaseWithReplicas on this Docker host"
        return [
            Diagnostic(f"database.{name}", MISSING, "is needed to dump the primary", instead, "dumps-connection")
            for name in (f"{kind}_user", f"{kind}_password", "direct_network")
            if getattr(self.database, name) is None
        ]

    @property
    def facts(self) -> DumpFacts | None:
        """What is known of the engine. None: it is not dumped."""
        return FACTS.get(self.database.engine)

    @property
    def all_jobs(self) -> dict[str, DumpJobArgs]:
        """The dumps by their names, also where none are given."""
        return {WHOLE: DumpJobArgs()} if self.jobs is None else self.jobs

    @property
    def container_memory_mb(self) -> int:
        """The container's limit in MiB."""
        return MEMORY_MB if self.memory_mb is None else self.memory_mb


@rule("dump-name", "A dump must have a name of small letters, digits and dashes, and there must be one.")
def _names(jobs: dict[str, DumpJobArgs] | None) -> list[Diagnostic]:
    if jobs is not None and not jobs:
        return [Diagnostic("jobs", {}, "is empty, so nothing would be dumped", "leave it out, or name a dump")]
    instead = "write 1 to 31 small letters, digits and dashes, beginning with a letter, such as `critical`"
    return [
        Diagnostic(f"jobs.{name}", name, "is not a name for a dump", instead)
        for name in jobs or {}
        if not _NAME.fullmatch(name)
    ]
