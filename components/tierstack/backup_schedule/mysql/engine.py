"""MySQL as an engine that is backed up: by CLONE and its binary logs."""

from pathlib import Path
from typing import Any, final

import pulumi

from tierstack.backup_schedule.engine import BackupEngine, Goal, Source, Step, Wanted
from tierstack.backup_schedule.mysql import agent, files, restore
from tierstack.backup_schedule.mysql.catalog import SENT, number
from tierstack.links import DatabaseConnection, SecretRef


@final
class _MySQL(BackupEngine):
    def program(self, *, store: bool = False) -> dict[str, str]:
        return files.program(store=store)

    def pruning(self, retention_days: int, least_copies: int) -> dict[str, Any]:
        return {"retention_days": retention_days, "least_copies": least_copies}

    def sent(self) -> list[str]:
        return ["sh", "-c", f'cat "{agent.CATALOG}/{SENT}/$(cat {agent.CATALOG}/history)"']

    def reached(self, sent: str, position: str) -> bool:
        (log, length), (wanted, at) = (one.split()[:2] for one in (sent, position))
        return (number(log), int(length)) >= (number(wanted), int(at))

    def files(self, database: DatabaseConnection, wanted: Wanted) -> dict[str, pulumi.Input[str]]:
        user, password = database.backup_user or "", database.backup_password or SecretRef()
        verified = database.ca is not None
        at = pulumi.Output.all(database.direct_host, database.direct_port)
        known = pulumi.Output.secret(pulumi.Output.all(database.direct_host, database.direct_port, password.value))
        return {
            "client.cnf": known.apply(
                lambda one: files.client_cnf(one[0], one[1], user, one[2] or "", verified=verified)
            ),
            "settings.json": at.apply(lambda one: files.settings_json(one[0], one[1], user, wanted, verified=verified)),
        }

    def catalog_of(self, source: Source) -> list[str]:
        return restore.catalog_of(source)

    def aside_commands(self, source: Source, *, aside: str, server_image: str, goal: Goal) -> list[Step]:
        return restore.commands(source, aside=aside, server_image=server_image, goal=goal)

    def in_place_commands(
        self, source: Source, *, volume: str, container: str, aside: str, server_image: str, goal: Goal
    ) -> list[Step]:
        return restore.in_place_commands(source, volume=volume, container=container, aside=aside, goal=goal)

    def reserve_in_place(self, source: Source, *, volume: str, aside: str) -> list[str]:
        return restore.reserve_in_place(source, volume=volume, aside=aside)

    def undo_in_place(self, source: Source, *, volume: str, container: str, aside: str) -> list[list[str]]:
        return restore.undo_in_place(source, volume=volume, container=container, aside=aside)


MYSQL = _MySQL(
    module=agent.__name__,
    prune="tierstack.backup_schedule.mysql.prune",
    container="agent",
    owner=(999, 999),
    config=Path(agent.CONFIG),
    catalog=Path(agent.CATALOG),
    environment=restore.ENVIRONMENT,
    # A reader of binary logs leaves nothing on the primary.
    forgets=False,
    prepare_seconds=agent.PREPARE_SECONDS,
    data_directory="/var/lib/mysql",
    before=restore.BEFORE,
    restoring=restore.RESTORE,
    gtids=True,
)
"""The engine of `DatabaseEngine.MYSQL`."""
