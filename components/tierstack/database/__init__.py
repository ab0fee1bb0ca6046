"""DatabaseWithReplicas: a database server behind its pooler, with replicas where the engine and the tier have them."""

from collections.abc import Callable, Mapping
from typing import Any

import pulumi

from tierstack.core.before import Before
from tierstack.database.archive import DatabaseArchiveArgs
from tierstack.database.args import DatabaseWithReplicasArgs
from tierstack.database.mysql.docker import build as mysql_on_docker
from tierstack.database.postgresql.docker import build as postgresql_on_docker
from tierstack.database.postgresql.kubernetes import build as postgresql_on_kubernetes
from tierstack.database.removed import problems_on_host
from tierstack.database.restore import DatabaseRestoreArgs
from tierstack.database.roles import Logins, logins
from tierstack.database.standby import Servers
from tierstack.links import DatabaseConnection, DatabaseEngine
from tierstack.platform import PlatformKind, own_state
from tierstack.platform.component import Component
from tierstack.platform.program import NameRule

__all__ = ["DatabaseArchiveArgs", "DatabaseRestoreArgs", "DatabaseWithReplicas", "DatabaseWithReplicasArgs"]

Builder = Callable[[str, DatabaseWithReplicasArgs, pulumi.Resource, Logins], DatabaseConnection]
"""Makes everything of the database `name` below a parent, with its logins, and tells how to reach it."""
BUILDERS: dict[tuple[DatabaseEngine, PlatformKind], Builder] = {
    (DatabaseEngine.POSTGRESQL, PlatformKind.DOCKER): postgresql_on_docker,
    (DatabaseEngine.POSTGRESQL, PlatformKind.KUBERNETES): postgresql_on_kubernetes,
    (DatabaseEngine.MYSQL, PlatformKind.DOCKER): mysql_on_docker,
}
"""What builds each engine on each kind of platform that it names."""


class DatabaseWithReplicas(Component):
    """A database server with its pooler, and standbys where the tier has them."""

    names = NameRule(docker=53, kubernetes=49, service=True)
    changes = staticmethod(problems_on_host)

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
    """User of the application: the login role of the password generation."""
    owner: pulumi.Output[str]
    """The owner of the tables, which never logs in."""
    password_generation: pulumi.Output[int]
    """Generation of the application's password."""
    owner_logs_in: pulumi.Output[bool]
    """Whether the owner's own password is still valid, as it was before the first generation."""
    servers: pulumi.Output[str]
    """What `tierstack database` needs to know of its servers, as JSON. None of it is secret. Empty where no standby can
    be promoted."""
    connection: DatabaseConnection
    """How to reach it: what an AppCluster and a BackupSchedule take as `database`."""

    def __init__(self, name: str, args: DatabaseWithReplicasArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError with everything that is wrong in `args`; nothing is registered then."""
        args = self.begin(name, args, DatabaseWithReplicasArgs, opts)
        build = BUILDERS[args.engine, args.platform.kind]
        known = logins(args.user, args.password_generation, self._made(name, args))
        connection = build(self.physical_name, args, self, known)
        self.connection = connection
        self.finish(
            {
                "host": connection.host,
                "port": connection.port,
                "direct_host": connection.direct_host,
                "direct_port": connection.direct_port,
                "database": connection.database,
                "user": connection.user,
                "owner": known.owner,
                "password_generation": known.generation,
                "owner_logs_in": known.owner_logs_in,
                "servers": Servers.described(self.physical_name, args),
            }
        )

    def _made(self, name: str, args: DatabaseWithReplicasArgs) -> Mapping[str, Any] | None:
        """The outputs that it has in the state; empty where it is not there yet. None: rendered, and then nobody knows
        what was applied."""
        if args.platform.renders:
            return None
        return Before(own_state.resources() or {}).component("DatabaseWithReplicas", name) or {}
