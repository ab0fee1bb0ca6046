"""The real engine on a real daemon: rows survive what happens to servers, and the plain password is nowhere."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import Stack, containers_of, docker_client, image
from tests.waiting import until

NAME = "t-database"
PROGRAM = """\
import pulumi
from tierstack import DatabaseWithReplicas, DatabaseWithReplicasArgs, DataProtection, DockerHost, Tier

db = DatabaseWithReplicas("db", DatabaseWithReplicasArgs(
    platform=DockerHost(name="{name}", data_protection=DataProtection.{protection}), tier=Tier.USERS_1M,
    image="{postgres}", pooler_image="{pgbouncer}", replicas={replicas}, max_connections={max_connections},
    memory_mb=512, storage_gb=4, wal_storage_gb=2, cpu=1.0,
))
pulumi.export("password", db.connection.password.value)
"""


class Database:
    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.shape = {"protection": "NONE", "replicas": 0, "max_connections": 110}

    def up(self, **changes: object) -> None:
        self.shape |= changes
        images = {"postgres": image("postgres:17"), "pgbouncer": image("pgbouncer:1.24")}
        self.stack.write(PROGRAM.format(name=NAME, **images, **self.shape))
        self.stack.up()
        self.password = str(self.stack.outputs()["password"])

    def query(self, sql: str, password: str | None = None) -> str:
        """The answer to a client that comes through the pooler."""
        output = docker_client().containers.run(
            image("postgres:17"),
            entrypoint=["psql", "-h", "db-pooler", "-p", "6432", "-U", "app_a", "-d", "app", "-Xqtc", sql],
            environment={"PGPASSWORD": password or self.password},
            network=f"{NAME}-db",
            remove=True,
            stderr=True,
        )
        return output.decode().strip()

    def inside(self, container: str, *command: str) -> str:
        found = docker_client().containers.get(f"{NAME}-{container}").exec_run(list(command))
        assert found.exit_code == 0, found.output
        return found.output.decode().strip()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(Stack(tmp_path, "database"))
    assert not list(containers_of(NAME)), "left by an earlier run"
    try:
        made.up()
        yield made
    finally:
        if made.shape["protection"] != "NONE":
            made.up(protection="NONE")
        made.stack.destroy()


def test_rows_outlive_their_server(database: Database) -> None:
    """Changed settings, a killed server, a standby that joins: each time the row is there, and nothing else to do."""
    database.query("CREATE TABLE kept (note text); INSERT INTO kept VALUES ('first')")
    database.stack.unchanged()

    database.up(max_connections=120)
    assert database.query("SELECT note, current_setting('max_connections') FROM kept") == "first | 120"

    primary = docker_client().containers.get(f"{NAME}-db-primary")
    primary.exec_run(["sh", "-c", "kill -9 $(head -1 /var/lib/postgresql/data/pgdata/postmaster.pid)"])
    assert database.query("SELECT note FROM kept") == "first"  # the pooler lets the client wait

    database.up(replicas=1)
    database.query("INSERT INTO kept VALUES ('second')")
    count = ("psql", "-h", "/tmp", "-U", "postgres", "-d", "app", "-Xqtc", "SELECT count(*) FROM kept")
    until("the standby has both rows", lambda: database.inside("db-replica-1", *count) == "2")
    streaming = "SELECT state FROM pg_stat_replication WHERE application_name = 'replica_1'"
    assert database.inside("db-primary", "psql", "-h", "/tmp", "-U", "postgres", "-Xqtc", streaming) == "streaming"

    # Less than the log was written under: a standby that took it over at once would refuse to start.
    database.up(max_connections=110)
    assert database.inside("db-replica-1", *count) == "2"
    database.stack.unchanged()


def test_secrets_and_protection(database: Database) -> None:
    import docker

    client = docker_client()
    containers = list(containers_of(NAME))
    assert {one.name for one in containers} == {f"{NAME}-db-primary", f"{NAME}-db-pooler"}
    for one in containers:
        assert database.password not in str(client.api.inspect_container(one.id)) + one.logs().decode()
        files = one.exec_run(["sh", "-c", "cat /etc/tierstack/*/* /proc/[0-9]*/environ /proc/[0-9]*/cmdline"])
        assert database.password not in files.output.decode(errors="replace")
    assert database.password not in database.stack.state()
    with pytest.raises(docker.errors.ContainerError, match="authentication failed"):
        database.query("SELECT 1", password="wrong")

    database.up(protection="PROTECT")
    refused = database.stack.run("destroy", "--yes", "--stack=database", check=False)
    assert refused.returncode != 0
    assert "db-data" in refused.stdout + refused.stderr
    database.up(protection="NONE")
    database.stack.destroy()
    assert not list(containers_of(NAME))
    assert not [one.name for one in client.volumes.list() if one.name.startswith(f"{NAME}-")]
    assert not client.networks.list(names=[f"{NAME}-db"])
