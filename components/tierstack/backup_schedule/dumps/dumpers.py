"""Which dump program is meant by the `engine` of the settings. The agent in the container runs this very file."""

from collections.abc import Callable, Mapping
from typing import Any

from tierstack.backup_schedule.dumps.dumper import Dumper
from tierstack.backup_schedule.dumps.mysql import MySQL
from tierstack.backup_schedule.dumps.postgresql import PostgreSQL

DUMPERS: dict[str, Callable[[Mapping[str, Any]], Dumper]] = {"postgresql": PostgreSQL, "mysql": MySQL}


def dumper_of(settings: Mapping[str, Any]) -> Dumper:
    """What dumps the database of the settings."""
    return DUMPERS[settings["engine"]](settings)
