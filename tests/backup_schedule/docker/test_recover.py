"""A host that is lost while it takes orders, and comes back: a stack with a database and uploads whose bucket is a stack
of its own; everything of it is removed, its state too, but not the bucket.

Prints the figures that docs/measurements.md quotes; run it with -s to see them.
"""

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.backup_schedule.docker.commands import status_of
from tests.projects import kill
from tests.support import Stack, docker_client, image, run_command
from tests.waiting import until
from tierstack.backup_schedule import agent
from tierstack.backup_schedule.restic import agent as restic
from tierstack.recovery import drill
from tierstack.recovery.dialects import DIALECTS
from tierstack.recovery.host import Host
from tierstack.recovery.writer import Writer

NAME, STORE = "t-recv", "t-recvs"
VOLUME, USER = f"{NAME}-uploads", "10001:10001"
DATABASE, AGENT, FILES = f"{NAME}-db-primary", f"{NAME}-backups-barman", f"{NAME}-files-restic"
POSTGRESQL = DIALECTS["postgresql"]
ROWS = 600_000
"""About 100 MB."""
KEPT = """
import pulumi
from tierstack import *
from tierstack.links import StorePurpose

storage = ObjectStorage("storage", ObjectStorageArgs(
    platform=DockerHost(name="{name}", data_protection=DataProtection.NONE), bucket="backups", prefix="prod",
    self_hosted=True, image="{versitygw}", probe_image="{barman}", versioning=True))
for purpose in ("write", "prune", "drill"):
    pulumi.export(purpose, storage.store.key(StorePurpose(purpose)).secret_access_key.value)
"""
LOST = """
import pulumi
from tierstack import *
from tierstack.links import ObjectStore, SecretRef, StoreKey, TrustedCA

platform = DockerHost(name="{name}", data_protection=DataProtection.PROTECT)
config = pulumi.Config()

def key(purpose):
    return StoreKey(access_key_id=SecretRef(value=purpose), secret_access_key=SecretRef(value=config.require_secret(purpose)))

store = ObjectStore(bucket="backups", prefix="prod", endpoint_url="https://storage:7070", region="us-east-1",
    access_key_id=key("write").access_key_id, secret_access_key=key("write").secret_access_key,
    prune=key("prune"), drill=key("drill"), network="{store}-storage-network", ca=TrustedCA(volume="{store}-storage-ca"))
database = DatabaseWithReplicas("db", DatabaseWithReplicasArgs(
    platform=platform, tier=Tier.USERS_100K, image="{postgres}", pooler_image="{pooler}", memory_mb=512,
    max_connections=100))
redis = RedisCluster("redis", RedisClusterArgs(platform=platform, image="{valkey}", memory_mb=64))
made = BackupSchedule("backups", BackupScheduleArgs(
    platform=platform, database=database.connection, image="{barman}", first_backup_minutes=5, store=store,
    drill=DrillArgs(checks={{"kept": "SELECT count(*) > 0 FROM kept"}})))
files = FileBackups("files", FileBackupsArgs(
    platform=platform, files=FileVolume(volume="{volume}", user="{user}"), image="{restic}", store=store,
    first_backup_minutes=5, password=config.require_secret("repository")))
pulumi.export("recovery", made.recovery)
"""
IMAGES = {
    "postgres": "postgres:17", "pooler": "pgbouncer:1.24", "barman": "barman:3", "versitygw": "versitygw:1.8",
    "restic": "restic:0.18", "valkey": "valkey:8.1",
}  # fmt: skip


def program(text: str, name: str) -> str:
    made = {key: image(value) for key, value in IMAGES.items() if f"{{{key}}}" in text}
    return text.format(name=name, store=STORE, volume=VOLUME, user=USER, **made)


def sql(statement: str, container: str = DATABASE) -> str:
    client = ["docker", "exec", container, "psql", "-h", "/tmp", "-U", "postgres", "-d", "app", "-qAtc"]
    return run_command(*client, statement)


def shell(script: str) -> str:
    """A script in the uploads, as their owner."""
    mounted = ["docker", "run", "--rm", "--user", USER, "-v", f"{VOLUME}:/files", image("restic:0.18"), "sh", "-c"]
    return run_command(*mounted, f"cd /files && {script}")


def contents() -> str:
    listed = "find . -name '.tierstack*' -prune -o ! -name . -printf '%p %m %U:%G %T@ %l\\n' | sort"
    return shell(f"{listed}; find . -name '.tierstack*' -prune -o -type f -print0 | sort -z | xargs -0 sha256sum")


def segment() -> str:
    return sql("SELECT pg_walfile_name(pg_current_wal_insert_lsn())")


def sent() -> str:
    done = subprocess.run(
        ["docker", "exec", AGENT, "cat", f"{agent.CATALOG}/{agent.SERVER}/sent-wal"], capture_output=True, text=True
    )
    return done.stdout.strip()


def store() -> dict[str, Any]:
    return status_of(AGENT, agent.STATUS)["store"]


def lose_the_host() -> None:
    """As by a power cut: everything of the stack is gone, and the bucket is not."""
    found = ["docker", "ps", "-aq", "--filter", f"name=^{NAME}-"]
    if containers := run_command(*found).split():
        run_command("docker", "rm", "-f", *containers)
    for kind in ("volume", "network"):
        named = run_command("docker", kind, "ls", "-q", "--filter", f"name=^{NAME}-").split()
        if named:
            run_command("docker", kind, "rm", *named)


def another_checkout(lost: Stack, folder: Path) -> Stack:
    """The program and the configuration of a stack, and an empty backend."""
    folder.mkdir()
    for one in ("Pulumi.yaml", "Pulumi.backups.yaml", "__main__.py"):
        shutil.copy(lost.folder / one, folder)
    (folder / "state").mkdir()
    return Stack(folder, "backups")


def recover(stack: Stack, *arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
    command = ["tierstack", "recover", "-s", "backups", *arguments]
    done = subprocess.run(
        command, cwd=stack.folder, env=stack.environ(), stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def start(stack: Stack) -> "subprocess.Popen[str]":
    """The command in a session of its own, to be killed."""
    return subprocess.Popen(
        ["tierstack", "recover", "-s", "backups", "--yes"], cwd=stack.folder, env=stack.environ(),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    docker_client()
    stack = Stack(tmp_path_factory.mktemp("store"), "store")
    stack.write(program(KEPT, STORE))
    try:
        stack.up()
        yield stack
    finally:
        stack.run("destroy", "--yes", "--skip-preview", "--refresh", "--stack=store")
        shutil.rmtree(stack.folder)


class Before:
    """What the lost host had."""

    def __init__(self) -> None:
        self.files, self.sum, self.acknowledged, self.lost_at = "", "", list[drill.Row](), 0.0
        self.clock = ""


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory, bucket: Stack) -> Iterator[tuple[Stack, Before]]:
    """A stack that took orders until its host was lost."""
    stack, before = Stack(tmp_path_factory.mktemp("lost"), "backups"), Before()
    lose_the_host()
    stack.write(program(LOST, NAME))
    for purpose in ("write", "prune", "drill"):
        stack.run("config", "set", "--secret", purpose, bucket.outputs()[purpose])
    stack.run("config", "set", "--secret", "repository", "a password of enough length")
    try:
        run_command("docker", "volume", "create", VOLUME)
        owner = ["--user", "0:0", "-v", f"{VOLUME}:/files"]
        run_command("docker", "run", "--rm", *owner, image("restic:0.18"), "chown", USER, "/files")
        shell("mkdir -p a/b && for i in $(seq 200); do echo file $i > a/b/$i; done && echo private > 'a/ü name' "
              "&& chmod 600 'a/ü name' && ln -s b/1 a/link && head -c 64M /dev/urandom > big")  # fmt: skip
        stack.up()
        sql(f"CREATE TABLE kept AS SELECT id, md5(id::text) || md5((-id)::text) || md5(id::text) AS text "
            f"FROM generate_series(1, {ROWS}) AS id; CREATE EXTENSION pg_trgm")  # fmt: skip
        sql("CHECKPOINT")  # else that of the base backup is spread over minutes
        exec_agent(AGENT, "tierstack.backup_schedule.agent", "backup")
        until(lambda: json.dumps(store()), lambda: store()["base_backups"] == 2, 300, every=1)
        exec_agent(FILES, "tierstack.backup_schedule.restic.agent", "backup")
        before.files, before.sum = contents(), sql("SELECT md5(string_agg(text, '' ORDER BY id)) FROM kept")
        live = POSTGRESQL.client(DATABASE, "app")
        rows = drill.acknowledged(Host(None).run(live, POSTGRESQL.prepare))
        with Writer(Host(None), live, POSTGRESQL.insert) as writer:
            began = segment()
            until("orders are in the bucket", lambda: sent() >= began, 120, every=0.5)
            before.clock = sql("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")
            began = segment()
            until("more orders are in the bucket", lambda: sent() >= began, 120, every=0.5)
            time.sleep(5)  # a loss comes at any moment of the half minute between two segments
            before.lost_at = time.time()
            lose_the_host()
            before.acknowledged = [*rows, *drill.acknowledged(writer.stop())]
        yield stack, before
    finally:
        lose_the_host()
        shutil.rmtree(stack.folder)


def exec_agent(container: str, module: str, verb: str) -> None:
    run_command("docker", "exec", container, "python3", "-m", module, verb)


def kept() -> set[drill.Row]:
    return set(drill.acknowledged(Host(None).run(POSTGRESQL.client(DATABASE, "app"), POSTGRESQL.kept)))


@pytest.fixture(scope="module")
def host(lost: tuple[Stack, Before], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The new host: nothing but the program and its configuration."""
    stack = another_checkout(lost[0], tmp_path_factory.mktemp("new") / "host")
    try:
        yield stack
    finally:
        lose_the_host()
        shutil.rmtree(stack.folder)


def test_the_plan_says_what_comes_back_and_runs_nothing(host: Stack, lost: tuple[Stack, Before]) -> None:
    said = recover(host, "--plan").stdout
    print(f"\n{said}")
    assert "backups: database `app` to the last write in the bucket, from s3://backups/prod/t-recv-backups" in said
    assert "missing in it: every write after the last segment, which arrived " in said
    assert "files: restore the backup of " in said
    assert "comes back empty: Redis `redis`" in said
    assert run_command("docker", "ps", "-q", "--filter", f"name=^{NAME}-") == ""


def test_a_kill_while_it_restores_leaves_nothing_that_starts(host: Stack) -> None:
    process = start(host)
    catalog = f"{NAME}-backups-catalog-recover"
    try:
        named = ["docker", "ps", "-q", "--filter", f"name=^{catalog}$"]
        look = "pg_is_in_recovery"  # not a look at the bucket: the server that replays
        running = ["docker", "exec", catalog, "psql", "-h", "/tmp", "-U", "postgres", "-qAtc", f"SELECT {look}()"]

        def replays() -> bool:
            return bool(run_command(*named)) and subprocess.run(running, capture_output=True).returncode == 0

        until("it replays", lambda: replays() or process.poll() is not None, 300)
        assert process.poll() is None
    finally:
        kill(process)
    there = ["docker", "run", "--rm", "-v", f"{NAME}-db-data:/data", image("postgres:17"), "ls", "/data"]
    assert run_command(*there).split() == ["pgdata.recovered"]


def test_everything_that_was_acknowledged_and_stored_comes_back(host: Stack, lost: tuple[Stack, Before]) -> None:
    before, began = lost[1], time.monotonic()
    said = json.loads(recover(host, "--yes", "--json").stdout)
    seconds = time.monotonic() - began
    print(json.dumps({**said, "parts": len(said["parts"])}, indent=1))
    assert (said["result"], said["wrong"]) == ("recovered", [])
    assert sql("SELECT md5(string_agg(text, '' ORDER BY id)) FROM kept") == before.sum
    assert contents() == before.files
    back = kept()
    late = [row for row in before.acknowledged if row not in back]
    newest = max(row.at for row in back)
    rpo = max(row.at for row in before.acknowledged) - newest
    (database,), (files,) = said["databases"], said["files"]
    print(f"{len(before.acknowledged)} rows acknowledged, {len(late)} lost, RPO {rpo:.1f} s; RTO {seconds:.1f} s; "
          f"database {database['size_bytes'] / 2**20:.0f} MiB in {database['seconds']} s "
          f"({database['bytes_per_second'] / 2**20:.1f} MiB/s); files {files['size_bytes'] / 2**20:.0f} MiB in "
          f"{files['seconds']} s ({files['bytes_per_second'] / 2**20:.1f} MiB/s)")  # fmt: skip
    assert not [row for row in late if row.at < newest], "the log that was replayed has a hole"
    assert rpo <= 60
    assert database["timeline"] == 2
    assert said["verified"][0]["checks"] == {"kept": True}


def test_a_second_preview_has_nothing_to_do(host: Stack) -> None:
    host.unchanged()


def test_the_agents_go_on_with_the_same_history(host: Stack) -> None:
    sql("CREATE TABLE after AS SELECT 1 AS id")
    wanted = segment()
    assert wanted.startswith("00000002")
    until(lambda: json.dumps(store()), lambda: sent() >= wanted, 120, every=0.5)
    until(lambda: json.dumps(store()), lambda: store()["base_backups"] >= 3 and not store()["error"], 180, every=1)
    assert status_of(AGENT, agent.STATUS)["faults"] == []
    exec_agent(FILES, "tierstack.backup_schedule.restic.agent", "backup")
    assert status_of(FILES, restic.STATUS)["backups"] >= 3  # the first of each host, and that of before the loss


def test_a_second_database_is_still_refused(host: Stack) -> None:
    code = (
        "import json; from tierstack.backup_schedule import agent; from tierstack.backup_schedule.bucket import Bucket; "
        "print(Bucket(agent.settings()['store'], agent.CONFIG, 'write').claim('another'))"
    )
    said = run_command("docker", "exec", AGENT, "python3", "-c", code)
    assert "holds the backups of another database" in said


def test_once_more_changes_nothing(host: Stack) -> None:
    said = recover(host, "--yes").stdout
    assert "backups: was recovered at" in said
    assert "files: its files were recovered already" in said
    assert sql("SELECT id FROM after") == "1"


def test_another_moment_is_refused_until_told(host: Stack, lost: tuple[Stack, Before]) -> None:
    at = lost[1].clock
    said = recover(host, "--yes", "--to", at, code=2).stderr
    assert "backups: was recovered to the last write at" in said
    assert "--replace-data" in said
    said = recover(host, "--yes", "--to", at, "--replace-data", "--without", "files").stdout
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()
    print(said)
    newest = max(row.at for row in kept())
    assert moment - 2 < newest <= moment + 1
    assert sql("SELECT to_regclass('after') IS NULL") == "t"
    assert segment().startswith("00000003")
    wanted = segment()
    until(lambda: json.dumps(store()), lambda: sent() >= wanted, 180, every=0.5)


def test_the_state_may_have_outlived_the_host_and_a_kill_in_the_update(host: Stack, lost: tuple[Stack, Before]) -> None:
    """Followed is the newest timeline, that of the last recovery; a kill while everything else starts is gone on from."""
    until(lambda: json.dumps(store()), lambda: store()["base_backups"] >= 4 and not store()["error"], 180, every=1)
    lose_the_host()
    process = start(host)
    try:
        named = ["docker", "ps", "-q", "--filter", f"name=^{DATABASE}$"]
        until("the update starts the database", lambda: run_command(*named) or process.poll() is not None, 300)
        process.send_signal(signal.SIGSTOP)
    finally:
        kill(process)
    said = json.loads(recover(host, "--yes", "--json").stdout)
    assert said["result"] == "recovered"
    assert said["databases"][0]["seconds"] is None, "the data was restored by the run that was killed"
    assert segment().startswith("00000004")
    assert contents() == lost[1].files
