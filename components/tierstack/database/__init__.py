"""DatabaseWithReplicas: PostgreSQL behind PgBouncer, with streaming replicas."""

import pulumi

from tierstack.database import docker, kubernetes
from tierstack.database.archive import DatabaseArchiveArgs
from tierstack.database.args import DatabaseWithReplicasArgs
from tierstack.links import DatabaseConnection
from tierstack.platform import PlatformKind
from tierstack.platform.component import Component
from tierstack.platform.program import NameRule

__all__ = ["DatabaseArchiveArgs", "DatabaseWithReplicas", "DatabaseWithReplicasArgs"]


class DatabaseWithReplicas(Component):
    """A PostgreSQL server with its pooler, and standbys where the tier has them."""

    names = NameRule(docker=53, kubernetes=49, service=True)

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
    """Role that owns the database."""
    connection: DatabaseConnection
    """How to reach it: what an AppCluster and a BackupSchedule take as `database`."""

    def __init__(self, name: str, args: DatabaseWithReplicasArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError with everything that is wrong in `args`; nothing is registered then."""
        args = self.begin(name, args, DatabaseWithReplicasArgs, opts)
        build = docker.build if args.platform.kind is PlatformKind.DOCKER else kubernetes.build
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
