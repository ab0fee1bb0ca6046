"""A real database whose backups go to a real bucket on the same host: drills and restores with the key that only reads,
a store that is away, and the layout that barman-cloud itself understands.

Prints the figures that docs/measurements.md quotes; run it with -s to see them.
"""

import json
import shlex
import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.backup_schedule.docker.commands import refuse_shown_keys, say_whose, status_of
from tests.support import Stack, docker_client, image, run_command
from tests.waiting import until
from tierstack.backup_schedule import agent, ledger
from tierstack.backup_schedule.recovery import OnDocker, parsed
from tierstack.recovery import drill, restoring
from tierstack.recovery.found import Backups
from tierstack.recovery.host import CommandError, Host

NAME = "t-bucket"
DATABASE, AGENT, GATEWAY = f"{NAME}-db-primary", f"{NAME}-backups-barman", f"{NAME}-storage"
PROGRAM = """
import pulumi
from tierstack import *

platform = DockerHost(name="{name}", data_protection=DataProtection.NONE)
storage = ObjectStorage("storage", ObjectStorageArgs(platform=platform, bucket="backups", prefix="prod", self_hosted=True,
    image="{versitygw}", probe_image="{barman}", versioning=True))
database = DatabaseWithReplicas("db", DatabaseWithReplicasArgs(
    platform=platform, tier=Tier.USERS_100K, image="{postgres}", pooler_image="{pooler}",
    memory_mb=512, max_connections=100))
made = BackupSchedule("backups", BackupScheduleArgs(
    platform=platform, database=database.connection, image="{barman}", first_backup_minutes=5, store=storage.store,
    drill=DrillArgs(checks={{"kept": "SELECT count(*) = 1000 FROM kept"}})))
pulumi.export("recovery", made.recovery)
pulumi.export("location", made.location)
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    docker_client()
    stack = Stack(tmp_path_factory.mktemp("bucket"), "bucket")
    images = {"postgres": "postgres:17", "pooler": "pgbouncer:1.24", "barman": "barman:3", "versitygw": "versitygw:1.8"}
    stack.write(PROGRAM.format(name=NAME, **{key: image(name) for key, name in images.items()}))
    try:
        stack.up()
        sql("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS id")
        yield stack
    finally:
        restoring.remove(Host(None), f"{NAME}-aside")
        stack.run("destroy", "--yes", "--skip-preview", "--refresh", "--stack=bucket")
        shutil.rmtree(stack.folder)


@pytest.fixture
def backups(stack: Stack) -> Backups:
    at = parsed(stack.outputs()["recovery"])
    assert isinstance(at, OnDocker)
    return Backups(at, Host(None))


def status() -> dict[str, Any]:
    return status_of(AGENT, agent.STATUS)


def sql(statement: str, container: str = DATABASE) -> str:
    return run_command(
        "docker", "exec", container, "psql", "-h", "/tmp", "-U", "postgres", "-d", "app", "-qAtc", statement
    )


def sent() -> str:
    return run_command("docker", "exec", AGENT, "cat", f"{agent.CATALOG}/{agent.SERVER}/sent-wal")


def segment() -> str:
    return sql("SELECT pg_walfile_name(pg_current_wal_insert_lsn())")


def test_base_backup_and_log_are_in_the_bucket_when_the_update_ends(stack: Stack) -> None:
    store = status()["store"]
    assert store["base_backups"] == 1
    assert store["error"] is None
    assert stack.outputs()["location"] == "s3://backups/prod"
    stack.unchanged()


def test_barman_cloud_itself_reads_the_layout(stack: Stack, backups: Backups) -> None:
    """The programs that CloudNativePG's plugin is made of, with the key that only reads."""
    store = backups.at.store
    assert store is not None
    wanted, began = segment(), time.monotonic()
    until("a row is in the bucket", lambda: sent() >= wanted, 120, every=0.5)
    print(f"\na write was in the bucket after {time.monotonic() - began:.1f} s")
    url = ["--endpoint-url", "https://storage:7070", "s3://backups/prod", f"{NAME}-backups"]
    tool = ["docker", "run", "--rm", "--network", store.network, "-v", f"{store.config}:/etc/tierstack:ro"]
    tool += ["-v", f"{store.ca}:/ca:ro", "-e", "AWS_CA_BUNDLE=/ca/ca.crt", "-e", "AWS_PROFILE=drill"]
    tool += ["-e", "AWS_SHARED_CREDENTIALS_FILE=/etc/tierstack/aws-credentials", backups.at.image]
    listed = json.loads(run_command(*tool, "barman-cloud-backup-list", "--format", "json", *url))["backups_list"]
    assert [one["status"] for one in listed] == ["DONE"]
    fetched = run_command(
        *tool, "sh", "-c", f"barman-cloud-wal-restore {' '.join(url)} {wanted} /tmp/wal && wc -c < /tmp/wal"
    )
    assert int(fetched) == 16 * 2**20


def test_keys_are_apart_and_nowhere_in_the_clear(stack: Stack) -> None:
    refuse_shown_keys(stack, NAME, AGENT, "26:26", image("barman:3"))


def test_a_drill_from_the_bucket(stack: Stack, backups: Backups) -> None:
    result = drill.run(backups, "backups", print)
    print(f"\ndrill from the bucket: RPO {result.rpo_seconds} s, RTO {result.rto_seconds} s, "
          f"{result.rows_lost} of {result.rows_acknowledged} acknowledged rows lost")  # fmt: skip
    assert (result.result, result.why) == (ledger.GOOD, [])
    assert result.source == "bucket"
    assert result.checks == {"kept": True}
    assert result.rpo_seconds is not None
    assert result.rpo_seconds <= 60


def test_a_restore_to_a_moment_before_a_mistake(stack: Stack, backups: Backups) -> None:
    sql("CREATE TABLE orders AS SELECT 1 AS id")
    before = sql("SELECT clock_timestamp()")
    sql("DROP TABLE orders")
    wanted = segment()
    until("the mistake is in the bucket", lambda: sent() >= wanted, 120, every=0.5)
    at = restoring.moment(f"{before.replace(' ', 'T')}:00" if before[-3] in "+-" else before.replace(" ", "T"))
    aside = f"{NAME}-aside"
    restoring.put_aside(backups, aside, at, print)
    assert sql("SELECT id FROM orders", aside) == "1"
    restoring.remove(backups.host, aside)


def test_a_store_that_is_away_is_told_and_its_backlog_drains(stack: Stack) -> None:
    run_command("docker", "stop", "--time", "1", GATEWAY)
    try:
        began = time.monotonic()
        for _ in range(3):
            sql("INSERT INTO kept SELECT 0 WHERE false; SELECT pg_create_restore_point('away'); SELECT pg_switch_wal()")
        wanted = segment()

        def told() -> str | None:
            return next(
                (one for one in status()["faults"] if "segments of the write-ahead log are not in" in one), None
            )

        print(
            f"\n{until(lambda: json.dumps(status()), told, 300, every=2)}: told after {time.monotonic() - began:.0f} s"
        )
        assert status()["healthy"] is False
        assert sql("SELECT count(*) FROM kept") == "1000"
    finally:
        run_command("docker", "start", GATEWAY)
    began = time.monotonic()
    until(lambda: json.dumps(status()), lambda: sent() >= wanted, 180, every=1)
    print(f"the backlog was in the bucket {time.monotonic() - began:.0f} s after the store was back")
    until(lambda: json.dumps(status()), lambda: status()["healthy"], 180, every=2)


def in_volume(volume: str, script: str) -> str:
    """What a shell of root prints that looks at a volume of the store."""
    mount = f"type=volume,source={NAME}-storage-{volume},target=/v"
    command = ["docker", "run", "--rm", "--network=none", "--user=0:0", "--mount", mount, "--entrypoint=/bin/sh"]
    return run_command(*command, image("barman:3"), "-euc", script)


def written(marker: str) -> str:
    """Write something, and wait until the segment with it is in the bucket; its name."""
    name = segment()
    sql(f"INSERT INTO marks VALUES ('{marker}')")
    sql("SELECT pg_switch_wal()")
    until(lambda: json.dumps(status()), lambda: sent() >= name, 180, every=1)
    return name


def test_a_revoked_key_is_told_and_the_backlog_drains(stack: Stack) -> None:
    users = "/v/iam/users.json"
    change = "import json,sys; f=sys.argv[1]; d=json.load(open(f)); [u.update(secret='revoked') for u in d['accessAccounts'].values()]; json.dump(d, open(f, 'w'))"
    sql("CREATE TABLE IF NOT EXISTS marks (mark text)")
    written("before")
    in_volume("config", f"cp -p {users} {users}.kept && python3 -c {shlex.quote(change)} {users}")
    try:
        name = segment()
        sql("INSERT INTO marks VALUES ('meanwhile'); SELECT pg_switch_wal()")

        def told() -> str | None:
            return next((one for one in status()["faults"] if "SignatureDoesNotMatch" in one), None)

        print(f"\n{until(lambda: json.dumps(status()), told, 300, every=2)}")
    finally:
        in_volume("config", f"mv {users}.kept {users}")
    until(lambda: json.dumps(status()), lambda: sent() >= name, 180, every=1)


@pytest.mark.parametrize("damage", ["rm {}", "truncate -s 1000 {}", "printf x | dd of={} bs=1 seek=500 conv=notrunc"])
def test_a_hole_in_the_log_ends_no_restore_in_silence(stack: Stack, backups: Backups, damage: str) -> None:
    sql("CREATE TABLE IF NOT EXISTS marks (mark text)")
    written("first")
    broken = written("second")
    written("third")
    aside = f"{NAME}-aside"
    stored = in_volume("data", f"find /v/objects -name {broken}.gz").strip()
    in_volume("data", f"cp -p {stored} /v/kept && {damage.format(stored)}")
    try:
        with pytest.raises(CommandError, match=f"the write-ahead log has a hole: segment {broken} missing or damaged"):
            restoring.put_aside(backups, aside, None, print)
    finally:
        in_volume("data", f"mv /v/kept {stored}")
        restoring.remove(backups.host, aside)
    restoring.put_aside(backups, aside, None, print)
    assert sql("SELECT count(*) FROM marks WHERE mark = 'third'", aside) == sql(
        "SELECT count(*) FROM marks WHERE mark = 'third'"
    )
    restoring.remove(backups.host, aside)


def test_the_bucket_of_another_database_gets_nothing(stack: Stack) -> None:
    def looked_again() -> list[str]:
        """The faults; none before the agent that was restarted has looked."""
        answers = docker_client().containers.get(AGENT).exec_run(["test", "-e", str(agent.STATUS)]).exit_code == 0
        return status()["faults"] if answers else []

    identity = say_whose(AGENT, '{"system_identifier": "7"}')
    run_command("docker", "restart", AGENT)
    try:
        before = sent()
        sql("CREATE TABLE IF NOT EXISTS marks (mark text); INSERT INTO marks VALUES ('x'); SELECT pg_switch_wal()")

        def told() -> str | None:
            return next((one for one in looked_again() if "holds the backups of another database" in one), None)

        print(f"\n{until(lambda: json.dumps(status()), told, 300, every=2)}")
        assert sent() == before
    finally:
        say_whose(AGENT, identity)
    until(lambda: json.dumps(status()), lambda: status()["healthy"], 300, every=2)


def test_what_prunes_has_looked(stack: Stack) -> None:
    prune = f"{NAME}-backups-prune"

    def well() -> bool:
        return run_command("docker", "inspect", "-f", "{{.State.Health.Status}}", prune) == "healthy"

    until(lambda: run_command("docker", "logs", prune), well, 180, every=1)
    assert status()["store"]["base_backups"] == 1
