"""Which data engine is meant by a value of configuration or connection. Pure; `engine.py` says what one is."""

from tierstack.database.engine import DataEngine
from tierstack.database.mysql.engine import MYSQL
from tierstack.database.postgresql.engine import POSTGRESQL
from tierstack.links import DatabaseEngine

ENGINES: dict[DatabaseEngine, DataEngine] = {DatabaseEngine.POSTGRESQL: POSTGRESQL, DatabaseEngine.MYSQL: MYSQL}
"""Every engine."""
