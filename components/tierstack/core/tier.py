"""What a tier is: counts and sizes as data, and the arithmetic that says what they carry.

Sources of the formulas: Little's law (J. D. C. Little, Operations Research 9(3), 1961); the utilisation ceiling from
queueing theory (waiting time grows as 1/(1 - utilisation)); `pm.max_children` of the PHP-FPM manual.
"""

import math
from dataclasses import dataclass
from enum import Enum

CEILING = 0.7
"""Utilisation up to which capacity is counted: above it, waiting grows faster than load."""
GATEWAY_US = 200
"""Microseconds of CPU that the proxy needs for a request on a kept TLS connection, with every protection of the
component. Measured; docs/measurements.md."""


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
    service_time_ms: float
    """Mean time in ms that one request occupies a child, for the capacity estimate. Measure yours."""
    cpu_time_ms: float
    """Mean CPU time in ms that one request takes in nginx and PHP, for the capacity estimate. Measure yours."""


@dataclass(frozen=True, kw_only=True)
class DatabaseSize:
    """The database side of a tier, whichever engine it is."""

    replicas: int
    """Standbys beside the primary."""
    poolers: int
    """Poolers (Kubernetes; one on Docker)."""
    max_connections: int
    """Connections that the server accepts."""
    pool_size: int
    """Server connections of each pooler."""
    max_client_connections: int
    """Client connections that each pooler accepts."""
    pooler_cpu: float
    """Cores that each pooler is reserved (Kubernetes); it may use more where the node has more."""
    memory_mb: int
    """MiB of each server."""
    cpu: float
    """Cores of each server."""
    storage_gb: int
    """GiB of each data volume."""
    wal_storage_gb: int
    """GiB for the log of each server; a volume of its own on Kubernetes."""


@dataclass(frozen=True, kw_only=True)
class RedisSize:
    """The Redis side of a tier."""

    nodes: int
    """1: a single node. 3: one primary, two replicas and three Sentinels."""
    memory_mb: int
    """maxmemory in MiB; the container gets half as much again for the copy-on-write of a save."""
    storage_gb: int
    """GiB of each data volume."""
    cpu: float
    """Cores that each node is reserved: beside busy neighbours it would otherwise miss the time-out of Sentinel."""


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
            cpu_time_ms=1,
        ),
        database=DatabaseSize(
            replicas=0,
            poolers=1,
            max_connections=100,
            pool_size=40,
            max_client_connections=500,
            pooler_cpu=0.5,
            memory_mb=2048,
            cpu=2.0,
            storage_gb=50,
            wal_storage_gb=10,
        ),
        redis=RedisSize(nodes=1, memory_mb=512, storage_gb=5, cpu=0.25),
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
            cpu_time_ms=1,
        ),
        database=DatabaseSize(
            replicas=2,
            poolers=3,
            max_connections=300,
            pool_size=80,
            max_client_connections=1000,
            pooler_cpu=1.0,
            memory_mb=8192,
            cpu=4.0,
            storage_gb=200,
            wal_storage_gb=40,
        ),
        redis=RedisSize(nodes=3, memory_mb=2048, storage_gb=20, cpu=1.0),
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


def web_cpu(children: int) -> float:
    """Cores that a web container is reserved: a child waits for the database most of its time, so 24 share one."""
    return max(0.25, round(children / 24, 2))


def requests_per_second(replicas: int, children: int, service_time_ms: float) -> float:
    """Requests/s that the children carry at the utilisation ceiling: L = λ·W, so λ = ceiling · children / W."""
    return CEILING * replicas * children * 1000 / service_time_ms


def server_connections(poolers: int, pool_size: int) -> int:
    """Connections that the poolers open to the server at most: one pool (one database, one user) in each."""
    return poolers * pool_size


def poolers_in_rollout(poolers: int) -> int:
    """Poolers that run at once while a Deployment is updated: a single one starts beside the one that it replaces."""
    return max(2, poolers)


def client_connections(replicas: int, children: int, background: int) -> int:
    """Connections that an application opens to the poolers at most: every child, and every process of its roles
    (`background`)."""
    return replicas * children + background


def queries_per_second(connections: int, query_time_ms: float) -> float:
    """Transactions/s that so many server connections carry at the utilisation ceiling (Little's law)."""
    return CEILING * connections * 1000 / query_time_ms


def cpu_requests_per_second(cores: float, cpu_time_us: float) -> float:
    """Requests/s that so many cores carry at the utilisation ceiling, when each request takes `cpu_time_us` of one."""
    return CEILING * cores * 1_000_000 / cpu_time_us


def disk_gb(now_gb: float, growth_gb_per_month: float, months: int, headroom: float = 0.3) -> int:
    """GiB to provide: the present size and its growth, plus headroom (a table is rewritten beside itself)."""
    return math.ceil((now_gb + growth_gb_per_month * months) * (1 + headroom))


@dataclass(frozen=True)
class Limit:
    """One limit of a configuration: what it carries, and by which formula."""

    name: str
    requests_per_second: float
    formula: str


@dataclass(frozen=True, kw_only=True)
class PoolerCost:
    """What a request of five queries costs a pooler, as it was measured."""

    kept_us: int
    """Microseconds of CPU on a connection that the client keeps."""
    new_us: int
    """Microseconds of CPU on a new connection: TLS on both sides, and a login."""
    cores: float
    """Cores that one pooler can use at most."""


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """What a capacity estimate assumes of the application and of what it does not size. Measure yours."""

    web_cpu: float | None = None
    """Cores that each web container is reserved. None: by `web_cpu`."""
    query_time_ms: float = 2.0
    """Time in ms that one request holds a server connection."""
    background: int | None = None
    """Processes beside the web containers, each with a connection. None: the tier's workers and a scheduler."""
    persistent_connections: bool = True
    """Whether the application keeps its database connections between requests."""
    transaction_pooling: bool = True
    """Whether a request holds a server connection for its queries only. False: for as long as it takes, and each
    process in the background holds one all the time."""
    gateway_cores: float | None = None
    """Cores that all proxies together may use. None: not counted."""


def limits(
    app: AppSize,
    database: DatabaseSize | None,
    replicas: int,
    pooler: PoolerCost | None,
    assumed: Assumptions | None = None,
) -> list[Limit]:
    """What limits `replicas` web containers in requests/s, the bottleneck first. Without a `database` none limits."""
    assumed = assumed or Assumptions()
    children, cores = replicas * app.children, replicas * (assumed.web_cpu or web_cpu(app.children))
    served = requests_per_second(replicas, app.children, app.service_time_ms)
    at = f"at {CEILING:.0%}"
    found = [
        Limit("PHP-FPM children", served, f"{children} children {at}, {app.service_time_ms:g} ms per request"),
        Limit(
            "CPU of the web containers",
            cpu_requests_per_second(cores, app.cpu_time_ms * 1000),
            f"{_cores(cores)} {at}, {app.cpu_time_ms:g} ms per request",
        ),
    ]
    if database is not None and pooler is not None:
        background = app.workers + 1 if assumed.background is None else assumed.background
        opened = client_connections(replicas, app.children, background)
        admitted = database.poolers * database.max_client_connections
        connections, held_ms = server_connections(database.poolers, database.pool_size), assumed.query_time_ms
        if not assumed.transaction_pooling:
            connections, held_ms = max(0, connections - background), app.service_time_ms
        found += [
            Limit(
                "database connections",
                queries_per_second(connections, held_ms),
                f"{connections} connections {at}, {held_ms:g} ms per request",
            ),
            Limit(
                "pooler clients",
                served * min(1.0, admitted / max(1, opened)),
                f"{admitted} clients admitted, {opened} connections opened",
            ),
            _pooler_cpu(database.poolers * pooler.cores, pooler, assumed.persistent_connections),
        ]
    if assumed.gateway_cores is not None:
        carried = cpu_requests_per_second(assumed.gateway_cores, GATEWAY_US)
        formula = f"{_cores(assumed.gateway_cores)} {at}, {GATEWAY_US} µs per request"
        found.append(Limit("CPU of the gateway", carried, formula))
    return sorted(found, key=lambda limit: limit.requests_per_second)


def _pooler_cpu(cores: float, pooler: PoolerCost, kept: bool) -> Limit:
    cost = pooler.kept_us if kept else pooler.new_us
    formula = f"{_cores(cores)} at {CEILING:.0%}, {cost} µs per request"
    if kept:
        without = cpu_requests_per_second(cores, pooler.new_us)
        formula += f" on a persistent connection; {without:,.0f} requests/s if each request connects"
    else:
        formula += ", each of which connects anew"
    return Limit("CPU of the poolers", cpu_requests_per_second(cores, cost), formula)


def _cores(cores: float) -> str:
    return f"{cores:g} core" if cores == 1 else f"{cores:g} cores"
