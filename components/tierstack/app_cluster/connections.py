"""What an application gets of each database and Redis that it is connected to (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi

from tierstack.app_cluster.application import Application
from tierstack.links import DatabaseConnection, RedisConnection, SecretRef, TrustedCA
from tierstack.platform.internal_ca import ca_path


@dataclass(frozen=True, kw_only=True)
class Connected:
    """One connection, as the processes of an application see it."""

    path: str
    """The argument that gives it: `database`, `redis`, `more_redis.cache`."""
    of: str
    """Name of its CA among those that processes trust: `database`, `redis`, `redis-cache`."""
    link: DatabaseConnection | RedisConnection
    plain: Mapping[str, str]
    """Variables that are known at preview."""
    late: Mapping[str, pulumi.Input[str]]
    """Variables that are known during the update."""
    password: str
    """The variable of its password."""
    direct: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])
    """Variables that only the migration has."""

    @property
    def secret(self) -> SecretRef:
        """Its password."""
        return self.link.password

    @property
    def ca(self) -> TrustedCA | None:
        """What processes verify it by. None: nothing."""
        return self.link.ca

    @property
    def variables(self) -> list[str]:
        """The names of all its variables."""
        return [*self.plain, *self.late, self.password, *self.direct]


def connected(app: Application) -> list[Connected]:
    """Every connection of an application."""
    found = [_database(app.database, app.persistent_connections)] if app.database else []
    if app.redis:
        found.append(_redis("redis", "redis", "REDIS", app.redis))
    for name, link in app.more_redis.items():
        prefix = f"REDIS_{name.upper().replace('-', '_')}"
        found.append(_redis(f"more_redis.{name}", f"redis-{name}", prefix, link))
    return found


def trusted(app: Application) -> dict[str, TrustedCA]:
    """The internal CAs that processes verify servers by, by what they are of (see `internal_ca`)."""
    return {one.of: one.ca for one in connected(app) if one.ca}


def _database(link: DatabaseConnection, persistent: bool) -> Connected:
    plain = {
        **link.environment,
        "DB_DATABASE": link.database,
        "DB_USERNAME": link.user,
        "DB_PERSISTENT": "true" if persistent else "false",
    }
    return Connected(
        path="database",
        of="database",
        link=link,
        plain=plain,
        late={"DB_HOST": link.host, "DB_PORT": link.port},
        password="DB_PASSWORD",
        direct={"DB_DIRECT_HOST": link.direct_host, "DB_DIRECT_PORT": link.direct_port},
    )


def _redis(path: str, of: str, prefix: str, link: RedisConnection) -> Connected:
    encrypted = {f"{prefix}_SCHEME": "tls", f"{prefix}_CAFILE": ca_path(of)} if link.ca else {}
    return Connected(
        path=path,
        of=of,
        link=link,
        plain={**encrypted, **({f"{prefix}_USERNAME": link.user} if link.user else {})},
        late={f"{prefix}_HOST": link.host, f"{prefix}_PORT": link.port},
        password=f"{prefix}_PASSWORD",
    )
