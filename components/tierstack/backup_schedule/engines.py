"""Which engine is meant by the `engine` of a connection; `engine.py` says what one is."""

from tierstack.backup_schedule.engine import BackupEngine
from tierstack.backup_schedule.mysql.engine import MYSQL
from tierstack.backup_schedule.postgresql import POSTGRESQL
from tierstack.links import DatabaseEngine

ENGINES: dict[str, BackupEngine] = {
    DatabaseEngine.POSTGRESQL.value: POSTGRESQL,
    DatabaseEngine.MYSQL.value: MYSQL,
}
"""Every engine that is backed up on a Docker host."""
