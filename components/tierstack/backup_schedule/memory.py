"""The memory of the containers of a BackupSchedule on a Docker host. Pure, and without what runs in them."""

from tierstack.backup_schedule.args import BackupScheduleArgs
from tierstack.core.memory import Phase, Reserved

PREPARE_MB = 256
"""MiB of what looks at the primary once, before the first backup."""
PRUNE_MB = 256
"""MiB of what removes old backups from a bucket."""


def reserved(args: BackupScheduleArgs) -> list[Reserved]:
    """What its containers reserve."""
    prune = [Reserved(PRUNE_MB)] if args.store else []
    return [Reserved(args.container_memory_mb), *prune, Reserved(PREPARE_MB, phase=Phase.ONCE)]
