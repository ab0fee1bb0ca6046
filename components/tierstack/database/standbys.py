"""The engines whose standbys can be promoted on a Docker host."""

from tierstack.database.mysql.promotion import MYSQL_STANDBY
from tierstack.database.postgresql.promotion import POSTGRESQL_STANDBY
from tierstack.database.standby import StandbyEngine
from tierstack.links import DatabaseEngine

STANDBY_ENGINES: dict[str, StandbyEngine] = {
    DatabaseEngine.POSTGRESQL.value: POSTGRESQL_STANDBY,
    DatabaseEngine.MYSQL.value: MYSQL_STANDBY,
}
"""By the value of their `DatabaseEngine`."""
