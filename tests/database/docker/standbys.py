"""A database with standbys on a real daemon, with clients that write and read, for each engine that has them."""

import dataclasses
import itertools
import json
import subprocess
from typing import Any

from tests.support import Stack, docker_client, image
from tests.waiting import until

CA = "/run/tierstack/ca/database"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Words:
    """In which words an engine is asked."""

    name: str
    """Prefix of all that a run makes."""
    engine: str
    images: dict[str, str]
    """Argument → what the image is called here."""
    sizes: str
    client: str
    """Shell: `$sql` at `$host` as `$user` with `$password`."""
    who: str
    """Which server answers."""
    user: str
    superuser: list[str]
    """Command in a server's container, before a statement."""
    streaming: str
    """How many standbys stream, at the primary."""
    follows: str
    """Whether a server is a standby, as `1`."""
    pause: str
    resume: str
    create: str
    fewer: tuple[dict[str, object], ...] = ({"replicas": 0},)
    """Changes that leave the first server alone."""


POSTGRESQL = Words(
    name="t-standby",
    engine="POSTGRESQL",
    images={"image": "postgres:17", "pooler_image": "pgbouncer:1.24", "proxy_image": "haproxy:3.0"},
    sizes="max_connections=60, pool_size=15, memory_mb=384, storage_gb=4, wal_storage_gb=2, cpu=1.0",
    client='PGPASSWORD=$password psql "host=$host port=6432 dbname=app user=$user connect_timeout=40 '
    f'sslmode=verify-full sslrootcert={CA}/ca.crt" -XAqtc "$sql"',
    who="SELECT current_setting('cluster_name')",
    user="SELECT session_user",
    superuser=["psql", "-h", "/tmp", "-U", "postgres", "-d", "app", "-XAqtc"],
    streaming="SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'",
    follows="SELECT pg_is_in_recovery()::int",
    pause="SELECT pg_wal_replay_pause()",
    resume="SELECT pg_wal_replay_resume()",
    create="CREATE TABLE kept (n int, at timestamptz DEFAULT clock_timestamp())",
    fewer=({"replicas": 0}, {"proxy_image": ""}),
)
MYSQL = Words(
    name="t-myst",
    engine="MYSQL",
    images={"image": "mysql:9.7", "pooler_image": "haproxy:3.0", "proxy_image": "haproxy:3.0"},
    sizes="max_connections=40, pool_size=15, memory_mb=768, storage_gb=4, wal_storage_gb=2, cpu=1.0",
    # Without a password on the command line, which every process could read.
    client='[ -e /tmp/c ] || printf "[client]\\npassword=%s\\n" "$password" >/tmp/c; mysql --defaults-file=/tmp/c '
    f'--host="$host" --user="$user" --connect-timeout=40 --ssl-mode=VERIFY_IDENTITY --ssl-ca={CA}/ca.crt --batch '
    '--skip-column-names --execute="$sql" app',
    who="SELECT @@GLOBAL.report_host",
    user="SELECT SUBSTRING_INDEX(USER(), '@', 1)",
    superuser=["mysql", "--no-defaults", "--socket=/tmp/mysqld.sock", "--user=root", "-NB", "app", "-e"],
    streaming="SELECT COUNT(*) FROM performance_schema.processlist WHERE COMMAND = 'Binlog Dump GTID' "
    "AND USER = 'tierstack_replica'",
    follows="SELECT @@GLOBAL.super_read_only",
    pause="STOP REPLICA SQL_THREAD",
    resume="START REPLICA SQL_THREAD",
    create="CREATE TABLE kept (n INT PRIMARY KEY, at DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6))",
)
ENGINES = {"postgresql": POSTGRESQL, "mysql": MYSQL}

PROGRAM = """\
import pulumi
from tierstack import DatabaseWithReplicas, DatabaseWithReplicasArgs, DataProtection, DockerHost, Tier
from tierstack.links import DatabaseEngine

db = DatabaseWithReplicas("db", DatabaseWithReplicasArgs(
    platform=DockerHost(name="{name}", data_protection=DataProtection.{protection}), tier=Tier.USERS_1M,
    engine=DatabaseEngine.{engine}, image="{image}", pooler_image="{pooler_image}",
    proxy_image="{proxy_image}" or None, replicas={replicas}, synchronous={synchronous}, read_lag_seconds=2,
    password_generation={generation}, {sizes},
))
pulumi.export("user", db.connection.user)
pulumi.export("password", db.connection.password.value)
pulumi.export("read_host", db.connection.read_host)
"""
WRITER = """\
n=0
while [ ! -e /tmp/stop ]; do
    n=$((n + 1)) sql="INSERT INTO kept (n) VALUES ($((FIRST + n)))"
    if said=$({ CLIENT; } 2>&1); then echo "ok $((FIRST + n)) $(date +%s.%N)"; else echo "failed 0 0 $said"; fi
done
"""
READER = """\
while [ ! -e /tmp/stop ]; do
    if said=$({ CLIENT; } 2>&1); then echo "ok$said"; else echo "failed $said"; fi
done
"""


class Database:
    def __init__(self, stack: Stack, words: Words) -> None:
        self.stack, self.words, self.name = stack, words, words.name
        self.shape: dict[str, object] = {
            "protection": "NONE", "replicas": 2, "synchronous": False, "generation": 1,
        }  # fmt: skip
        self.clients: list[Any] = []

    def write(self, **changes: object) -> None:
        words = self.words
        given = {"name": words.name, "engine": words.engine, "sizes": words.sizes}
        images = {argument: image(name) for argument, name in words.images.items()}
        self.stack.write(PROGRAM.format(**{**given, **images, **self.shape, **changes}))

    def up(self, **changes: object) -> None:
        self.shape |= changes
        self.write()
        self.stack.up()
        self.outputs = self.stack.outputs()

    def client(self, script: str, host: str = "db-pooler", sql: str = "", **environment: str) -> Any:
        container = docker_client().containers.run(
            image(self.words.images["image"]),
            entrypoint=["sh", "-c", script.replace("CLIENT", self.words.client)],
            environment={
                "user": self.outputs["user"],
                "password": self.outputs["password"],
                "host": host,
                "sql": sql,
                **environment,
            },
            network=f"{self.name}-db",
            volumes={f"{self.name}-db-ca": {"bind": CA, "mode": "ro"}},
            init=True,
            detach=True,
        )
        self.clients.append(container)
        return container

    def query(self, sql: str, host: str = "db-pooler") -> str:
        container = self.client("CLIENT", host, sql)
        try:
            code = container.wait()["StatusCode"]
            said = container.logs().decode().strip()
        finally:
            container.remove(force=True)
            self.clients.remove(container)
        assert code == 0, said
        return said

    def container(self, server: str) -> Any:
        return docker_client().containers.get(f"{self.name}-db-{server}")

    def inside(self, server: str, sql: str) -> str:
        done = self.container(server).exec_run([*self.words.superuser, sql])
        assert done.exit_code == 0, done.output
        return done.output.decode().strip()

    def tierstack(self, *arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        command = ["tierstack", "database", arguments[0], "-s", "standby", *arguments[1:]]
        done = subprocess.run(command, cwd=self.stack.folder, env=self.stack.environ(), capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def promote(self, *arguments: str) -> dict[str, Any]:
        return json.loads(self.tierstack("promote", "--yes", "--json", *arguments).stdout)

    def roles(self) -> dict[str, str]:
        """Server → what the command says of it."""
        code = self.tierstack_any("status")
        return {line.partition(": ")[0].removeprefix(f"{self.name}-db-"): line.partition(": ")[2] for line in code}

    def tierstack_any(self, verb: str) -> list[str]:
        command = ["tierstack", "database", verb, "-s", "standby"]
        done = subprocess.run(command, cwd=self.stack.folder, env=self.stack.environ(), capture_output=True, text=True)
        return (done.stdout + done.stderr).splitlines()

    def streaming(self, primary: str, count: int) -> None:
        """Wait until so many standbys stream from a server."""
        asked = self.words.streaming
        until(f"{count} standbys of {primary}", lambda: self.inside(primary, asked) == str(count), 120)

    def answers(self, server: str) -> None:
        """Wait until a server that was started answers."""
        until("it answers", lambda: self.container(server).exec_run([*self.words.superuser, "SELECT 1"]).exit_code == 0)


class Writer:
    """A client that writes one row after the other, and knows which were acknowledged."""

    first = 0

    def __init__(self, database: Database) -> None:
        Writer.first += 100_000
        self.database = database
        self.client = database.client(WRITER, FIRST=str(Writer.first))
        self.wait(20)

    def lines(self) -> list[list[str]]:
        return [line.split(" ", 3) for line in self.client.logs().decode().splitlines()]

    def acknowledged(self) -> list[list[str]]:
        return [line for line in self.lines() if line[0] == "ok"]

    def wait(self, more: int) -> None:
        """Wait until so many more rows are acknowledged."""
        enough = len(self.acknowledged()) + more
        until(lambda: f"{more} rows: {self.lines()[-3:]}", lambda: len(self.acknowledged()) >= enough, 120)

    def end(self) -> "Writes":
        self.client.exec_run(["touch", "/tmp/stop"])
        self.client.wait()
        known, failed = self.acknowledged(), [line for line in self.lines() if line[0] == "failed"]
        self.client.remove(force=True)
        self.database.clients.remove(self.client)
        there = set(self.database.query("SELECT n FROM kept").split())
        moments = [float(line[2]) for line in known]
        pause = max(after - before for before, after in itertools.pairwise(moments))
        lost = [int(line[1]) for line in known if line[1] not in there]
        return Writes(len(known), failed, lost, round(pause, 1))


@dataclasses.dataclass
class Writes:
    acknowledged: int
    failed: list[list[str]]
    lost: list[int]
    longest_pause: float


class Reader:
    """A client that asks the read endpoint who answers, one connection after the other."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.client = database.client(READER, "db-pooler-ro", database.words.who)
        self.wait(10)

    def lines(self) -> list[str]:
        return self.client.logs().decode().splitlines()

    def wait(self, more: int) -> list[str]:
        """The next so many answers."""
        before = len(self.lines())
        until(lambda: f"{more} reads: {self.lines()[-3:]}", lambda: len(self.lines()) >= before + more, 120)
        return self.lines()[before:]

    def end(self) -> tuple[int, list[str]]:
        """Answers, and those that failed."""
        self.client.exec_run(["touch", "/tmp/stop"])
        self.client.wait()
        lines = self.lines()
        self.client.remove(force=True)
        self.database.clients.remove(self.client)
        return len(lines), [line for line in lines if line.startswith("failed")]
