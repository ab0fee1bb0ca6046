"""FileBackups as a part of stacks."""

from urllib.parse import urlsplit

from tierstack.backup_schedule.restic.args import FileBackupsArgs
from tierstack.backup_schedule.restic.memory import reserved
from tierstack.core.section import Drawing, Edge, ImageKey, Node, Presence, Section, Surroundings


def _drawing(args: FileBackupsArgs, around: Surroundings) -> Drawing:
    where = urlsplit(args.store.location).netloc if args.store else "volume"
    backups = around.box("files")
    return Drawing(
        [Node(backups, "file backups", where, "backup", 5)],
        [Edge(app, backups) for app in around.linked("files")],
    )


SECTION = Section(
    key="file_backups",
    text="Backups of the uploads of every application, on a Docker host. Left out: none are made.",
    args=FileBackupsArgs,
    component="tierstack.backup_schedule:FileBackups",
    name="files",
    per="app",
    presence=Presence.OPTIONAL,
    wired=("files", "store"),
    given_by={
        "store": "object_storage",
        "files": "file_backups",
        "files.volume": "app.uploads",
        "files.user": "app.user",
    },
    images=(
        ImageKey(
            key="restic",
            text="Docker: restic 0.18 or newer with Python, and boto3 for a bucket. Required for `file_backups`.",
            docker="image",
            required=True,
        ),
    ),
    reserved=reserved,
    drawing=_drawing,
)
