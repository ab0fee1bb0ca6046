"""The memory of the containers of a DatabaseDumps on a Docker host. Pure, and without what runs in them."""

from tierstack.backup_schedule.dumps.args import DatabaseDumpsArgs
from tierstack.backup_schedule.memory import PREPARE_MB
from tierstack.backup_schedule.restic.memory import PRUNE_MB
from tierstack.core.memory import Phase, Reserved


def reserved(args: DatabaseDumpsArgs) -> list[Reserved]:
    """What its containers reserve."""
    prune = [Reserved(PRUNE_MB)] if args.store else []
    return [Reserved(args.container_memory_mb), *prune, Reserved(PREPARE_MB, phase=Phase.ONCE)]
