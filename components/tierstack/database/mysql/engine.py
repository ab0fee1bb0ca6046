"""MySQL as a data engine: its facts and rules. Pure."""

import dataclasses
import re
from typing import final

from tierstack.core.errors import Diagnostic, rule
from tierstack.core.section import ImageKey
from tierstack.core.tier import DatabaseSize, PoolerCost
from tierstack.database.engine import DataEngine, NameRules, Process, tag_of
from tierstack.database.haproxy import PROBE
from tierstack.database.mysql import parameters, sizing
from tierstack.database.roles import MONITOR
from tierstack.platform import PlatformKind
from tierstack.platform.internal_ca import ca_path

VERSIONS = ("8.4", "9.7")
"""The releases with long-term support that are accepted. Only 9.7 was run."""
SOCKET = "/tmp/mysqld.sock"
"""The server's socket, in memory of its own container: who comes through it is in that container."""
SUPERUSER = "root"
"""It comes through the socket only, and has no password. The users that read and monitor come through it, too."""


def local(program: str, user: str) -> list[str]:
    """The beginning of a command in the server's container that comes through the socket as `user`."""
    return [program, "--no-defaults", f"--socket={SOCKET}", f"--user={user}"]


@final
class _MySQL(DataEngine):
    @rule(
        "database-mysql-version",
        "The image must be a MySQL with long-term support: 8.4 or 9.7.",
        "MySQL: Innovation and LTS Releases",
        wrong="images: {mysql: mysql:8.0@sha256:…}",
        right="images: {mysql: mysql:8.4@sha256:…}",
    )
    def version_problems(self, image: str, kind: PlatformKind) -> list[Diagnostic]:
        if "mariadb" in image.partition("@")[0].lower():
            wrong = "is MariaDB, which has neither CLONE nor the GTIDs of MySQL, so no standby or backup could be made"
            return [Diagnostic("image", image, wrong, f"write an image of {self.server.image}")]
        tag = tag_of(image) or ""
        version = re.match(r"[0-9]+(\.[0-9]+)?", tag)
        # A tag of the major version alone names none, and an image id has no tag.
        if version is None or version[0] in {one.partition(".")[0] for one in VERSIONS} | set(VERSIONS):
            return []
        wrong = f"is MySQL {version[0]}, which has no long-term support"
        return [Diagnostic("image", image, wrong, f"write an image of {self.server.image}")]

    def parameter_problems(self, path: str, name: str, value: str, size: DatabaseSize) -> list[Diagnostic]:
        return parameters.problems(path, name, value, size)

    def with_pool(self, size: DatabaseSize, *, connections_given: bool) -> DatabaseSize:
        size = size if connections_given else sizing.with_connections(size)
        return dataclasses.replace(size, pool_size=sizing.pool_size(size))

    def least_memory(self, size: DatabaseSize) -> tuple[int, str]:
        working = sizing.working_connections(size)
        wrong = f"does not hold the server, a buffer pool of {sizing.CHUNK_MB} MiB and {working} connections"
        return sizing.least_memory_mb(size), wrong

    def shared_memory_mb(self, size: DatabaseSize) -> int:
        return 64

    def pooler_memory_mb(self, size: DatabaseSize) -> int:
        return sizing.pooler_memory_mb(size)

    def probe(self, process: Process, user: str, database: str) -> list[str]:
        # A server whose connections are all taken answers `ping` with an error, and mysqladmin calls that alive.
        return [*local("mysqladmin", MONITOR), "ping"] if process is self.server else PROBE

    def ready_command(self, user: str, database: str) -> str:
        return 'mysqladmin --no-defaults --connect-timeout=3 --host="$DB_HOST" --port="$DB_PORT" --user=none ping'

    def client_environment(self, *, verified: bool) -> dict[str, str]:
        # Laravel's config/database.php hands the file to PDO under this name; PHP then verifies chain and name.
        return {"DB_CONNECTION": "mysql", **({"MYSQL_ATTR_SSL_CA": ca_path("database")} if verified else {})}


_SERVER = Process(
    title="MySQL",
    image=f"MySQL {' or '.join(VERSIONS)}",
    uid=999,
    port=3306,
    directory="/etc/tierstack/mysql",
    stop_signal="SIGTERM",
    reload=(*local("mysql", SUPERUSER), "--execute=ALTER INSTANCE RELOAD TLS"),
)
_POOLER = Process(
    title="HAProxy",
    image="HAProxy 2.4 or newer",
    uid=99,
    port=3306,
    directory="/etc/tierstack/haproxy",
    # It takes no more clients, and gives those that are connected a few seconds to end (`hard-stop-after`).
    stop_signal="SIGUSR1",
    reload=None,
)
# Clients come through the pooler, and streams begin again.
_PROXY = dataclasses.replace(_POOLER, stop_signal="SIGTERM")

MYSQL = _MySQL(
    platforms=frozenset((PlatformKind.DOCKER,)),
    server=_SERVER,
    pooler=_POOLER,
    proxy=_PROXY,
    transaction_pooling=False,
    docker_replicas=2,
    needs_proxy=True,
    data_directory="/var/lib/mysql",
    operators=(),
    archive_operators=(),
    operator_namespace="",
    names=NameRules(
        # Users have at most 32 characters, databases 64 (manual, "Account User Names", "Identifier Length Limits").
        pattern=re.compile(r"[a-z_][a-z0-9_]{0,31}"),
        described="1 to 32 lower-case letters, digits and underscores, not starting with a digit",
        databases=frozenset(("mysql", "sys", "information_schema", "performance_schema", "ndbinfo")),
        users=frozenset(("root", "mysql", "event_scheduler", "system_user")),
        prefixes=("mysql_",),
    ),
    parameters=parameters.RULES,
    reserved_connections=sizing.RESERVED_CONNECTIONS,
    # Measured with HAProxy 3.0 on a busy host (docs/components/database.md). It has a thread for each core; one counts.
    pooler_cost=PoolerCost(kept_us=224, new_us=1132, cores=1.0),
    images=(
        ImageKey(
            key="mysql",
            text=f"{_SERVER.image}, as user {_SERVER.uid} with the name `mysql`, as in the official images. Required "
            "where a database has no `image`.",
            docker="image",
            kubernetes="image",
            required=True,
        ),
        ImageKey(
            key="haproxy",
            text=f"{_POOLER.image}, with `wget` or `bash`, before MySQL on Docker.",
            docker="pooler_image",
        ),
        ImageKey(key="haproxy", text="The same before primary and standbys at the tier 1M.", docker="proxy_image"),
    ),
)
"""The engine of `DatabaseEngine.MYSQL`."""
