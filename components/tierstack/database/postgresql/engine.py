"""PostgreSQL as a data engine: its facts and rules. Pure."""

import re
import shlex
from typing import final

from tierstack.core.errors import Diagnostic, rule
from tierstack.core.section import ImageKey
from tierstack.core.tier import DatabaseSize, PoolerCost
from tierstack.database.engine import DataEngine, NameRules, Process
from tierstack.database.haproxy import PROBE
from tierstack.database.postgresql import parameters, sizing
from tierstack.platform import PlatformKind
from tierstack.platform.internal_ca import ca_path
from tierstack.platform.kubernetes import operators

OLDEST_VERSION = 17
"""PostgreSQL whose initdb knows the built-in locale provider."""
_RELOAD = ("sh", "-c", "kill -HUP 1")
"""PostgreSQL and PgBouncer read certificates again on SIGHUP, which the container's init passes on."""


@final
class _PostgreSQL(DataEngine):
    @rule(
        "database-version",
        "The image must be PostgreSQL 17 or newer; on Kubernetes its tag must say so.",
        "CloudNativePG: PostgreSQL image requirements",
        wrong="images: {postgres: registry.example/postgresql@sha256:…}",
        right="images: {postgres: registry.example/postgresql:17.6@sha256:…}",
    )
    def version_problems(self, image: str, kind: PlatformKind) -> list[Diagnostic]:
        version = self.major_version(image)
        if version is None:
            if kind is PlatformKind.DOCKER:
                return []
            wrong = "names no version of PostgreSQL, by which CloudNativePG tells upgrades apart"
            return [Diagnostic("image", image, wrong, "write the tag too: `registry.example/postgresql:17.6@sha256:…`")]
        if version < OLDEST_VERSION:
            wrong = f"is PostgreSQL {version}, which lacks the built-in locale that makes data portable"
            return [Diagnostic("image", image, wrong, f"write an image of {self.server.image}")]
        return []

    def parameter_problems(self, path: str, name: str, value: str, size: DatabaseSize) -> list[Diagnostic]:
        return parameters.problems(path, name, value, size)

    def least_memory(self, size: DatabaseSize) -> tuple[int, str]:
        working = sizing.working_connections(size)
        wrong = f"leaves each of {working} connections less than 1 MiB to sort and join in"
        return sizing.least_memory_mb(size), wrong

    def shared_memory_mb(self, size: DatabaseSize) -> int:
        return sizing.shared_memory_mb(size)

    def pooler_memory_mb(self, size: DatabaseSize) -> int:
        return sizing.pooler_memory_mb(size)

    def probe(self, process: Process, user: str, database: str) -> list[str]:
        if process is self.proxy:
            return PROBE
        # Over TCP, which the server refuses while roles are brought up to date; as a role that pg_hba.conf knows.
        port = [] if process is self.server else ["-p", str(process.port)]
        return ["pg_isready", "-q", "-h", "127.0.0.1", *port, "-U", user, "-d", database]

    def ready_command(self, user: str, database: str) -> str:
        # User and database are given so that no look-up of the pod's user is needed.
        return f'pg_isready -q -t 3 -h "$DB_HOST" -p "$DB_PORT" -U {shlex.quote(user)} -d {shlex.quote(database)}'

    def client_environment(self, *, verified: bool) -> dict[str, str]:
        driver = {"DB_CONNECTION": "pgsql"}
        if not verified:
            return driver
        # libpq reads its own variables itself; frameworks that name a mode of their own read it from DB_SSLMODE.
        return {
            **driver,
            "DB_SSLMODE": "verify-full",
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": ca_path("database"),
        }


_SERVER = Process(
    title="PostgreSQL",
    image=f"PostgreSQL {OLDEST_VERSION} or newer",
    uid=26,
    port=5432,
    directory="/etc/tierstack/postgresql",
    # Fast shutdown: transactions are rolled back, and nothing is to be recovered.
    stop_signal="SIGINT",
    reload=_RELOAD,
)
_POOLER = Process(
    title="PgBouncer",
    image="PgBouncer 1.21 or newer",
    uid=998,
    port=6432,
    directory="/etc/tierstack/pgbouncer",
    # Running transactions end, where SIGTERM would wait for every client to leave.
    stop_signal="SIGINT",
    reload=_RELOAD,
)
_PROXY = Process(
    title="HAProxy",
    image="HAProxy 2.4 or newer",
    uid=99,
    port=5432,
    directory="/etc/tierstack/haproxy",
    stop_signal="SIGTERM",
    # The master starts a worker with what it reads, and the worker before keeps its connections.
    reload=("sh", "-c", "kill -USR2 1"),
)

POSTGRESQL = _PostgreSQL(
    platforms=frozenset(PlatformKind),
    server=_SERVER,
    pooler=_POOLER,
    proxy=_PROXY,
    transaction_pooling=True,
    docker_replicas=2,
    needs_proxy=False,
    data_directory="/var/lib/postgresql/data",
    operators=("cloudnative-pg",),
    archive_operators=("barman-cloud",),
    operator_namespace=operators.CLOUDNATIVE_PG,
    names=NameRules(
        # At most NAMEDATALEN - 1 bytes (manual, "Lexical Structure").
        pattern=re.compile(r"[a-z_][a-z0-9_]{0,62}"),
        described="1 to 63 lower-case letters, digits and underscores, not starting with a digit",
        databases=frozenset(
            ("postgres", "template0", "template1", "pgbouncer", "replication", "all", "sameuser", "samerole")
        ),
        users=frozenset(("postgres", "public", "none", "all", "streaming_replica", "pgbouncer")),
        prefixes=("pg_", "cnpg_"),
    ),
    parameters=parameters.RULES,
    reserved_connections=sizing.RESERVED_CONNECTIONS,
    # Measured with PgBouncer 1.24 (TLS on both sides, SCRAM; docs/measurements.md). It is a single thread (its manual,
    # `so_reuseport`).
    pooler_cost=PoolerCost(kept_us=128, new_us=1370, cores=1.0),
    images=(
        ImageKey(
            key="postgres",
            text=f"{_SERVER.image}, without a convention of its own (CloudNativePG's has none). "
            "Required where a database has no `image`.",
            docker="image",
            kubernetes="image",
            required=True,
        ),
        ImageKey(
            key="pgbouncer",
            text=f"{_POOLER.image}. None: on Kubernetes the operator's own.",
            docker="pooler_image",
            kubernetes="pooler_image",
        ),
        ImageKey(
            key="haproxy",
            text=f"{_PROXY.image}, with `wget` or `bash`, before PostgreSQL with standbys on Docker. None: no standby "
            "can be promoted, and reads go to the primary.",
            docker="proxy_image",
        ),
    ),
)
"""The engine of `DatabaseEngine.POSTGRESQL`."""
