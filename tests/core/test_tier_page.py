"""The figures of docs/tiers.md are those of the code."""

import re
from pathlib import Path

import pytest

from tierstack.core import tier as t
from tierstack.core.tier import TIERS, Tier
from tierstack.database.postgresql.engine import POSTGRESQL

PAGE = (Path(__file__).parents[2] / "docs" / "tiers.md").read_text()


def cells(row: str) -> list[str]:
    line = next(line for line in PAGE.splitlines() if line.startswith(f"| {row}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def numbers(text: str) -> list[float]:
    return [
        float(found.replace(",", "")) for found in re.findall(r"\d[\d,]*(?:\.\d+)?", re.sub(r"(\d), ", r"\1 ; ", text))
    ]


@pytest.mark.parametrize(("column", "tier"), [(1, Tier.USERS_100K), (2, Tier.USERS_1M)])
def test_the_table(column: int, tier: Tier) -> None:
    size = TIERS[tier]
    app, database, redis = size.app, size.database, size.redis
    gib = 1024
    wanted = {
        "web containers at rest": [app.replicas, app.max_replicas],
        "queue workers at rest": [app.workers, app.max_workers],
        "PHP-FPM children in each": [app.children],
        "memory of a child": [app.child_memory_mb],
        "PostgreSQL standbys": [database.replicas],
        "`max_connections` of": [database.max_connections],
        "poolers × server": [database.poolers, database.pool_size],
        "clients that each": [database.max_client_connections],
        "cores reserved for each pooler": [database.pooler_cpu],
        "memory, cores": [database.memory_mb / gib, database.cpu],
        "data volume, WAL": [database.storage_gb, database.wal_storage_gb],
        "Redis nodes": [redis.nodes],
        "`maxmemory`": [redis.memory_mb / (1 if redis.memory_mb < gib else gib), redis.storage_gb],
        "meant for": [size.requests_per_second],
        "goals:": [size.api_p95_ms, size.database_p95_ms],
    }
    assert {row: numbers(cells(row)[column]) for row in wanted} == wanted


@pytest.mark.parametrize(("column", "tier"), [(2, Tier.USERS_100K), (3, Tier.USERS_1M)])
def test_the_arithmetic(column: int, tier: Tier) -> None:
    app, database = TIERS[tier].app, TIERS[tier].database
    connections = t.server_connections(database.poolers, database.pool_size)
    opened = t.server_connections(t.poolers_in_rollout(database.poolers), database.pool_size)
    wanted = {
        "memory of a web": [t.web_memory_mb(app.children, app.child_memory_mb)],
        "requests/s of the children": [t.requests_per_second(app.replicas, app.children, app.service_time_ms)],
        "connections to": [connections],
        "CPU of a web container": [t.web_cpu(app.children)],
        "requests/s of that CPU": [
            t.cpu_requests_per_second(app.replicas * t.web_cpu(app.children), app.cpu_time_ms * 1000)
        ],
        "requests/s of the poolers' CPU": [t.cpu_requests_per_second(database.poolers, POSTGRESQL.pooler_cost.kept_us)],
        "… if each request connects": [t.cpu_requests_per_second(database.poolers, POSTGRESQL.pooler_cost.new_us)],
        "… while the poolers": [opened],
        "… must leave": [opened, database.max_connections - POSTGRESQL.reserved_connections],
        "clients of the poolers": [
            t.client_connections(app.replicas, app.children, app.workers + 1),
            database.poolers * database.max_client_connections,
        ],
        "requests/s of the connections": [t.queries_per_second(connections, 2)],
    }
    found = {row: numbers(cells(row)[column]) for row in wanted}
    assert found == {row: [pytest.approx(value, abs=0.5) for value in values] for row, values in wanted.items()}


def test_the_bottleneck() -> None:
    size = TIERS[Tier.USERS_100K]
    for limit in t.limits(size.app, size.database, size.app.replicas, POSTGRESQL.pooler_cost):
        row = f"| {limit.name} | {limit.requests_per_second:,.0f} | {limit.formula} |"
        assert row in PAGE, row
