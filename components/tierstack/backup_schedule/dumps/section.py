"""DatabaseDumps as a part of stacks."""

from urllib.parse import urlsplit

from tierstack.backup_schedule.dumps.args import DatabaseDumpsArgs
from tierstack.backup_schedule.dumps.memory import reserved
from tierstack.core.section import Drawing, Edge, ImageKey, Node, Presence, Section, Surroundings
from tierstack.links import DatabaseEngine


def _drawing(args: DatabaseDumpsArgs, around: Surroundings) -> Drawing:
    where = urlsplit(args.store.location).netloc if args.store else "volume"
    dumps = around.box("dumps")
    return Drawing(
        [Node(dumps, "dumps", where, "backup", 5)],
        [Edge(primary, dumps) for primary in around.linked("database.direct")],
    )


SECTION = Section(
    key="dumps",
    text="Logical dumps of every database, on a Docker host. Left out: none are made.",
    args=DatabaseDumpsArgs,
    component="tierstack.backup_schedule:DatabaseDumps",
    name="dumps",
    per="database",
    presence=Presence.OPTIONAL,
    wired=("database", "store"),
    given_by={"store": "object_storage"},
    images=(
        ImageKey(
            key="postgresql_dump",
            text="Docker, PostgreSQL: pg_dump of the server's version, restic 0.18 or newer and Python.",
            docker="image",
            only=("database.engine", DatabaseEngine.POSTGRESQL),
        ),
        ImageKey(
            key="mysql_dump",
            text="Docker, MySQL: mysqldump of the server's version, restic 0.18 or newer and Python.",
            docker="image",
            only=("database.engine", DatabaseEngine.MYSQL),
        ),
    ),
    reserved=reserved,
    drawing=_drawing,
)
