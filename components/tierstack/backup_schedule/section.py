"""BackupSchedule as a part of stacks."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tierstack.backup_schedule.args import BackupScheduleArgs
from tierstack.backup_schedule.memory import reserved
from tierstack.core.keys import within
from tierstack.core.section import Drawing, Edge, ImageKey, Node, Presence, Section, Surroundings
from tierstack.links import DatabaseEngine
from tierstack.links.database import LONGEST_RETENTION_DAYS


@dataclass(kw_only=True)
class BackupKeys:
    """Keys that a stack has in the place of arguments."""

    retention_days: int | None = field(default=None, metadata=within(1, LONGEST_RETENTION_DAYS, "days"))
    """Length of the recovery window in days: every moment in it can be restored. 1 to 3650. None: 14."""


def _drawing(args: BackupScheduleArgs, around: Surroundings) -> Drawing:
    archive = args.database.archive
    location = archive.location if archive else args.store.location if args.store else None
    where = urlsplit(location).netloc if location else "volume"
    backups = around.box("backups")
    return Drawing(
        [Node(backups, "backups", f"{where}, {args.window_days} days", "backup", 5)],
        [Edge(primary, backups) for primary in around.linked("database.direct")],
    )


SECTION = Section(
    key="backups",
    text="Backups of every database. Left out: none are made.",
    args=BackupScheduleArgs,
    component="tierstack.backup_schedule:BackupSchedule",
    name="backups",
    per="database",
    presence=Presence.OPTIONAL,
    wired=("database", "retention_days", "store"),
    own=BackupKeys,
    given_by={
        "store": "object_storage",
        "database.engine": "database.engine",
        "database.archive": "database.archive",
        "archive.memory_mb": "database.archive.memory_mb",
    },
    images=(
        ImageKey(
            key="barman",
            text="Docker, PostgreSQL: Barman 3.11 or newer with PostgreSQL's client programs.",
            docker="image",
            only=("database.engine", DatabaseEngine.POSTGRESQL),
        ),
        ImageKey(
            key="mysql_backup",
            text="Docker, MySQL: the programs of MySQL in the version of `images.mysql`, with Python.",
            docker="image",
            only=("database.engine", DatabaseEngine.MYSQL),
        ),
    ),
    reserved=reserved,
    drawing=_drawing,
)
