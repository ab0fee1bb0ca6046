"""PostgreSQL as an engine that is backed up: by Barman."""

from pathlib import Path
from typing import Any, final

import pulumi

from tierstack.backup_schedule import agent, config, restore
from tierstack.backup_schedule.engine import BackupEngine, Goal, Source, Step, Wanted
from tierstack.links import DatabaseConnection, SecretRef


@final
class _PostgreSQL(BackupEngine):
    def program(self, *, store: bool = False) -> dict[str, str]:
        return config.program(store=store)

    def pruning(self, retention_days: int, least_copies: int) -> dict[str, Any]:
        return {"retention_days": retention_days}

    def sent(self) -> list[str]:
        return ["cat", str(agent.CATALOG / agent.SERVER / "sent-wal")]

    def reached(self, sent: str, position: str) -> bool:
        return sent.strip() >= position.strip()  # names of segments sort so

    def files(self, database: DatabaseConnection, wanted: Wanted) -> dict[str, pulumi.Input[str]]:
        user, password = database.backup_user or "", database.backup_password or SecretRef()
        verified = database.ca is not None
        connection = pulumi.Output.all(database.direct_host, database.direct_port).apply(
            lambda at: config.conninfo(at[0], at[1], user, "postgres", verified=verified)
        )
        return {
            "barman.conf": connection.apply(
                lambda text: config.barman_conf(text, wanted.retention_days, wanted.least_copies)
            ),
            "pgpass": pulumi.Output.secret(password.value).apply(lambda value: config.pgpass(user, value or "")),
            "settings.json": connection.apply(
                lambda text: config.settings_json(wanted.schedule, text, wanted.labels, wanted.store)
            ),
        }

    def catalog_of(self, source: Source) -> list[str]:
        return restore.catalog_of(source)

    def aside_commands(self, source: Source, *, aside: str, server_image: str, goal: Goal) -> list[Step]:
        return restore.commands(source, aside=aside, postgres_image=server_image, time=goal.time)

    def in_place_commands(
        self, source: Source, *, volume: str, container: str, aside: str, server_image: str, goal: Goal
    ) -> list[Step]:
        return restore.in_place_commands(
            source, volume=volume, container=container, aside=aside, postgres_image=server_image, time=goal.time
        )

    def reserve_in_place(self, source: Source, *, volume: str, aside: str) -> list[str]:
        return restore.reserve_in_place(source, volume=volume, aside=aside)

    def undo_in_place(self, source: Source, *, volume: str, container: str, aside: str) -> list[list[str]]:
        return restore.undo_in_place(source, volume=volume, container=container, aside=aside)


POSTGRESQL = _PostgreSQL(
    module=agent.__name__,
    prune="tierstack.backup_schedule.prune",
    container="barman",
    # The image's /var/lib/barman belongs to them.
    owner=(26, 26),
    config=agent.CONFIG,
    catalog=Path(agent.CATALOG),
    environment=restore.ENVIRONMENT,
    forgets=True,
    prepare_seconds=agent.PREPARE_SECONDS,
    data_directory="/var/lib/postgresql/data",
    before="pgdata.before",
    restoring=restore.RESTORE,
    gtids=False,
)
"""The engine of `DatabaseEngine.POSTGRESQL`."""
