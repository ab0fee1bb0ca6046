"""DatabaseWithReplicas: a database server behind its pooler, with replicas where the engine and the tier have them."""

from collections.abc import Callable

import pulumi

from tierstack.database.archive import DatabaseArchiveArgs
from tierstack.database.args import DatabaseWithReplicasArgs
from tierstack.database.changes import problems_of
from tierstack.database.mysql.docker import build as mysql_on_docker
from tierstack.database.postgresql.docker import build as postgresql_on_docker
from tierstack.database.postgresql.kubernetes import build as postgresql_on_kubernetes
from tierstack.database.restore import DatabaseRestoreArgs
from tierstack.links import DatabaseConnection, DatabaseEngine
from tierstack.platform import PlatformKind
from tierstack.platform.component import Component
from tierstack.platform.program import NameRule

__all__ = ["DatabaseArchiveArgs", "DatabaseRestoreArgs", "DatabaseWithReplicas", "DatabaseWithReplicasArgs"]

Builder = Callable[[str, DatabaseWithReplicasArgs, pulumi.Resource], DatabaseConnection]
"""Makes everything of the database `name` below a parent, and tells how to reach it."""
BUILDERS: dict[tuple[DatabaseEngine, PlatformKind], Builder] = {
    (DatabaseEngine.POSTGRESQL, PlatformKind.DOCKER): postgresql_on_docker,
    (DatabaseEngine.POSTGRESQL, PlatformKind.KUBERNETES): postgresql_on_kubernetes,
    (DatabaseEngine.MYSQL, PlatformKind.DOCKER): mysql_on_docker,
}
"""What builds each engine on each kind of platform that it names."""


class DatabaseWithReplicas(Component):
    """A database server with its pooler, and standbys where the tier has them."""

    names = NameRule(docker=53, kubernetes=49, service=True)
    changes = staticmethod(problems_of)

    host: pulumi.Output[str]
    """Host of the pooler, for applications."""
    port: pulumi.Output[str]
    """Port of the pooler."""
    direct_host: pulumi.Output[str]
    """Host of the primary itself, for migrations."""
    direct_port: pulumi.Output[str]
    """Port of the primary."""
    database: pulumi.Output[str]
    """Name of the database."""
    user: pulumi.Output[str]
    """User of the application."""
    connection: DatabaseConnection
    """How to reach it: what an AppCluster and a BackupSchedule take as `database`."""

    def __init__(self, name: str, args: DatabaseWithReplicasArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError with everything that is wrong in `args`; nothing is registered then."""
        args = self.begin(name, args, DatabaseWithReplicasArgs, opts)
        build = BUILDERS[args.engine, args.platform.kind]
        connection = build(self.physical_name, args, self)
        self.connection = connection
        self.finish(
            {
                "host": connection.host,
                "port": connection.port,
                "direct_host": connection.direct_host,
                "direct_port": connection.direct_port,
                "database": connection.database,
                "user": connection.user,
            }
        )
