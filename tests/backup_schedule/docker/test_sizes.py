"""What a restore costs by size, and moments that are exact: a real PostgreSQL and its backups on a Docker host.

TIERSTACK_GB: gigabytes of rows, default 0.2. TIERSTACK_MOMENTS: how many moments are restored, default 5. Prints the
figures that docs/measurements.md quotes; run it with -s to see them.
"""

import json
import os
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.backup_schedule.docker.commands import drop, status_of, tierstack
from tests.support import Stack, docker_client, image, run_command
from tests.waiting import until
from tierstack.backup_schedule import agent
from tierstack.recovery import restoring
from tierstack.recovery.host import Host

NAME = "t-sizes"
DATABASE, BARMAN = f"{NAME}-db-primary", f"{NAME}-backups-barman"
GIGABYTES = float(os.environ.get("TIERSTACK_GB", "0.2"))
MOMENTS = int(os.environ.get("TIERSTACK_MOMENTS", "5"))
ROW_BYTES = 1000
PROGRAM = """
from tierstack import *
from tierstack.backup_schedule import BackupSchedule, BackupScheduleArgs
from tierstack.database import DatabaseWithReplicas, DatabaseWithReplicasArgs

platform = DockerHost(name="{name}", data_protection=DataProtection.NONE)
database = DatabaseWithReplicas("db", DatabaseWithReplicasArgs(
    platform=platform, tier=Tier.USERS_100K, image="{postgres}", pooler_image="{pooler}",
    memory_mb=512, max_connections=100))
BackupSchedule("backups", BackupScheduleArgs(
    platform=platform, database=database.connection, image="{barman}", first_backup_minutes=5, drill=DrillArgs()))
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    docker_client()
    stack = Stack(tmp_path_factory.mktemp("sizes"), "backups")
    images = {"postgres": "postgres:17", "pooler": "pgbouncer:1.24", "barman": "barman:3"}
    stack.write(PROGRAM.format(name=NAME, **{key: image(name) for key, name in images.items()}))
    try:
        stack.up()
        yield stack
    finally:
        restoring.remove(Host(None), f"{NAME}-backups-catalog-aside")
        stack.run("destroy", "--yes", "--skip-preview", "--refresh", "--stack=backups")
        shutil.rmtree(stack.folder)


def sql(statement: str, container: str = DATABASE) -> str:
    command = ["docker", "exec", container, "psql", "-h", "/tmp", "-U", "postgres", "-d", "app", "-qAtc", statement]
    return run_command(*command)


def status() -> dict[str, Any]:
    return status_of(BARMAN, agent.STATUS)


def received(moment: datetime) -> None:
    """Wait until something later than a moment has reached the catalog."""
    sql("SELECT pg_create_restore_point('after')")
    lsn = sql("SELECT pg_current_wal_flush_lsn()")
    confirmed = "SELECT flush_lsn >= '{}' FROM pg_stat_replication WHERE application_name LIKE 'barman%'"
    until("the log to arrive", lambda: "t" in sql(confirmed.format(lsn)), 120, every=0.2)


def test_moments_are_exact(stack: Stack) -> None:
    """The row before a moment is there, and the one after it is not."""
    aside, seconds, wrong = f"{NAME}-backups-catalog-aside", list[float](), list[str]()
    sql("CREATE TABLE moments (id int PRIMARY KEY)")
    chosen: list[datetime] = []
    for number in range(MOMENTS):
        sql(f"INSERT INTO moments VALUES ({number})")
        chosen.append(datetime.fromisoformat(sql("SELECT clock_timestamp()").replace(" ", "T") + ":00").astimezone(UTC))
        sql("SELECT pg_switch_wal()" if number % 3 == 0 else "SELECT 1")  # within a segment, and at the end of one
    sql(f"INSERT INTO moments VALUES ({MOMENTS})")
    received(chosen[-1])
    for number, moment in enumerate(chosen):
        began = time.monotonic()
        tierstack(stack, "restore", "--to", moment.isoformat().replace("+00:00", "Z"), "--yes")
        seconds.append(round(time.monotonic() - began, 1))
        last = sql("SELECT max(id) FROM moments", aside)
        if last != str(number):
            wrong.append(f"moment {number}: row {last}")
        drop(aside)
    print(f"\nmoments: {MOMENTS - len(wrong)} of {MOMENTS} exact, {min(seconds)} to {max(seconds)} s each")
    assert wrong == []


def test_what_a_restore_costs_by_size(stack: Stack) -> None:
    rows = int(GIGABYTES * 1e9 / ROW_BYTES)
    sql("CREATE TABLE filler (id int, body text)")
    began = time.monotonic()
    for first in range(0, rows, 100_000):
        last = min(first + 100_000, rows)
        body = "(SELECT string_agg(md5(g::text || n::text), '') FROM generate_series(1, 30) AS n)"
        sql(f"INSERT INTO filler SELECT g, {body} FROM generate_series({first + 1}, {last}) AS g")
    print(f"\n{GIGABYTES:g} GB written in {time.monotonic() - began:.0f} s")
    until(lambda: json.dumps(status()), lambda: status()["wal_lag_bytes"] == 0, 600, every=2)
    replayed = json.loads(tierstack(stack, "drill", "--json").stdout)
    print(f"replay of the log of {GIGABYTES:g} GB: {json.dumps(replayed)}")
    began = time.monotonic()
    print(run_command("docker", "exec", BARMAN, "python3", "-m", agent.__name__, "backup"))
    made = time.monotonic() - began
    until(lambda: json.dumps(status()), lambda: status()["last_backup"]["size_bytes"] > GIGABYTES * 5e8, 300, every=2)
    size = status()["last_backup"]["size_bytes"]
    print(f"base backup of {size / 1e6:,.0f} MB: {made:.1f} s, {size / 1e6 / made:.0f} MB/s")
    copied = json.loads(tierstack(stack, "drill", "--json").stdout)
    print(f"copy of {size / 1e6:,.0f} MB: {json.dumps(copied)}")
    assert (replayed["result"], copied["result"]) == ("good", "good")
    assert (replayed["rows_lost"], copied["rows_lost"]) == (0, 0)
