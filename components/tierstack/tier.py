"""What a tier is: counts and sizes as data, and the arithmetic that says what they carry.

Sources of the formulas: Little's law (J. D. C. Little, Operations Research 9(3), 1961); the utilisation ceiling from
queueing theory (waiting time grows as 1/(1 - utilisation)); `pm.max_children` of the PHP-FPM manual; connection
limits of the PostgreSQL and PgBouncer manuals.
"""

import math
from dataclasses import dataclass
from enum import Enum

CEILING = 0.7
"""Utilisation up to which capacity is counted: above it, waiting grows faster than load."""
RESERVED_CONNECTIONS = 13
"""Connections of PostgreSQL that the pooler must leave: 3 of superuser_reserved_connections (the server's default),
10 for migrations, replication, backups and monitoring."""


class Tier(Enum):
    """The two sizes that tierstack is tuned and proven for, by registered users."""

    USERS_100K = "100k"
    """About 100,000 users: one Docker host or a small namespace."""
    USERS_1M = "1M"
    """About 1,000,000 users: Kubernetes, everything redundant."""


@dataclass(frozen=True, kw_only=True)
class AppSize:
    """The application side of a tier."""

    replicas: int
    """Web containers at rest."""
    max_replicas: int
    """Ceiling of the autoscaler (Kubernetes)."""
    workers: int
    """Queue workers at rest."""
    max_workers: int
    """Ceiling of the worker autoscaler (Kubernetes)."""
    children: int
    """PHP-FPM children in each web container."""
    child_memory_mb: int
    """MiB that one child may use (PHP's memory_limit)."""
    service_time_ms: int
    """Mean time in ms that one request occupies a child, for the capacity estimate. Measure yours."""


@dataclass(frozen=True, kw_only=True)
class DatabaseSize:
    """The PostgreSQL side of a tier."""

    replicas: int
    """Standbys beside the primary."""
    poolers: int
    """PgBouncer instances (Kubernetes; one on Docker)."""
    max_connections: int
    """max_connections of the server."""
    pool_size: int
    """Server connections of each pooler."""
    max_client_connections: int
    """Client connections that each pooler accepts."""
    memory_mb: int
    """MiB of each server."""
    cpu: float
    """Cores of each server."""
    storage_gb: int
    """GiB of each data volume."""
    wal_storage_gb: int
    """GiB of each WAL volume (Kubernetes)."""


@dataclass(frozen=True, kw_only=True)
class RedisSize:
    """The Redis side of a tier."""

    nodes: int
    """1: a single node. 3: one primary, two replicas and three Sentinels."""
    memory_mb: int
    """maxmemory in MiB; the container gets half as much again for the copy-on-write of a save."""
    storage_gb: int
    """GiB of each data volume."""


@dataclass(frozen=True, kw_only=True)
class TierSize:
    """All counts and sizes of a tier."""

    app: AppSize
    database: DatabaseSize
    redis: RedisSize
    requests_per_second: int
    """Lower bound of the peak that the tier is meant for."""
    api_p95_ms: int
    """Goal for the 95th percentile of API requests, in ms."""
    database_p95_ms: int
    """Goal for the 95th percentile of queries, in ms."""


TIERS: dict[Tier, TierSize] = {
    Tier.USERS_100K: TierSize(
        app=AppSize(
            replicas=2,
            max_replicas=3,
            workers=3,
            max_workers=5,
            children=24,
            child_memory_mb=64,
            service_time_ms=15,
        ),
        database=DatabaseSize(
            replicas=0,
            poolers=1,
            max_connections=100,
            pool_size=40,
            max_client_connections=500,
            memory_mb=2048,
            cpu=2.0,
            storage_gb=50,
            wal_storage_gb=10,
        ),
        redis=RedisSize(nodes=1, memory_mb=512, storage_gb=5),
        requests_per_second=2000,
        api_p95_ms=200,
        database_p95_ms=50,
    ),
    Tier.USERS_1M: TierSize(
        app=AppSize(
            replicas=5,
            max_replicas=10,
            workers=10,
            max_workers=20,
            children=48,
            child_memory_mb=64,
            service_time_ms=15,
        ),
        database=DatabaseSize(
            replicas=2,
            poolers=3,
            max_connections=300,
            pool_size=80,
            max_client_connections=1000,
            memory_mb=8192,
            cpu=4.0,
            storage_gb=200,
            wal_storage_gb=40,
        ),
        redis=RedisSize(nodes=3, memory_mb=2048, storage_gb=20),
        requests_per_second=10000,
        api_p95_ms=150,
        database_p95_ms=30,
    ),
}
"""The table of the tiers. A component's argument left out takes its value from here."""


def web_memory_mb(children: int, child_memory_mb: int) -> int:
    """MiB that a PHP-FPM container needs: children × memory_limit, and 64 MiB for the master, opcache and the kernel.

    PHP-FPM manual, pm.max_children: the product must fit into the memory there is.
    """
    return children * child_memory_mb + 64


def requests_per_second(replicas: int, children: int, service_time_ms: float) -> float:
    """Requests/s that the children carry at the utilisation ceiling: L = λ·W, so λ = ceiling · children / W."""
    return CEILING * replicas * children * 1000 / service_time_ms


def server_connections(poolers: int, pool_size: int) -> int:
    """Connections that the poolers open to PostgreSQL at most: one pool (one database, one user) in each."""
    return poolers * pool_size


def client_connections(replicas: int, children: int, workers: int) -> int:
    """Connections that an application opens to the poolers at most: every child, every worker and the scheduler."""
    return replicas * children + workers + 1


def queries_per_second(connections: int, query_time_ms: float) -> float:
    """Transactions/s that so many server connections carry at the utilisation ceiling (Little's law)."""
    return CEILING * connections * 1000 / query_time_ms


def disk_gb(now_gb: float, growth_gb_per_month: float, months: int, headroom: float = 0.3) -> int:
    """GiB to provide: what there is and what comes, plus headroom (PostgreSQL needs room for a rewrite of a table)."""
    return math.ceil((now_gb + growth_gb_per_month * months) * (1 + headroom))


@dataclass(frozen=True)
class Limit:
    """One limit of a configuration: what it carries, and by which formula."""

    name: str
    requests_per_second: float
    formula: str


def limits(app: AppSize, database: DatabaseSize, replicas: int, query_time_ms: float = 2.0) -> list[Limit]:
    """What binds `replicas` web containers, tightest first, in requests/s.

    `query_time_ms` is the time that one request holds a server connection.
    """
    connections = server_connections(database.poolers, database.pool_size)
    admitted = database.poolers * database.max_client_connections
    children = replicas * app.children
    share = min(1.0, admitted / max(1, client_connections(replicas, app.children, app.workers)))
    found = [
        Limit(
            "PHP-FPM children",
            requests_per_second(replicas, app.children, app.service_time_ms),
            f"{CEILING} × {children} children ÷ {app.service_time_ms} ms",
        ),
        Limit(
            "database connections",
            queries_per_second(connections, query_time_ms),
            f"{CEILING} × {connections} connections ÷ {query_time_ms:g} ms a request",
        ),
        Limit(
            "pooler clients",
            requests_per_second(replicas, app.children, app.service_time_ms) * share,
            f"{admitted} clients admitted for {client_connections(replicas, app.children, app.workers)} opened",
        ),
    ]
    return sorted(found, key=lambda limit: limit.requests_per_second)
