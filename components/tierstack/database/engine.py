"""What a data engine is to the rest of tierstack: everything that one database server answers differently from another.

The component, its arguments, their rules, the tier arithmetic, the application's environment and the picture of a stack
ask a `DataEngine`; none of them knows an engine by name. To add one, write a folder and name it in three places:

| where | what |
|---|---|
| `links/database.py` | its value in `DatabaseEngine`, which configuration and connections carry |
| `database/<engine>/engine.py` | a `DataEngine`: facts, formulas, image keys; pure, as checks ask it without Pulumi |
| `database/<engine>/docker.py` | `build(name, args, parent, logins)`: its containers, on the `Ground` of `docker.py` |
| `database/<engine>/kubernetes.py` | `build(name, args, parent, logins)`: the objects of an operator that exists |
| `database/engines.py` | one line: which `DataEngine` it is |
| `database/__init__.py` | its `build` functions in `BUILDERS`, one for each platform in `DataEngine.platforms` |

Applications log in by turns as two members of an owner (`database/roles.py`): `build` makes these roles, and the update
reaches what uses the connection only after the active one has logged in.

Arguments refuse an engine on a platform that it does not name. All `build` functions return a `DatabaseConnection` with
the same fields filled in, so that consumers ask the link and never the engine. What else in the package lists engines
or their objects, and is asked to know the new one:

- `cluster_addons/catalog.py`: its operator; `platform/asked.py`, `engine/parts.py` and `core/fixed_fields.py`: the
  kinds of the operator's objects, the names that they take, which of them hold data, and what of them never changes;
- `backup_schedule`: how it is backed up. Until then `BackupScheduleArgs` refuses it;
- `docs/components/database.md`, the texts of `database/args.py`, and tests as those in `tests/database/postgresql`.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from tierstack.core.errors import Diagnostic
from tierstack.core.memory import Phase, Reserved
from tierstack.core.section import ImageKey
from tierstack.core.tier import DatabaseSize, PoolerCost
from tierstack.platform import PlatformKind

CHECK_MB = 128
"""Docker: MiB of the client that asks the database through the pooler, once its servers are up."""
PROXY_MB = 128
"""Docker: MiB of the proxy before primary and standbys: HAProxy needs about 32 KiB for a connection."""
SECRETS = "/etc/tierstack/secrets"
"""Docker: where each container finds the secrets that are its own."""

_TAG = re.compile(r"(?<!sha256):([A-Za-z0-9_][A-Za-z0-9._-]*)(?:@|$)")


@dataclass(frozen=True, kw_only=True)
class Process:
    """The server or the pooler: what it is called, and how it runs in a container of a Docker host."""

    title: str
    """What people call it: `PostgreSQL`, `PgBouncer`."""
    image: str
    """The image that is needed, as an error asks for it: `PgBouncer 1.21 or newer`."""
    uid: int
    """User and group that it runs as, and that own its files."""
    port: int
    """Port on which it listens."""
    directory: str
    """Where it finds its configuration, absolute."""
    stop_signal: str
    """Signal on which it ends soonest without losing anything: `SIGINT`."""
    reload: tuple[str, ...] | None
    """Command in its container that lets it read its certificates again without a restart. None: it has none, and
    passes encrypted connections on, so that the certificate of the server carries its name."""

    @property
    def owner(self) -> tuple[int, int]:
        """User and group."""
        return self.uid, self.uid


@dataclass(frozen=True, kw_only=True)
class NameRules:
    """Names of databases and users that need no quotes anywhere."""

    pattern: re.Pattern[str]
    """What a name matches as a whole."""
    described: str
    """The same in words, as an error asks for it: `1 to 63 lower-case letters, …`."""
    databases: frozenset[str]
    """Databases that the server, its pooler or its operator use themselves."""
    users: frozenset[str]
    """Users that they use themselves."""
    prefixes: tuple[str, ...]
    """Beginnings of names that are theirs."""


@dataclass(frozen=True, kw_only=True)
class ParameterRules:
    """Settings of the server that a caller may give."""

    pattern: re.Pattern[str]
    """What the name of a setting matches as a whole."""
    examples: tuple[str, ...]
    """Names as the manual writes them."""
    owned: Mapping[str, str]
    """Settings that the component decides, and what a caller is told to do instead."""
    may_be_empty: frozenset[str]
    """Settings of which an empty value says something, such as no mode at all."""


@dataclass(frozen=True, kw_only=True)
class DataEngine(ABC):
    """The facts and formulas of one engine. The fields are facts; the methods answer for a size or a user."""

    platforms: frozenset[PlatformKind]
    """Where it can be built."""
    server: Process
    """The server itself."""
    pooler: Process
    """What clients connect to."""
    proxy: Process | None
    """Docker: what stands before the servers where there are standbys: it follows the primary, and leaves out a standby
    that lags. None: the engine has none, and no standbys on Docker."""
    transaction_pooling: bool
    """Whether a client of the pooler holds a connection of the server only during a transaction. False: for as long as
    it is connected. The pool then bounds the connected clients, and others wait."""
    docker_replicas: int
    """Standbys that one Docker host may have."""
    needs_proxy: bool
    """Docker: whether there are standbys only behind a proxy."""
    data_directory: str
    """Docker: where the data volume is mounted in the server's container."""
    operators: tuple[str, ...]
    """Kubernetes: the addons that must be in the cluster, by their names in `cluster_addons/catalog.py`."""
    archive_operators: tuple[str, ...]
    """Kubernetes: those that an `archive` needs besides."""
    operator_namespace: str
    """Kubernetes: namespace of the operator where none is given."""
    names: NameRules
    """Names that a database and its user may have."""
    parameters: ParameterRules
    """Settings that may be given."""
    reserved_connections: int
    """Connections of the server that the pools must leave free, for the superuser, migrations, replication, backups and
    monitoring."""
    pooler_cost: PoolerCost
    """What a request costs the pooler, measured, for the capacity estimate."""
    images: tuple[ImageKey, ...]
    """The keys of `images` in a stack's settings that give its databases `image` and `pooler_image`. Only databases
    with this engine ask for them."""

    def major_version(self, image: str) -> int | None:
        """The major version that the tag of `image` names. None: it names none."""
        number = re.match(r"[0-9]+", tag_of(image) or "")
        return int(number[0]) if number else None

    def with_pool(self, size: DatabaseSize, *, connections_given: bool) -> DatabaseSize:
        """The size where no `pool_size` is given. `size`: with that of the tier. `connections_given`: `max_connections`
        is not the tier's and stays."""
        return size

    @abstractmethod
    def version_problems(self, image: str, kind: PlatformKind) -> list[Diagnostic]:
        """What is wrong with the version that the tag of `image` names (`tag_of`), and with a tag that names none."""

    @abstractmethod
    def parameter_problems(self, path: str, name: str, value: str, size: DatabaseSize) -> list[Diagnostic]:
        """What is wrong with the value of a setting that may be given: `shared_buffers` above 40 % of memory."""

    @abstractmethod
    def least_memory(self, size: DatabaseSize) -> tuple[int, str]:
        """(MiB that a server of this size needs at least, what is wrong with less)."""

    @abstractmethod
    def shared_memory_mb(self, size: DatabaseSize) -> int:
        """Docker: MiB of /dev/shm in the server's container."""

    @abstractmethod
    def pooler_memory_mb(self, size: DatabaseSize) -> int:
        """MiB of a pooler: its hard limit."""

    @abstractmethod
    def probe(self, process: Process, user: str, database: str) -> list[str]:
        """Docker: command in the container of `process` that succeeds once it accepts connections."""

    @abstractmethod
    def ready_command(self, user: str, database: str) -> str:
        """Shell command in the server's image that succeeds once the server at `$DB_HOST:$DB_PORT` accepts
        connections; neither user nor database has to exist."""

    @abstractmethod
    def client_environment(self, *, verified: bool) -> dict[str, str]:
        """Variables of an application: its driver, and with `verified` that it verifies chain and name of the server by
        the file `ca_path("database")`. Host, port, database, user and password have the same names for every engine."""

    def reserved(self, size: DatabaseSize, *, proxied: bool) -> list[Reserved]:
        """Docker: the memory of its containers. `proxied`: with a proxy, and with a pooler of the standbys."""
        return [
            Reserved(size.memory_mb, 1 + size.replicas),
            Reserved(self.pooler_memory_mb(size), 2 if proxied else 1),
            *([Reserved(PROXY_MB)] if proxied else []),
            Reserved(CHECK_MB, phase=Phase.ONCE),
        ]


def tag_of(image: str) -> str | None:
    """The tag of an image: `17.6` of `registry.example/postgresql:17.6@sha256:…`. None: it has none."""
    tag = _TAG.search(image)
    return tag[1] if tag else None
