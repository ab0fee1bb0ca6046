"""Which dialect is meant by the engine of backups."""

from tierstack.links import DatabaseEngine
from tierstack.recovery.dialect import Dialect
from tierstack.recovery.mysql import MySQL
from tierstack.recovery.postgresql import PostgreSQL

DIALECTS: dict[str, Dialect] = {
    DatabaseEngine.POSTGRESQL.value: PostgreSQL(),
    DatabaseEngine.MYSQL.value: MySQL(),
}
"""Every engine that can be restored by a command."""
