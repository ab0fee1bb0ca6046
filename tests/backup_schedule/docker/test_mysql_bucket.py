"""A real MySQL whose backups go to a real bucket on the same host: drills and restores with the key that only reads, a
store that is away, parts of the binary logs that are missing, and what prunes.

Prints the figures that docs/measurements.md quotes; run it with -s to see them.
"""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.backup_schedule.docker.commands import drop, refuse_shown_keys, say_whose, status_of, tierstack
from tests.support import Stack, docker_client, image, run_command
from tests.waiting import until
from tierstack.backup_schedule.mysql import agent, restore
from tierstack.backup_schedule.mysql.engine import MYSQL
from tierstack.database.mysql.engine import SUPERUSER, local

NAME = "t-mybucket"
DATABASE, AGENT, PRUNE, GATEWAY = (
    f"{NAME}-{one}" for one in ("db-primary", "backups-agent", "backups-prune", "storage")
)
ASIDE = f"{NAME}-aside"
WAIT = 300
"""Seconds that something may take at most on a machine that is busy with other work."""

PROGRAM = """
import pulumi
from tierstack import *
from tierstack.links import DatabaseEngine

platform = DockerHost(name="{name}", data_protection=DataProtection.NONE)
storage = ObjectStorage("storage", ObjectStorageArgs(platform=platform, bucket="backups", prefix="prod", self_hosted=True,
    image="{versitygw}", probe_image="{barman}", versioning=True))
database = DatabaseWithReplicas("db", DatabaseWithReplicasArgs(
    platform=platform, tier=Tier.USERS_100K, engine=DatabaseEngine.MYSQL, image="{mysql}", pooler_image="{haproxy}",
    pool_size=4, max_connections=20, memory_mb=768, storage_gb=4, wal_storage_gb=2, cpu=1.0))
made = BackupSchedule("backups", BackupScheduleArgs(
    platform=platform, database=database.connection, image="{backup}", first_backup_minutes=5, store=storage.store,
    drill=DrillArgs(checks={{"kept": "SELECT COUNT(*) = 1000 FROM kept"}})))
pulumi.export("location", made.location)
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    docker_client()
    stack = Stack(tmp_path_factory.mktemp("backups"), "backups")
    images = {
        "mysql": "mysql:9.7", "haproxy": "haproxy:3.0", "backup": "mysql-backup:9.7",
        "barman": "barman:3", "versitygw": "versitygw:1.8",
    }  # fmt: skip
    stack.write(PROGRAM.format(name=NAME, **{key: image(name) for key, name in images.items()}))
    try:
        began = time.monotonic()
        stack.up()
        print(f"\nup with the first base backup in the bucket: {time.monotonic() - began:.1f} s")
        sql("CREATE TABLE kept (id INT PRIMARY KEY); SET cte_max_recursion_depth = 1000; INSERT INTO kept WITH RECURSIVE "
            "n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT i FROM n;"
            "CREATE TABLE marks (id INT AUTO_INCREMENT PRIMARY KEY, mark TEXT)")  # fmt: skip
        yield stack
    finally:
        drop(ASIDE)
        stack.run("destroy", "--yes", "--skip-preview", "--refresh", "--stack=backups")
        shutil.rmtree(stack.folder)


def status() -> dict[str, Any]:
    return status_of(AGENT, agent.STATUS)


def fault(text: str) -> str | None:
    """The fault with a text. None: there is none, or the agent has said nothing yet."""
    try:
        return next((one for one in status()["faults"] if text in one), None)
    except AssertionError:
        return None


def shown() -> str:
    return f"{fault('')} " + run_command("docker", "logs", "--tail", "20", AGENT)


def sql(statement: str) -> str:
    client = [*local("mysql", SUPERUSER), "--batch", "--skip-column-names", "app"]
    return run_command("docker", "exec", "-i", DATABASE, *client, stdin=statement)


def aside(statement: str) -> str:
    return run_command(*restore.query(ASIDE, "app", statement))


def answers(container: str) -> bool:
    asks = [*local("mysql", SUPERUSER), "--execute=SELECT 1"]
    try:
        run_command("docker", "exec", container, *asks)
    except AssertionError:
        return False
    return True


def arrived(position: str) -> bool:
    try:
        return MYSQL.reached(run_command("docker", "exec", AGENT, *MYSQL.sent()), position)
    except AssertionError:  # nothing was sent yet
        return False


def written(mark: str) -> str:
    """Write something, and wait until it is in the bucket; where the log was then."""
    sql(f"INSERT INTO marks (mark) VALUES ('{mark}')")
    position = sql("SHOW BINARY LOG STATUS")
    until(shown, lambda: arrived(position), WAIT, every=0.5)
    return position


def last_gtid() -> str:
    """The last transaction that the primary made itself."""
    uuid, held = sql("SELECT @@server_uuid, REPLACE(@@GLOBAL.gtid_executed, '\n', '')").split("\t")
    (own,) = [part for part in held.split(",") if part.startswith(uuid)]
    return f"{uuid}:{own.rpartition(':')[2].rpartition('-')[2]}"


def restored(stack: Stack, *goal: str) -> float:
    """Restore aside by the command; the seconds that it took."""
    drop(ASIDE)
    began = time.monotonic()
    tierstack(stack, "restore", "--aside", ASIDE, "--yes", *goal)
    return time.monotonic() - began


def in_volume(volume: str, script: str) -> str:
    """What a shell of root prints that looks at a volume of the store."""
    mount = f"type=volume,source={NAME}-storage-{volume},target=/v"
    command = ["docker", "run", "--rm", "--network=none", "--user=0:0", "--mount", mount, "--entrypoint=/bin/sh"]
    return run_command(*command, image("barman:3"), "-euc", script)


def stored(pattern: str) -> list[str]:
    """Paths of objects in the volume of the store, in the order of their keys."""
    found = in_volume("data", f"find /v/objects -path '*/{pattern}' -type f").split()
    return sorted(found)


def well() -> bool:
    """Whether the agent runs and says that all is well."""
    try:
        return bool(status()["healthy"])
    except AssertionError:  # it has said nothing yet
        return False


def test_base_backup_and_binary_logs_are_in_the_bucket_when_the_update_ends(stack: Stack) -> None:
    store = status()["store"]
    assert (store["base_backups"], store["error"]) == (1, None)
    assert status()["healthy"]
    assert stack.outputs()["location"] == "s3://backups/prod"
    assert stored("prod/t-mybucket-backups/copies/*/copy.json")
    print(run_command("docker", "stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}", AGENT, PRUNE))
    stack.unchanged()
    began = time.monotonic()
    written("first")
    print(f"\na write was in the bucket after {time.monotonic() - began:.1f} s")
    assert stored("prod/t-mybucket-backups/logs/*/binlog.*/*.gz")


def test_keys_are_apart_and_nowhere_in_the_clear(stack: Stack) -> None:
    refuse_shown_keys(stack, NAME, AGENT, "999:999", image("mysql-backup:9.7"))


def test_drills_from_the_bucket(stack: Stack) -> None:
    for _ in range(2):
        found = json.loads(tierstack(stack, "drill", "--json").stdout)
        print(f"\ndrill from the bucket: RPO {found['rpo_seconds']} s, RTO {found['rto_seconds']} s, "
              f"{found['rows_lost']} of {found['rows_acknowledged']} acknowledged rows lost")  # fmt: skip
        assert (found["result"], found["why"], found["checks"]) == ("good", [], {"kept": True})
        assert found["source"] == "bucket"
        assert found["rpo_seconds"] <= 60


def test_restores_from_the_bucket_end_exactly_where_they_should(stack: Stack) -> None:
    """Without the agent: what is restored is what the bucket has."""
    after: dict[int, str] = {}
    sql("CREATE TABLE steps (id INT PRIMARY KEY)")
    for number in range(1, 21):
        sql(f"INSERT INTO steps VALUES ({number})")
        after[number] = last_gtid()
        if number % 8 == 0:
            sql("FLUSH BINARY LOGS")
    moment = sql("SELECT DATE_FORMAT(SYSDATE(6), '%Y-%m-%dT%H:%i:%s.%fZ')")
    sql("DELETE FROM steps WHERE id <= 15")
    written("mistake")
    run_command("docker", "stop", AGENT)
    try:
        seconds = [restored(stack, "--to", moment)]
        assert aside("SELECT COUNT(*) FROM steps") == "20"
        for number in (1, 8, 13):
            seconds.append(restored(stack, "--to", after[number]))
            assert aside("SELECT MAX(id), COUNT(*) FROM steps").split() == [str(number), str(number)]
        seconds.append(restored(stack))
        assert aside("SELECT COUNT(*) FROM steps") == "5"
    finally:
        run_command("docker", "start", AGENT)
        drop(ASIDE)
    until(lambda: run_command("docker", "logs", "--tail", "20", AGENT), well, WAIT, every=1)
    print(f"\nrestores from the bucket: {', '.join(f'{one:.1f}' for one in seconds)} s, 5 of 5 exact")
    refused = tierstack(stack, "restore", "--to", "2026-01-31T12:00:00Z", "--yes", code=2)
    assert "the earliest moment in the backups" in refused.stderr


def test_a_store_that_is_away_is_told_and_its_backlog_drains(stack: Stack) -> None:
    run_command("docker", "stop", "--time", "1", GATEWAY)
    try:
        began = time.monotonic()
        for number in range(3):
            sql(f"INSERT INTO marks (mark) VALUES ('away {number}'); FLUSH BINARY LOGS")
        position = sql("SHOW BINARY LOG STATUS")

        print(
            f"\n{until(shown, lambda: fault('parts of the binary logs are not in'), WAIT, every=2)}: told after {time.monotonic() - began:.0f} s"
        )
        assert status()["healthy"] is False
        assert sql("SELECT COUNT(*) FROM kept") == "1000"
    finally:
        run_command("docker", "start", GATEWAY)
    began = time.monotonic()
    until(shown, lambda: arrived(position), WAIT, every=1)
    print(f"the backlog was in the bucket {time.monotonic() - began:.0f} s after the store was back")
    until(shown, lambda: status()["healthy"], WAIT, every=2)


@contextmanager
def changed(path: str, change: str) -> Iterator[None]:
    """An object is changed by a command of the shell, and put back."""
    in_volume("data", f"cp -p {path} /v/kept && {change.format(path)}")
    try:
        yield
    finally:
        in_volume("data", f"mv /v/kept {path}")
        drop(ASIDE)


@pytest.mark.parametrize("damage", ["rm {}", "truncate -s 100 {}", "printf x | dd of={} bs=1 seek=60 conv=notrunc"])
def test_a_part_that_is_missing_or_damaged_ends_no_restore_in_silence(stack: Stack, damage: str) -> None:
    written(f"before {damage}")
    goal = last_gtid()
    before = {*stored("logs/*/binlog.*/*.gz")}
    written(f"broken {damage}")
    (broken,) = {*stored("logs/*/binlog.*/*.gz")} - before
    written(f"after {damage}")
    log = broken.split("/")[-2]
    with changed(broken, damage):
        drop(ASIDE)
        said = tierstack(stack, "restore", "--aside", ASIDE, "--yes", code=1).stderr
        print(f"\n{said}")
        assert f"{log} lacks its bytes" in said
        assert f"--to {goal}" in said
        drop(ASIDE)
        restored(stack, "--to", goal)
        assert aside(f"SELECT COUNT(*) FROM marks WHERE mark = 'before {damage}'") == "1"
        assert aside("SELECT COUNT(*) FROM marks") == sql(
            f"SELECT COUNT(*) FROM marks WHERE id <= (SELECT id FROM marks WHERE mark = 'before {damage}')"
        )


def test_a_log_that_is_missing_is_refused(stack: Stack) -> None:
    sql("FLUSH BINARY LOGS")
    log = written("in a log of its own").split()[0]
    sql("FLUSH BINARY LOGS")
    written("in the next one")
    ours = stored(f"logs/*/{log}/*.gz")
    folder = ours[0].rpartition("/")[0]
    in_volume("data", f"mv {folder} /v/{log}")
    try:
        drop(ASIDE)
        said = tierstack(stack, "restore", "--aside", ASIDE, "--yes", code=1).stderr
        print(f"\n{said}")
        assert f"the binary log {log} is missing: nothing after it can be restored" in said
    finally:
        in_volume("data", f"mv /v/{log} {folder}")
        drop(ASIDE)


def test_a_file_of_the_base_backup_that_is_damaged_is_refused(stack: Stack) -> None:
    (file,) = stored("copies/*/data/mysql.ibd.gz")
    with changed(file, "truncate -s 1000 {}"):
        said = tierstack(stack, "restore", "--aside", ASIDE, "--yes", code=1).stderr
        print(f"\n{said}")
        assert "mysql.ibd" in said
        assert "restore to a moment that an older copy serves" in said


def test_the_bucket_of_another_server_gets_nothing(stack: Stack) -> None:
    identity = say_whose(AGENT, None)
    uuid = sql("SELECT @@server_uuid")
    say_whose(AGENT, identity.replace(uuid, "00000000-0000-0000-0000-000000000000"))
    try:
        run_command("docker", "restart", AGENT)
        before = stored("logs/*/*/*.gz")
        sql("INSERT INTO marks (mark) VALUES ('not sent')")

        another = "holds the backups of another database"
        print("\n" + str(until(shown, lambda: fault(another), WAIT, every=2)))
        assert stored("logs/*/*/*.gz") == before
    finally:
        say_whose(AGENT, identity)
    until(shown, well, WAIT, every=2)


def test_what_prunes_has_looked_and_keeps_what_a_base_backup_needs(stack: Stack) -> None:
    def pruned() -> bool:
        return run_command("docker", "inspect", "-f", "{{.State.Health.Status}}", PRUNE) == "healthy"

    until(lambda: run_command("docker", "logs", PRUNE), pruned, WAIT, every=1)
    before = stored("t-mybucket-backups/copies/*"), stored("t-mybucket-backups/logs/*")
    code = (
        "import json; from datetime import UTC, datetime, timedelta; from tierstack.backup_schedule import pruning; "
        "from tierstack.backup_schedule.mysql import prune; from tierstack.backup_schedule.mysql.bucket import MySQLBucket; "
        "given = json.loads((pruning.CONFIG / 'settings.json').read_text()); "
        "bucket = MySQLBucket(given['store'], pruning.CONFIG, 'prune'); "
        "print(prune.prune(bucket, 1, 1, datetime.now(UTC) + timedelta(days={days})))"
    )
    print("\n" + run_command("docker", "exec", PRUNE, "python3", "-c", code.format(days=0)))
    first = min(stored("t-mybucket-backups/copies/*/copy.json"))
    assert before[0] == stored("t-mybucket-backups/copies/*")
    run_command("docker", "exec", AGENT, "python3", "-m", agent.__name__, "backup")
    until(shown, lambda: status()["store"]["base_backups"] == 2, WAIT, every=1)
    sql("FLUSH BINARY LOGS")
    written("after the second")
    print(run_command("docker", "exec", PRUNE, "python3", "-c", code.format(days=2)))
    assert first not in stored("t-mybucket-backups/copies/*/copy.json")
    assert len(stored("t-mybucket-backups/copies/*/copy.json")) == 1
    restored(stack)
    assert aside("SELECT COUNT(*) FROM marks") == sql("SELECT COUNT(*) FROM marks")
    drop(ASIDE)


def test_a_server_that_was_restored_in_place_goes_on_in_the_same_bucket(stack: Stack) -> None:
    written("kept")
    goal, before = last_gtid(), sql("SELECT @@server_uuid")
    written("taken back")
    tierstack(stack, "restore", "--in-place", "--replace-data", "--to", goal, "--yes")
    until("the database answers", lambda: answers(DATABASE), WAIT)
    assert sql("SELECT @@server_uuid") != before
    assert sql("SELECT COUNT(*) FROM marks WHERE mark = 'taken back'") == "0"
    written("of the new server")
    ids = lambda: {one.split("/")[-2] for one in stored("copies/*/copy.json")}  # noqa: E731
    until(shown, lambda: len(ids()) >= 2 and status()["healthy"], WAIT, every=2)
    restored(stack)
    assert aside("SELECT COUNT(*) FROM marks WHERE mark = 'of the new server'") == "1"
    restored(stack, "--to", goal)
    assert aside("SELECT mark FROM marks ORDER BY id DESC LIMIT 1") == "kept"
    drop(ASIDE)


def test_down_leaves_nothing(stack: Stack) -> None:
    stack.run("destroy", "--yes", "--skip-preview", "--refresh", "--stack=backups")
    for kind in (["ps", "--all"], ["volume", "ls"], ["network", "ls"]):
        form = "{{.Names}}" if kind[0] == "ps" else "{{.Name}}"
        assert run_command("docker", *kind, "--filter", f"name={NAME}", "--format", form) == ""
