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
from typing import Any

import pytest

from tests.backup_schedule.docker.commands import drop, status_of, tierstack
from tests.support import Stack, docker_client, image, run_command
from tests.waiting import until
from tierstack.backup_schedule import agent, metrics, restore
from tierstack.backup_schedule.engine import Source

NAME = "t-backup-test"
DATABASE = f"{NAME}-db-primary"
BARMAN = f"{NAME}-backups-barman"
ASIDE = f"{NAME}-aside"
DIRECT = f"{NAME}-db-direct"
WAIT = 600
"""Seconds that something may take at most on a machine that is busy with other work."""

PROGRAM = """
import os
import pulumi
from tierstack import *
from tierstack.backup_schedule import BackupSchedule, BackupScheduleArgs
from tierstack.database import DatabaseWithReplicas, DatabaseWithReplicasArgs

CHECKS = {{"kept": "SELECT count(*) = 1000 FROM kept", {checks}}}
platform = DockerHost(name="{name}", data_protection=DataProtection.NONE)
database = DatabaseWithReplicas("db", DatabaseWithReplicasArgs(
    platform=platform, tier=Tier.USERS_100K, image="{postgres}", pooler_image="{pooler}",
    memory_mb=512, max_connections=100))
BackupSchedule("backups", BackupScheduleArgs(
    platform=platform, database=database.connection, image="{barman}", schedule="{schedule}", first_backup_minutes=3,
    drill=DrillArgs(checks=CHECKS)))
"""


def program(schedule: str = "30 3 * * *", checks: str = "") -> str:
    return PROGRAM.format(
        name=NAME,
        postgres=image("postgres:17"),
        pooler=image("pgbouncer:1.24"),
        barman=image("barman:3"),
        schedule=schedule,
        checks=checks,
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
        drop(ASIDE)
        stack.run("destroy", "--yes", "--skip-preview", "--refresh", "--stack=backups")
        shutil.rmtree(stack.folder)


def status(container: str = BARMAN) -> dict[str, Any]:
    return status_of(container, agent.STATUS)


def sql(statement: str) -> str:
    command = ["docker", "exec", DATABASE, "psql", "-h", "/tmp", "-U", "postgres", "-d", "app", "-qAtc", statement]
    return run_command(*command)


def clock() -> datetime:
    """The moment, by the database."""
    return datetime.fromtimestamp(float(sql("SELECT extract(epoch FROM clock_timestamp())")), UTC)


def restored(moment: datetime | None) -> float:
    """Restore aside; the seconds until PostgreSQL there answers and has left recovery."""
    drop(ASIDE)
    source = Source(catalog=f"{NAME}-backups-catalog", config=f"{NAME}-backups-config", image=image("barman:3"))
    began = time.monotonic()
    when = moment.isoformat() if moment else None
    for _, command in restore.commands(source, aside=ASIDE, postgres_image=image("postgres:17"), time=when):
        run_command(*command)
    question = restore.query(ASIDE, "app", "SELECT pg_is_in_recovery()")

    def promoted() -> bool:
        return subprocess.run(question, capture_output=True, text=True).stdout.strip() == "f"

    until(lambda: run_command("docker", "logs", ASIDE), promoted, 120, every=0.1)
    return time.monotonic() - began


def aside(statement: str) -> str:
    return run_command(*restore.query(ASIDE, "app", statement))


def streams() -> bool:
    return sql("SELECT state FROM pg_stat_replication WHERE application_name = 'barman'") == "streaming"


def test_first_backup_and_stream_are_there_when_the_update_ends(stack: Stack) -> None:
    found = status()
    assert found["healthy"] is True
    assert found["backups"] == 1
    assert streams()
    assert sql(f"SELECT active FROM pg_replication_slots WHERE slot_name = '{agent.SLOT}'") == "t"


def test_no_password_is_in_the_clear(stack: Stack) -> None:
    password = run_command("docker", "exec", BARMAN, "sed", "s/.*://", f"{agent.CONFIG}/pgpass")
    assert len(password) >= 20
    assert password not in stack.state()
    assert password not in run_command("docker", "inspect", BARMAN)
    assert password not in run_command("docker", "top", BARMAN, "-eo", "pid,args")
    assert password not in run_command("docker", "logs", BARMAN)


def test_a_new_schedule_keeps_container_and_catalog(stack: Stack) -> None:
    started, before = (
        run_command("docker", "inspect", "-f", "{{.Id}} {{.State.StartedAt}}", BARMAN),
        status()["last_backup"],
    )
    stack.unchanged()
    stack.write(program("0 */6 * * *"))
    assert "1 updated" in stack.up()
    assert run_command("docker", "inspect", "-f", "{{.Id}} {{.State.StartedAt}}", BARMAN) == started
    assert (
        json.loads(run_command("docker", "exec", BARMAN, "cat", f"{agent.CONFIG}/settings.json"))["schedule"]
        == "0 */6 * * *"
    )
    assert status()["last_backup"] == before


def test_restore_to_the_moment_before_a_mistake(stack: Stack) -> None:
    sql("CREATE TABLE clock (id serial PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp())")
    for _ in range(20):
        sql("INSERT INTO clock DEFAULT VALUES")
    before = sql("SELECT array_agg(id ORDER BY id) FROM clock")
    moment = clock()
    for _ in range(5):
        sql("INSERT INTO clock DEFAULT VALUES")
    sql("DELETE FROM clock WHERE id <= 15")
    seconds = restored(moment)
    assert aside("SELECT array_agg(id ORDER BY id) FROM clock") == before
    assert sql("SELECT count(*) FROM clock") == "10", "the running database is left as it is"
    print(f"\nrestore to a moment: {seconds:.1f} s, {before.count(',') + 1} rows of {before.count(',') + 1}")


def agent_restores(*arguments: str, volume: str) -> "subprocess.CompletedProcess[str]":
    """The agent's own command, with a volume at /restore."""
    environment = [part for key, value in restore.ENVIRONMENT.items() for part in ("-e", f"{key}={value}")]
    mounts = [
        *("-v", f"{NAME}-backups-catalog:{agent.CATALOG}", "-v", f"{NAME}-backups-config:{agent.CONFIG}:ro"),
        *("-v", f"{volume}:{restore.TARGET}"),
    ]
    command = ["docker", "run", "--rm", "--user", "26:26", "--network", "none", "--tmpfs", "/tmp", *environment]
    command += [*mounts, image("barman:3"), *restore.PYTHON, "restore", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_live_database_is_never_overwritten(stack: Stack) -> None:
    sql("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS id")
    live = f"{NAME}-db-data"
    done = agent_restores("--to", "/restore/pgdata", volume=live)
    assert done.returncode == 2
    assert done.stdout.strip() == (
        "--to = /restore/pgdata: is a data directory of PostgreSQL with a server on it (postmaster.pid); restore into a "
        "new volume; to replace it, stop the server and rename the directory first"
    )
    inside = agent_restores("--to", "/restore/pgdata/aside", volume=live)
    assert (inside.returncode, "is inside the data directory" in inside.stdout) == (2, True)
    above = agent_restores("--to", "/restore", volume=live)
    assert (above.returncode, "--to = /restore: is not empty (pgdata)" in above.stdout) == (2, True)
    catalog = agent_restores("--to", f"{agent.CATALOG}/data", volume=live)
    assert (catalog.returncode, "is inside the catalog" in catalog.stdout) == (2, True)
    assert sql("SELECT count(*) FROM kept") == "1000"


def test_a_moment_that_no_wal_reaches_is_refused_and_all_problems_come_at_once(stack: Stack) -> None:
    live = f"{NAME}-db-data"
    done = agent_restores("--to", "/restore/pgdata", "--time", "2100-01-01T00:00:00Z", volume=live)
    first, second = done.stdout.strip().splitlines()
    assert done.returncode == 2
    assert first.startswith("--to = /restore/pgdata: is a data directory of PostgreSQL")
    assert second.startswith("--time = 2100-01-01T00:00:00Z: is in the future, it is ")
    assert second.endswith(" now; leave --time out to restore everything that was received")
    without = agent_restores("--to", "/restore/pgdata", "--time", "2026-01-31T12:00:00", volume=live)
    assert "--time = 2026-01-31 12:00:00: has no time zone" in without.stdout
    early = agent_restores("--to", "/restore/x", "--time", "2026-01-31T12:00:00Z", volume=live)
    assert early.stdout.startswith(
        "--time = 2026-01-31T12:00:00Z: no base backup had ended by then; base backups ended at: "
    )


def test_a_drill_measures_a_restore_and_leaves_only_its_line(stack: Stack) -> None:
    assert "no drill yet" in tierstack(stack, "drill", "history", code=1).stdout
    mine = ("docker", "volume", "ls", "--quiet", "--filter", f"name={NAME}")
    volumes = run_command(*mine)
    first = json.loads(tierstack(stack, "drill", "--json").stdout)
    assert (first["result"], first["why"], first["checks"]) == ("good", [], {"kept": True})
    assert first["rows_acknowledged"] > 0
    assert first["tables"] >= 1
    assert run_command(*mine) == volumes
    assert f"{NAME}-backups-catalog-drill" not in run_command("docker", "ps", "--all", "--format", "{{.Names}}")
    print(f"\n{tierstack(stack, 'drill', 'history').stdout}")
    until("the agent shows it", lambda: has_metric(BARMAN, "drill_good"), WAIT)
    assert metric(BARMAN, "drill_good") == 1
    assert metric(BARMAN, "drill_rows_lost") == first["rows_lost"]
    assert metric(BARMAN, "drill_rto_seconds") == first["rto_seconds"]


def test_a_drill_that_finds_something_wrong_or_cannot_be_made_is_not_good(stack: Stack) -> None:
    stack.write(program(checks='"more": "SELECT count(*) = 1001 FROM kept"'))
    stack.up()
    done = tierstack(stack, "drill", code=1)
    assert done.stderr == "bad:\n  check `more` is not true\n"
    stack.write(program(checks='"gone": "SELECT count(*) > 0 FROM gone"'))
    stack.up()
    done = tierstack(stack, "drill", code=1)
    assert done.stderr.startswith("not verified:\n")
    assert 'relation "gone" does not exist' in done.stderr
    run_command("docker", "stop", DATABASE)
    try:
        assert tierstack(stack, "drill", code=1).stderr.startswith("not verified:\n")
    finally:
        run_command("docker", "start", DATABASE)
    lines = tierstack(stack, "drill", "history", code=1).stdout.splitlines()
    assert [line.split("  ")[1] for line in lines] == ["good", "bad", "not verified", "not verified"]
    stack.write(program())
    stack.up()
    until("WAL streams again", streams, WAIT)


def test_the_command_restores_aside_and_says_how_to_look_and_to_remove(stack: Stack) -> None:
    drop(ASIDE)
    moment = clock()
    sql("DELETE FROM kept")  # a commit after the moment, by which PostgreSQL knows that it was reached
    to = ("--to", moment.isoformat())
    plan = tierstack(stack, "restore", *to, "--plan").stdout
    assert f"into the new volume {NAME}-backups-catalog-aside" in plan
    assert "by the last good drill" in plan
    said = tierstack(stack, "restore", *to, "--aside", ASIDE, "--yes").stdout
    assert aside("SELECT count(*) FROM kept") == "1000"
    assert sql("SELECT count(*) FROM kept") == "0"
    assert f"docker rm -f {ASIDE} && docker volume rm {ASIDE}" in said
    refused = tierstack(stack, "restore", "--aside", ASIDE, "--yes", code=2)
    assert f"there is a volume or container {ASIDE} already" in refused.stderr
    drop(ASIDE)


def test_the_command_replaces_data_only_where_it_is_told(stack: Stack) -> None:
    refused = tierstack(stack, "restore", "--in-place", code=2)
    assert "add --replace-data" in refused.stderr
    started = run_command("docker", "inspect", "-f", "{{.State.StartedAt}}", DATABASE)
    tierstack(stack, "restore", "--in-place", "--replace-data", "--to", "2026-01-31T12:00:00Z", code=2)
    assert run_command("docker", "inspect", "-f", "{{.State.StartedAt}}", DATABASE) == started, (
        "refused before it stopped"
    )
    sql("INSERT INTO kept SELECT generate_series(1, 1000)")
    broken = f"{NAME}-backups-catalog"
    run_command(
        "docker", "exec", BARMAN, "mv", f"{agent.CATALOG}/tierstack/base", f"{agent.CATALOG}/tierstack/elsewhere"
    )
    try:
        failed = tierstack(stack, "restore", "--in-place", "--replace-data", "--yes", code=1)
    finally:
        run_command(
            "docker", "exec", BARMAN, "mv", f"{agent.CATALOG}/tierstack/elsewhere", f"{agent.CATALOG}/tierstack/base"
        )
    assert "the old data goes back" in failed.stdout, broken
    until("the primary answers", lambda: answers(DATABASE), WAIT)
    assert sql("SELECT count(*) FROM kept") == "1000"
    tierstack(stack, "restore", "--in-place", "--replace-data", "--yes")
    until("the primary answers", lambda: answers(DATABASE), WAIT)
    assert sql("SELECT count(*) FROM kept") == "1000"
    assert sql("SELECT pg_is_in_recovery()") == "f"
    until("backups are well again", lambda: status()["backups"] == 2 and status()["healthy"] and streams(), WAIT)
    run_command("docker", "exec", DATABASE, "rm", "-r", "/var/lib/postgresql/data/pgdata.before")


def answers(container: str) -> bool:
    asked = ["docker", "exec", container, "pg_isready", "-q", "-h", "127.0.0.1"]
    return subprocess.run(asked, capture_output=True).returncode == 0


def has_metric(container: str, name: str) -> bool:
    ask = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{metrics.PORT}/metrics').read().decode())"
    return f"{metrics.PREFIX}_{name}{{" in run_command("docker", "exec", container, "python3", "-c", ask)


def test_a_restore_in_the_place_of_the_database(stack: Stack) -> None:
    """By the commands of the page: everything to the moment is back, and backups go on by themselves."""
    drop(ASIDE)
    sql("CREATE TABLE orders AS SELECT generate_series(1, 500) AS id")
    moment = clock()
    sql("DELETE FROM orders")
    sql("INSERT INTO orders VALUES (1000)")
    given_up = clock()
    sql("INSERT INTO orders VALUES (1001)")
    source = Source(catalog=f"{NAME}-backups-catalog", config=f"{NAME}-backups-config", image=image("barman:3"))
    names = {"volume": f"{NAME}-db-data", "container": DATABASE, "aside": ASIDE}
    began = time.monotonic()
    images = {"postgres_image": image("postgres:17")}
    for _, command in restore.in_place_commands(source, **names, **images, time=moment.isoformat()):
        run_command(*command)
    until("the primary answers", lambda: answers(DATABASE), WAIT)
    print(f"\nrestore in place: {time.monotonic() - began:.1f} s")
    assert sql("SELECT count(*), min(id), max(id) FROM orders") == "500|1|500"
    assert sql("SELECT pg_is_in_recovery()") == "f"
    assert sql("SELECT count(*) FROM pg_file_settings WHERE name LIKE 'recovery%' OR name = 'restore_command'") == "0"
    sql("INSERT INTO orders VALUES (1002)")
    until("backups are well again", lambda: status()["healthy"] is True and status()["backups"] == 3, WAIT)
    run_command(*["docker", "exec", DATABASE, "rm", "-r", "/var/lib/postgresql/data/pgdata.before"])
    # What was given up is on the timeline before only.
    restored(given_up)
    assert aside("SELECT string_agg(id::text, ' ') FROM orders") == "1000"
    restored(None)
    assert aside("SELECT count(*), max(id) FROM orders") == "501|1002"
    drop(ASIDE)


@pytest.fixture
def small(stack: Stack) -> Iterator[str]:
    """An agent like the stack's own, in its place, with a catalog of 256 MiB that lies in memory."""
    name, options = f"{NAME}-small", "o=size=256m,uid=26,gid=26,mode=0700"
    mounts = json.loads(run_command("docker", "inspect", "-f", "{{json .Mounts}}", BARMAN))
    others = [f"{one['Name']}:{one['Destination']}:ro" for one in mounts if one["Destination"] != str(agent.CATALOG)]
    environment = [part for key, value in restore.ENVIRONMENT.items() for part in ("-e", f"{key}={value}")]
    run_command("docker", "volume", "create", "--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", options, name)
    run_command("docker", "stop", BARMAN)
    try:
        run_command(
            *("docker", "run", "--detach", "--name", name, "--restart", "unless-stopped", "--network", DIRECT),
            *("--user", "26:26", "--read-only", "--tmpfs", "/tmp:size=64m", "-v", f"{name}:{agent.CATALOG}"),
            *(part for one in others for part in ("-v", one)),
            *(*environment, image("barman:3"), *restore.PYTHON, "run"),
        )
        yield name
    finally:
        print(subprocess.run(["docker", "logs", name], capture_output=True, text=True).stdout[-2000:])
        subprocess.run(["docker", "rm", "-f", name], capture_output=True)
        subprocess.run(["docker", "volume", "rm", name], capture_output=True)
        run_command("docker", "start", BARMAN)
        until("the stack's own backups are well", lambda: well(BARMAN), WAIT)


def well(container: str) -> bool:
    found = subprocess.run(["docker", "exec", container, *restore.PYTHON, "health"], capture_output=True, text=True)
    return found.returncode == 0


def metric(container: str, name: str) -> float:
    """One metric as Prometheus would read it in the container's network."""
    ask = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{metrics.PORT}/metrics').read().decode())"
    page = run_command("docker", "exec", container, "python3", "-c", ask)
    (line,) = [one for one in page.splitlines() if one.startswith(f"{metrics.PREFIX}_{name}{{")]
    return float(line.split()[-1])


def test_a_full_catalog_is_told_by_an_agent_that_goes_on_and_heals_by_itself(small: str) -> None:
    until("the first backup is there", lambda: well(small), WAIT)
    assert metric(small, "wal_streaming") == 1
    fill = f"dd if=/dev/zero of={agent.CATALOG}/fill bs=1M"
    subprocess.run(["docker", "exec", small, "sh", "-c", fill], capture_output=True)
    sql("CREATE TABLE filler AS SELECT repeat('x', 1000) AS x FROM generate_series(1, 40000)")
    sql("SELECT pg_switch_wal()")

    def told() -> list[str] | None:
        faults = status(small)["faults"]
        return faults if "no WAL is streaming from the primary" in faults else None

    faults = until("the status names what is wrong", told, WAIT)
    assert faults[0].startswith("the catalog's disk is full: 0 of 256 MiB are free; "), faults
    assert metric(small, "wal_streaming") == 0
    assert metric(small, "healthy") == 0
    assert run_command("docker", "inspect", "-f", "{{.RestartCount}} {{.State.Status}}", small) == "0 running"
    run_command("docker", "exec", small, "rm", f"{agent.CATALOG}/fill")
    began = time.monotonic()
    until("it heals", lambda: well(small), WAIT)
    print(f"\nhealed {time.monotonic() - began:.0f} s after there was room")
    assert run_command("docker", "inspect", "-f", "{{.RestartCount}}", small) == "0"


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
        run_command("docker", "kill", DATABASE)
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
