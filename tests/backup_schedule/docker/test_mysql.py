"""A real MySQL, its real backups, and restores of it: to chosen transactions, after the primary's loss, in its place.

Prints the figures that docs/components/backup-schedule.md quotes; run it with -s to see them.
"""

import json
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.backup_schedule.docker.commands import drop, status_of, tierstack
from tests.support import Stack, docker_client, image, run_command
from tests.waiting import until
from tierstack.backup_schedule import metrics
from tierstack.backup_schedule.engine import Goal, Source
from tierstack.backup_schedule.mysql import agent, restore
from tierstack.database.mysql.engine import SUPERUSER, local

NAME = "t-mysql-backup"
DATABASE = f"{NAME}-db-primary"
AGENT = f"{NAME}-backups-agent"
ASIDE = f"{NAME}-aside"
CATALOG = f"{NAME}-backups-catalog"
WAIT = 300
"""Seconds that something may take at most on a machine that is busy with other work."""

PROGRAM = """
from tierstack import *
from tierstack.links import DatabaseEngine

platform = DockerHost(name="{name}", data_protection=DataProtection.NONE)
database = DatabaseWithReplicas("db", DatabaseWithReplicasArgs(
    platform=platform, tier=Tier.USERS_100K, engine=DatabaseEngine.MYSQL, image="{mysql}", pooler_image="{haproxy}",
    pool_size=4, max_connections=20, memory_mb=768, storage_gb=4, wal_storage_gb=2, cpu=1.0))
BackupSchedule("backups", BackupScheduleArgs(
    platform=platform, database=database.connection, image="{backup}", first_backup_minutes=5,
    drill=DrillArgs(checks={{"steps": "SELECT COUNT(*) > 0 FROM steps"}})))
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    docker_client()
    stack = Stack(tmp_path_factory.mktemp("backups"), "backups")
    images = {"mysql": image("mysql:9.7"), "haproxy": image("haproxy:3.0"), "backup": image("mysql-backup:9.7")}
    stack.write(PROGRAM.format(name=NAME, **images))
    try:
        began = time.monotonic()
        stack.up()
        print(f"\nup with the first base backup: {time.monotonic() - began:.1f} s")
        sql("CREATE TABLE steps (id INT PRIMARY KEY, data VARBINARY(300) NOT NULL)")
        yield stack
    finally:
        drop(ASIDE)
        stack.run("destroy", "--yes", "--skip-preview", "--refresh", "--stack=backups")
        shutil.rmtree(stack.folder)


def status() -> dict[str, Any]:
    return status_of(AGENT, agent.STATUS)


def sql(statement: str) -> str:
    client = [*local("mysql", SUPERUSER), "--batch", "--skip-column-names", "app"]
    return run_command("docker", "exec", "-i", DATABASE, *client, stdin=statement)


def aside(statement: str) -> str:
    return run_command(*restore.query(ASIDE, "app", statement))


def answers(container: str) -> bool:
    asks = ["docker", "exec", container, *local("mysql", SUPERUSER), "--execute=SELECT 1"]
    return subprocess.run(asks, capture_output=True).returncode == 0


def source() -> Source:
    return Source(catalog=CATALOG, config=f"{NAME}-backups-config", image=image("mysql-backup:9.7"))


def restored(goal: Goal) -> float:
    """Restore aside; the seconds until MySQL there answers."""
    drop(ASIDE)
    began = time.monotonic()
    for _, command in restore.commands(source(), aside=ASIDE, server_image=image("mysql:9.7"), goal=goal):
        run_command(*command)
    until(lambda: run_command("docker", "logs", ASIDE), lambda: answers(ASIDE), 120, every=0.1)
    return time.monotonic() - began


def last_gtid() -> str:
    """The last transaction that the primary made itself."""
    uuid, held = sql("SELECT @@server_uuid, REPLACE(@@GLOBAL.gtid_executed, '\n', '')").split("\t")
    (own,) = [part for part in held.split(",") if part.startswith(uuid)]
    return f"{uuid}:{own.rpartition(':')[2].rpartition('-')[2]}"


def test_the_first_base_backup_is_there_and_the_binary_logs_stream_when_the_update_ends(stack: Stack) -> None:
    found = status()
    assert (found["healthy"], found["backups"], found["wal_streaming"]) == (True, 1, True)
    print(f"\nbase backup of {found['last_backup']['size_bytes'] / 2**20:.0f} MiB")
    print(run_command("docker", "stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}", AGENT, DATABASE))
    stack.unchanged()


def test_the_user_may_do_no_more_than_backups_need_and_its_password_is_nowhere(stack: Stack) -> None:
    assert sql("SHOW GRANTS FOR 'tierstack_backup'@'%'").splitlines() == [
        "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `tierstack_backup`@`%`",
        "GRANT BACKUP_ADMIN,SHOW_ROUTINE ON *.* TO `tierstack_backup`@`%`",
        "GRANT SELECT, SHOW VIEW, EVENT, TRIGGER ON `app`.* TO `tierstack_backup`@`%`",
    ]
    password = run_command(
        "docker", "exec", AGENT, "sed", "-n", 's/^password="\\(.*\\)"$/\\1/p', f"{agent.CONFIG}/client.cnf"
    )
    assert len(password) >= 20
    assert password not in stack.state()
    for container in (AGENT, DATABASE):
        assert password not in run_command("docker", "inspect", container)
        assert password not in run_command("docker", "top", container, "-eo", "pid,args")
        assert password not in run_command("docker", "logs", container)
    files = f"grep -rlF '{password}' {agent.CATALOG}/copies {agent.CATALOG}/logs {agent.CATALOG}/arriving /tmp || true"
    assert run_command("docker", "exec", AGENT, "sh", "-c", files) == ""


def test_restores_to_chosen_transactions_end_exactly_there(stack: Stack) -> None:
    """Five of a hundred, over several logs: the row before is there, the row after is not, and bytes are what they were."""
    after: dict[int, str] = {}
    for number in range(1, 101):
        sql(f"INSERT INTO steps VALUES ({number}, UNHEX(REPEAT('00FF0A5C27{number:02X}', 40)))")
        after[number] = last_gtid()
        if number % 30 == 0:
            sql(f"FLUSH BINARY LOGS; ALTER TABLE steps COMMENT = 'größer {number}'")
    seconds: list[float] = []
    for number in [1, *random.Random(56).sample(range(2, 100), 3), 100]:
        seconds.append(restored(Goal(gtid=after[number])))
        assert aside("SELECT MAX(id), COUNT(*) FROM steps").split() == [str(number), str(number)]
        digest = (
            "SET SESSION group_concat_max_len = 1000000; SELECT SHA2(GROUP_CONCAT(data ORDER BY id), 256) FROM steps"
        )
        assert aside(digest) == sql(f"{digest} WHERE id <= {number}")
    print(f"\nrestores to a transaction: {', '.join(f'{one:.1f}' for one in seconds)} s, 5 of 5 exact")


def test_a_restore_to_a_moment_before_a_mistake(stack: Stack) -> None:
    sql("CREATE TABLE orders (id INT PRIMARY KEY); INSERT INTO orders WITH RECURSIVE n AS "
        "(SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT i FROM n")  # fmt: skip
    moment = sql("SELECT DATE_FORMAT(SYSDATE(6), '%Y-%m-%dT%H:%i:%s.%fZ')")
    sql("DELETE FROM orders WHERE id <= 400")
    drop(ASIDE)
    plan = tierstack(stack, "restore", "--to", moment, "--plan").stdout
    assert f"into the new volume {CATALOG}-aside" in plan
    said = tierstack(stack, "restore", "--to", moment, "--aside", ASIDE, "--yes").stdout
    assert f"docker rm -f {ASIDE} && docker volume rm {ASIDE}" in said
    assert (aside("SELECT COUNT(*) FROM orders"), sql("SELECT COUNT(*) FROM orders")) == ("500", "100")
    drop(ASIDE)
    refused = tierstack(stack, "restore", "--to", "2026-01-31T12:00:00Z", "--yes", code=2)
    assert "the earliest moment in the backups" in refused.stderr


def test_drills_measure_a_restore_and_one_that_cannot_be_made_is_not_good(stack: Stack) -> None:
    assert "no drill yet" in tierstack(stack, "drill", "history", code=1).stdout
    mine = ("docker", "volume", "ls", "--quiet", "--filter", f"name={NAME}")
    volumes = run_command(*mine)
    drills = [json.loads(tierstack(stack, "drill", "--json").stdout) for _ in range(2)]
    for found in drills:
        assert (found["result"], found["why"], found["checks"]) == ("good", [], {"steps": True})
        assert found["rows_acknowledged"] > 0
        assert (found["tables"], found["rows"]) == (2, 200)
    assert run_command(*mine) == volumes
    run_command("docker", "stop", DATABASE)
    try:
        assert tierstack(stack, "drill", code=1).stderr.startswith("not verified:\n")
    finally:
        run_command("docker", "start", DATABASE)
    lines = tierstack(stack, "drill", "history", code=1).stdout.splitlines()
    print("", *lines, sep="\n")
    assert [line.split("  ")[1] for line in lines] == ["good", "good", "not verified"]
    until("the database answers", lambda: answers(DATABASE), WAIT)
    until("the agent shows it", lambda: metric("drill_good") == 0 and metric("wal_streaming") == 1, WAIT, every=1)
    assert metric("drill_rows_lost") == drills[-1]["rows_lost"]


def metric(name: str) -> float | None:
    """One metric as Prometheus would read it in the container's network."""
    ask = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{metrics.PORT}/metrics').read().decode())"
    page = run_command("docker", "exec", AGENT, "python3", "-c", ask)
    found = [one for one in page.splitlines() if one.startswith(f"{metrics.PREFIX}_{name}{{")]
    return float(found[0].split()[-1]) if found else None


@contextmanager
def without(path: str, change: str) -> Iterator[None]:
    """A file of the catalog is changed by a command of the shell, and put back."""
    shell = ("docker", "exec", AGENT, "sh", "-c")
    run_command(*shell, f"cp -p {path} {path}.kept && {change}")
    try:
        yield
    finally:
        run_command(*shell, f"mv {path}.kept {path}")


def test_a_log_that_is_missing_or_cut_short_is_one_clear_error(stack: Stack) -> None:
    ledger = f"ls {agent.CATALOG}/logs/*/binlog.* | sort"
    logs = run_command("docker", "exec", AGENT, "sh", "-c", ledger).split()
    assert len(logs) >= 3
    second = logs[1]
    name = second.rpartition("/")[2]
    for change, says in (
        (f"rm {second}", f"the binary log {name} is missing: nothing after it can be restored"),
        (f"truncate -s -1000 {second}", f"{name} ends within"),
    ):
        with without(second, change):
            drop(ASIDE)
            steps = restore.commands(source(), aside=ASIDE, server_image=image("mysql:9.7"), goal=Goal())
            for _, command in steps[:2]:
                run_command(*command)
            done = subprocess.run(steps[2].command, capture_output=True, text=True)
        assert done.returncode == 1
        said = done.stdout.strip().splitlines()
        assert len(said) == 2, "the moment, and the error"
        assert said[1].startswith(says)
        print(f"\n{said[1]}")
    drop(ASIDE)


def test_what_a_loss_of_the_primary_costs(stack: Stack, tmp_path: Path) -> None:
    """Rows are written as fast as one connection can; the primary is killed; what was acknowledged is compared."""
    sql("CREATE TABLE stream (id INT AUTO_INCREMENT PRIMARY KEY, at DECIMAL(20, 6) NOT NULL)")
    acknowledged = tmp_path / "acknowledged"
    client = [*local("mysql", SUPERUSER), "--batch", "--skip-column-names", "--unbuffered", "app"]
    command = ["docker", "exec", "-i", DATABASE, *client]
    insert = (
        "INSERT INTO stream (at) VALUES (UNIX_TIMESTAMP(SYSDATE(6)));\n"
        "SELECT CONCAT(id, '|', at) FROM stream WHERE id = LAST_INSERT_ID();\n"
    )
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
    try:
        seconds = restored(Goal())
        kept, count, kept_at = aside("SELECT MAX(id), COUNT(*), MAX(at) FROM stream").split("\t")
    finally:
        run_command("docker", "start", DATABASE)
    assert kept == count, "no hole before the end"
    lost, gap = max(0, last - int(kept)), max(0.0, last_at - float(kept_at))
    print(f"\nloss of the primary: {last} rows acknowledged, {lost} lost, RPO {gap * 1000:.0f} ms, RTO {seconds:.1f} s")
    assert last > 100
    assert gap < 10
    until("the database answers", lambda: answers(DATABASE), WAIT)


def test_a_restore_in_place_to_a_transaction_begins_a_new_history(stack: Stack) -> None:
    refused = tierstack(stack, "restore", "--in-place", code=2)
    assert "add --replace-data" in refused.stderr
    sql("INSERT INTO steps VALUES (1001, 'kept')")
    goal, before = last_gtid(), sql("SELECT @@server_uuid")
    sql("INSERT INTO steps VALUES (1002, 'lost')")
    until("the log arrives", lambda: status()["wal_lag_bytes"] == 0 and status()["healthy"], WAIT, every=1)
    hidden = f"{agent.CATALOG}/copies"
    run_command("docker", "exec", AGENT, "mv", hidden, f"{hidden}.kept")
    try:
        failed = tierstack(stack, "restore", "--in-place", "--replace-data", "--yes", code=1)
    finally:
        run_command("docker", "exec", AGENT, "sh", "-c", f"rm -rf {hidden} && mv {hidden}.kept {hidden}")
    assert "there is no base backup" in failed.stderr
    until("the old data is back", lambda: answers(DATABASE), WAIT)
    assert sql("SELECT COUNT(*) FROM steps WHERE id > 1000") == "2"
    began = datetime.now().astimezone()
    said = tierstack(stack, "restore", "--in-place", "--replace-data", "--to", goal, "--yes").stdout
    until("the database answers", lambda: answers(DATABASE), WAIT)
    print(f"\nrestore in place: {(datetime.now().astimezone() - began).total_seconds():.1f} s")
    assert f"restore to transaction {goal}" in said
    assert sql("SELECT id FROM steps WHERE id > 1000") == "1001"
    assert sql("SELECT @@server_uuid") != before
    sql("INSERT INTO steps VALUES (1003, 'new')")
    backups = lambda: run_command("docker", "exec", AGENT, "sh", "-c", f"ls {agent.CATALOG}/copies/*/copy.json | wc -l")  # noqa: E731
    until("a base backup of the new history", lambda: int(backups()) >= 2 and status()["healthy"], WAIT, every=1)
    restored(Goal())
    assert aside("SELECT id FROM steps WHERE id > 1000").split() == ["1001", "1003"]
    restored(Goal(gtid=goal))
    assert aside("SELECT id FROM steps WHERE id > 1000") == "1001"
    run_command("docker", "exec", DATABASE, "rm", "-r", "/var/lib/mysql/data.before")
