"""The runbooks, typed to the letter on a real stack whose part has failed as the page says.

The tests of this file share one stack; each leaves it well.
"""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.projects import Checkout
from tests.runbooks import PATIENCE, Reader
from tests.support import docker_client, image, run_command
from tests.waiting import until

PREFIX, STACK = "t-runs", "runs"


def configure(config: dict[str, Any]) -> None:
    config["docker"]["platform"]["memory_mb"] = 8000  # with the bucket
    config["images"]["versitygw"] = "local:versitygw:1.8"
    config["docker"]["object_storage"] = {"bucket": "backups", "self_hosted": True, "versioning": True}
    config["backups"] |= {
        "first_backup_minutes": 10,
        "drill": {"checks": {"products": "SELECT count(*) > 0 FROM products"}},
    }


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    docker_client()
    for one in ("shop:1", "postgres:17", "pgbouncer:1.24", "valkey:8.1", "traefik:3.7", "barman:3", "versitygw:1.8"):
        image(one)
    checkout = Checkout.make(tmp_path_factory.mktemp("runs"))
    checkout.local(STACK, PREFIX, configure)
    try:
        checkout.json("up", "-s", STACK)
        sql("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS id")
        yield Reader(checkout, STACK, PREFIX)
    finally:
        checkout.tierstack("down", "-s", STACK, "--delete-data", "--yes", code=None)


def sql(statement: str) -> str:
    command = ["docker", "exec", f"{PREFIX}-db-primary", "psql", "-h", "/tmp", "-U", "postgres", "-d", "app", "-qAtc"]
    return run_command(*command, statement)


def status() -> dict[str, Any]:
    return json.loads(run_command("docker", "exec", f"{PREFIX}-backups-barman", "cat", "/var/lib/barman/status.json"))


def well(reader: Reader) -> None:
    until("the stack to be well", lambda: reader.type(f"tierstack status -s {STACK}")[0] == 0, PATIENCE, every=3)


def test_the_database_is_down(reader: Reader) -> None:
    well(reader)
    run_command("docker", "kill", f"{PREFIX}-db-primary")
    began = time.monotonic()
    said = reader.follow("database-down.md")
    assert f"{PREFIX}-db-primary" in said[0]
    assert "exited 137" in said[1]
    assert sql("SELECT count(*) FROM kept") == "1000"
    print(f"\ndatabase down: well after {time.monotonic() - began:.0f} s")


def test_redis_is_down(reader: Reader) -> None:
    well(reader)
    run_command("docker", "kill", f"{PREFIX}-redis")
    assert f"{PREFIX}-redis" in reader.follow("redis-down.md")[0]


def test_a_disk_is_looked_at(reader: Reader) -> None:
    well(reader)
    assert "tierstack_backups" in reader.follow("disk-full.md")[1]


def test_the_bucket_is_away(reader: Reader) -> None:
    well(reader)
    run_command("docker", "stop", f"{PREFIX}-storage")
    sql("INSERT INTO kept SELECT 0 WHERE false; SELECT pg_create_restore_point('x'); SELECT pg_switch_wal()")

    def told() -> bool:
        return any("segments of the write-ahead log are not in" in one for one in status()["faults"])

    until(lambda: json.dumps(status()), told, PATIENCE, every=2)
    said = reader.follow("backups-not-stored.md", "storage")
    assert "segments of the write-ahead log are not in" in said[0]


def test_a_segment_is_lost(reader: Reader) -> None:
    well(reader)
    lost = sql("SELECT pg_walfile_name(pg_current_wal_insert_lsn())")
    for _ in range(3):
        sql("INSERT INTO kept SELECT 0 WHERE false; SELECT pg_create_restore_point('x'); SELECT pg_switch_wal()")
    until(lambda: json.dumps(status()), lambda: (status()["store"] or {})["sent_wal"] > lost, PATIENCE, every=2)
    mount = f"type=volume,source={PREFIX}-storage-data,target=/v"
    shell = ["docker", "run", "--rm", "--network=none", "--user=0:0", "--mount", mount, "--entrypoint=/bin/sh"]
    run_command(*shell, image("barman:3"), "-euc", f"rm $(find /v/objects -name {lost}.gz)")
    code, printed = reader.type(f"tierstack drill -s {STACK}")
    assert (code != 0, "the write-ahead log has a hole" in printed) == (True, True), printed
    reader.follow("drill-not-good.md", "hole")


def test_a_drill_cannot_be_carried_out(reader: Reader) -> None:
    well(reader)
    run_command("docker", "kill", f"{PREFIX}-db-primary")
    code, printed = reader.type(f"tierstack drill -s {STACK}")
    assert (code != 0, "not verified" in printed) == (True, True), printed
    reader.follow("database-down.md")
    reader.follow("drill-not-good.md", "again")


def test_the_data_is_lost(reader: Reader) -> None:
    well(reader)
    sql("INSERT INTO kept SELECT generate_series(1001, 2000)")
    written = sql("SELECT pg_walfile_name(pg_current_wal_insert_lsn())")
    sql("SELECT pg_switch_wal()")  # the restore reads the bucket, where whole segments are
    until(lambda: json.dumps(status()), lambda: (status()["store"] or {})["sent_wal"] >= written, PATIENCE, every=2)
    run_command("docker", "exec", f"{PREFIX}-db-primary", "sh", "-c", "rm -rf /var/lib/postgresql/data/pgdata/base/*")
    run_command("docker", "kill", f"{PREFIX}-db-primary")
    reader.follow("database-lost.md")
    assert sql("SELECT count(*) FROM kept") == "2000"
