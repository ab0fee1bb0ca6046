"""A real database, its real backups, and restores of it: to a moment before a mistake, and after the primary's loss.

Prints the figures that docs/components/backup-schedule.md quotes; run it with -s to see them.
"""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support import Stack, docker_client, image
from tierstack.backup_schedule import agent, restore

NAME = "t-backup-test"
DATABASE = f"{NAME}-db-primary"
BARMAN = f"{NAME}-backups-barman"
ASIDE = f"{NAME}-aside"

PROGRAM = """
import os
import pulumi
from tierstack import *
from tierstack.backup_schedule import BackupSchedule, BackupScheduleArgs
from tierstack.database import DatabaseWithReplicas, DatabaseWithReplicasArgs

platform = DockerHost(name="{name}", data_protection=DataProtection.NONE)
database = DatabaseWithReplicas("db", DatabaseWithReplicasArgs(
    platform=platform, tier=Tier.USERS_100K, image="{postgres}", pooler_image="{pooler}",
    memory_mb=512, max_connections=100))
BackupSchedule("backups", BackupScheduleArgs(
    platform=platform, database=database.connection, image="{barman}", schedule="{schedule}", first_backup_minutes=3))
"""


def program(schedule: str = "30 3 * * *") -> str:
    return PROGRAM.format(
        name=NAME,
        postgres=image("postgres:17"),
        pooler=image("pgbouncer:1.24"),
        barman=image("barman:3"),
        schedule=schedule,
    )


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    docker_client()
    stack = Stack(tmp_path_factory.mktemp("backups"), "backups")
    stack.write(program())
    try:
        stack.up()
        yield stack
    finally:
        drop_aside()
        stack.run("destroy", "--yes", "--skip-preview", "--refresh", "--stack=backups")
        shutil.rmtree(stack.folder)


def run(*command: str, stdin: str | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, input=stdin)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


def sql(statement: str) -> str:
    command = ["docker", "exec", DATABASE, "psql", "-h", "/tmp", "-U", "postgres", "-d", "app", "-qAtc", statement]
    return run(*command)


def status() -> dict[str, object]:
    return json.loads(run("docker", "exec", BARMAN, "cat", str(agent.STATUS)))


def drop_aside() -> None:
    subprocess.run(["docker", "rm", "-f", ASIDE], capture_output=True)
    subprocess.run(["docker", "volume", "rm", ASIDE], capture_output=True)


def restored(moment: datetime | None) -> float:
    """Restore aside; the seconds until PostgreSQL there answers and has left recovery."""
    drop_aside()
    source = restore.Source(catalog=f"{NAME}-backups-catalog", config=f"{NAME}-backups-config", image=image("barman:3"))
    began = time.monotonic()
    when = moment.isoformat() if moment else None
    for command in restore.commands(source, aside=ASIDE, postgres_image=image("postgres:17"), time=when):
        run(*command)
    question = restore.query(ASIDE, "app", "SELECT pg_is_in_recovery()")
    while time.monotonic() < began + 120:
        answer = subprocess.run(question, capture_output=True, text=True)
        if answer.stdout.strip() == "f":
            return time.monotonic() - began
        time.sleep(0.1)
    pytest.fail(run("docker", "logs", ASIDE))


def aside(statement: str) -> str:
    return run(*restore.query(ASIDE, "app", statement))


def test_first_backup_and_stream_are_there_when_the_update_ends(stack: Stack) -> None:
    found = status()
    assert found["healthy"] is True
    assert found["backups"] == 1
    streaming = "SELECT state FROM pg_stat_replication WHERE application_name = 'barman'"
    assert sql(streaming) == "streaming"
    assert sql(f"SELECT active FROM pg_replication_slots WHERE slot_name = '{agent.SLOT}'") == "t"


def test_no_password_is_in_the_clear(stack: Stack) -> None:
    password = run("docker", "exec", BARMAN, "sed", "s/.*://", f"{agent.CONFIG}/pgpass")
    assert len(password) >= 20
    assert password not in stack.state()
    assert password not in run("docker", "inspect", BARMAN)
    assert password not in run("docker", "top", BARMAN, "-eo", "pid,args")
    assert password not in run("docker", "logs", BARMAN)


def test_a_new_schedule_keeps_container_and_catalog(stack: Stack) -> None:
    started, before = run("docker", "inspect", "-f", "{{.Id}} {{.State.StartedAt}}", BARMAN), status()["last_backup"]
    stack.unchanged()
    stack.write(program("0 */6 * * *"))
    assert "1 updated" in stack.up()
    assert run("docker", "inspect", "-f", "{{.Id}} {{.State.StartedAt}}", BARMAN) == started
    assert (
        json.loads(run("docker", "exec", BARMAN, "cat", f"{agent.CONFIG}/settings.json"))["schedule"] == "0 */6 * * *"
    )
    assert status()["last_backup"] == before


def test_restore_to_the_moment_before_a_mistake(stack: Stack) -> None:
    sql("CREATE TABLE clock (id serial PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp())")
    for _ in range(20):
        sql("INSERT INTO clock DEFAULT VALUES")
    before = sql("SELECT array_agg(id ORDER BY id) FROM clock")
    moment = datetime.fromtimestamp(float(sql("SELECT extract(epoch FROM clock_timestamp())")), UTC)
    for _ in range(5):
        sql("INSERT INTO clock DEFAULT VALUES")
    sql("DELETE FROM clock WHERE id <= 15")
    seconds = restored(moment)
    assert aside("SELECT array_agg(id ORDER BY id) FROM clock") == before
    assert sql("SELECT count(*) FROM clock") == "10", "the running database is left as it is"
    print(f"\nrestore to a moment: {seconds:.1f} s, {before.count(',') + 1} rows of {before.count(',') + 1}")


def test_what_a_loss_of_the_primary_costs(stack: Stack, tmp_path: Path) -> None:
    """Rows are written as fast as one connection can; the primary is killed; what was acknowledged is compared."""
    sql("CREATE TABLE stream (id serial PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp())")
    acknowledged = tmp_path / "acknowledged"
    command = ["docker", "exec", "-i", DATABASE, "psql", "-h", "/tmp", "-U", "postgres", "-d", "app", "-qAt"]
    insert = "INSERT INTO stream DEFAULT VALUES RETURNING id, extract(epoch FROM at);\n"
    with acknowledged.open("w") as output, subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output) as writer:
        assert writer.stdin
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            writer.stdin.write((insert * 50).encode())
            writer.stdin.flush()
        run("docker", "kill", DATABASE)
        writer.kill()
    rows = [line.split("|") for line in acknowledged.read_text().splitlines() if line.count("|") == 1]
    last, last_at = int(rows[-1][0]), float(rows[-1][1])
    seconds = restored(None)
    kept, kept_at = aside("SELECT max(id), extract(epoch FROM max(at)) FROM stream").split("|")
    assert aside("SELECT count(*) = max(id) FROM stream") == "t", "no hole before the end"
    lost, gap = max(0, last - int(kept)), max(0.0, last_at - float(kept_at))
    print(f"\nloss of the primary: {last} rows acknowledged, {lost} lost, RPO {gap * 1000:.0f} ms, RTO {seconds:.1f} s")
    assert last > 100
    assert gap < 10
