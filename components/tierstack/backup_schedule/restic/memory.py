"""The memory of the containers of a FileBackups on a Docker host. Pure, and without what runs in them."""

from tierstack.backup_schedule.restic.args import FileBackupsArgs
from tierstack.core.memory import Reserved

PRUNE_MB = 384
"""MiB of what removes old backups from a bucket: restic with the index of the repository, and Python with boto3."""


def reserved(args: FileBackupsArgs) -> list[Reserved]:
    """What its containers reserve."""
    return [Reserved(args.container_memory_mb), *([Reserved(PRUNE_MB)] if args.store else [])]
