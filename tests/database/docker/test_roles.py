"""Login roles on a real daemon: from the owner's login through several generations, under a client that logs in without
a pause. No login is refused, no container is replaced, and nobody may do more than its work needs.

The tests of this file are steps of one run for each engine, in their order.
"""

import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support import Stack, containers_of, docker_client, image
from tests.waiting import until

PROGRAM = """\
import pulumi
from tierstack import DatabaseWithReplicas, DatabaseWithReplicasArgs, DataProtection, DockerHost, Tier
from tierstack.links import DatabaseEngine

db = DatabaseWithReplicas("db", DatabaseWithReplicasArgs(
    platform=DockerHost(name="{name}", data_protection=DataProtection.NONE), tier=Tier.USERS_100K,
    engine=DatabaseEngine("{engine}"), image="{server}", pooler_image="{pooler}", password_generation={generation},
    memory_mb=768, storage_gb=4, wal_storage_gb=2, cpu=1.0, max_connections=40, pool_size=20,
))
link = db.connection
users = {{"app": (link.user, link.password), "read": (link.read_user, link.read_password),
          "monitor": (link.monitor_user, link.monitor_password)}}
pulumi.export("users", {{name: [user, password.value] for name, (user, password) in users.items()}})
"""
# A login for each row: it reads user and password each time, as processes of a new release have them.
LOOP = """\
while :; do
    [ -e /tmp/login ] || { sleep 0.1; continue; }
    read -r user password </tmp/login
    if said=$(CLIENT 2>&1); then echo "ok $user"; else echo "failed $user: $said"; fi
done
"""
CA = "/run/tierstack/ca/database"
INSERT = "INSERT INTO written VALUES (1)"


@dataclasses.dataclass(frozen=True)
class Engine:
    """How a test speaks with one engine."""

    name: str
    server: str
    pooler: str
    client: str
    """Shell: runs `$sql` as `$user` with `$password`."""
    superuser: tuple[str, ...]
    """Command in the server's container, before the statement."""
    denied: str
    """What a login that is refused says."""
    forbidden: str
    """What a statement says that the user may not run."""


POSTGRESQL = Engine(
    name="postgresql",
    server="postgres:17",
    pooler="pgbouncer:1.24",
    client=(
        'PGPASSWORD=$password psql "host=db-pooler port=6432 dbname=app user=$user connect_timeout=30 '
        f'sslmode=verify-full sslrootcert={CA}/ca.crt" -Xqtc "$sql"'
    ),
    superuser=("psql", "-h", "/tmp", "-U", "postgres", "-d", "app", "-Xqtc"),
    denied="authentication failed",
    forbidden="denied",
)
MYSQL = Engine(
    name="mysql",
    server="mysql:9.7",
    pooler="haproxy:3.0",
    client=(
        "MYSQL_PWD=$password mysql --no-defaults --host=db-pooler --protocol=TCP --user=$user --connect-timeout=30 "
        f'--ssl-mode=VERIFY_IDENTITY --ssl-ca={CA}/ca.crt --batch --skip-column-names app --execute="$sql"'
    ),
    superuser=("mysql", "--no-defaults", "--socket=/tmp/mysqld.sock", "--user=root", "-N", "app", "-e"),
    denied="Access denied",
    forbidden="denied",
)


class Database:
    """The stack under test, and its clients."""

    def __init__(self, stack: Stack, engine: Engine) -> None:
        self.stack, self.engine = stack, engine
        self.name = f"t-roles-{engine.name[0]}"
        self.users: dict[str, list[str]] = {}
        self.loop: Any = None
        self.known: list[list[str]] = []
        """Logins of the application, by generation."""

    def up(self, generation: int) -> None:
        images = {"server": image(self.engine.server), "pooler": image(self.engine.pooler)}
        self.stack.write(PROGRAM.format(name=self.name, engine=self.engine.name, generation=generation, **images))
        self.stack.up()
        self.users = self.stack.outputs()["users"]
        self.known.append(self.users["app"])

    def client(self, script: str, *, network: str = "db", **environment: str) -> Any:
        container = docker_client().containers.create(
            image(self.engine.server),
            entrypoint=["sh", "-c", script.replace("CLIENT", self.engine.client)],
            environment=environment,
            network=f"{self.name}-{network}",
            volumes={f"{self.name}-db-ca": {"bind": CA, "mode": "ro"}},
            init=True,
        )
        container.start()
        return container

    def ask(self, user: list[str], sql: str) -> str:
        """What the server says to a statement of a user."""
        container = self.client("CLIENT", user=user[0], password=user[1], sql=sql)
        try:
            container.wait()
            return container.logs().decode().strip()
        finally:
            container.remove(force=True)

    def superuser(self, sql: str) -> str:
        primary = docker_client().containers.get(f"{self.name}-db-primary")
        done = primary.exec_run([*self.engine.superuser, sql])
        assert done.exit_code == 0, done.output
        return done.output.decode().strip()

    def containers(self) -> dict[str, str]:
        return {one.name: one.id for one in containers_of(self.name)}

    def said(self) -> list[str]:
        return self.loop.logs().decode().splitlines()

    def release(self) -> None:
        """The client has the login of now from its next login on, and logs in 20 times with it."""
        user, password = self.users["app"]
        script = 'printf "%s %s\\n" "$user" "$password" >/tmp/new && mv /tmp/new /tmp/login'
        done = self.loop.exec_run(["sh", "-c", script], environment={"user": user, "password": password})
        assert done.exit_code == 0, done.output
        enough = self.said().count(f"ok {user}") + 20
        until(f"20 logins of {user}", lambda: self.said().count(f"ok {user}") >= enough)


@pytest.fixture(scope="module", params=[POSTGRESQL, MYSQL], ids=lambda engine: engine.name)
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    docker_client()
    made = Database(Stack(tmp_path_factory.mktemp("roles"), "roles"), request.param)
    assert not list(containers_of(made.name)), "left by an earlier run"
    try:
        made.up(0)
        yield made
    finally:
        if made.loop:
            made.loop.remove(force=True)
        made.stack.destroy()


def test_no_login_fails_from_the_owner_through_four_generations(
    database: Database, record_property: Callable[[str, object], None]
) -> None:
    owner = database.known[0]
    assert owner[0] == "app"
    assert database.ask(owner, "CREATE TABLE written (n int)") == ""
    before = database.containers()
    database.loop = database.client(LOOP, sql=INSERT)
    database.release()
    for generation in range(1, 5):
        database.up(generation)
        # What runs still has the login of the generation before.
        ok = database.said().count(f"ok {database.known[-2][0]}")
        until("logins after the update", lambda name=database.known[-2][0], ok=ok: (
            database.said().count(f"ok {name}") >= ok + 20))  # fmt: skip
        database.release()
    said = database.said()
    failed = [line for line in said if not line.startswith("ok ")]
    print(f"{database.engine.name}: {len(said)} logins, {len(failed)} failed {failed[:3]}")
    record_property(f"logins, {database.engine.name}", len(said))
    assert failed == []
    assert [user for user, _ in database.known] == ["app", "app_a", "app_b", "app_a", "app_b"]
    assert set(said) == {"ok app", "ok app_a", "ok app_b"}
    assert int(database.superuser("SELECT count(*) FROM written")) >= len(said)
    assert database.containers() == before
    database.stack.unchanged()


def test_the_passwords_of_two_generations_are_valid(database: Database) -> None:
    valid = [database.ask(user, "SELECT 1") == "1" for user in database.known]
    assert valid == [False, False, False, True, True]
    for user in database.known[:3]:
        assert database.engine.denied in database.ask(user, "SELECT 1") or "locked" in database.ask(user, "SELECT 1")


def test_what_one_login_makes_the_other_changes(database: Database) -> None:
    one, other = database.known[-2:]
    assert database.ask(one, "CREATE TABLE made (n int)") == ""
    assert database.ask(other, "ALTER TABLE made ADD COLUMN m int") == ""
    # Made by the owner's own login, before there were others.
    assert database.ask(other, "ALTER TABLE written ADD COLUMN m int") == ""
    if database.engine is POSTGRESQL:
        owners = "SELECT string_agg(DISTINCT tableowner, ' ') FROM pg_tables WHERE schemaname = 'public'"
        assert database.superuser(owners) == "app"


def test_the_role_that_reads_reads_the_owner_s_tables_and_writes_none(database: Database) -> None:
    reader = database.users["read"]
    assert int(database.ask(reader, "SELECT count(*) FROM written")) > 0
    # Made after its rights were given.
    assert database.ask(reader, "SELECT count(*) FROM made") == "0"
    for sql in (INSERT, "DROP TABLE made", "CREATE TABLE mine (n int)"):
        said = database.ask(reader, sql)
        assert database.engine.forbidden in said or "must be owner" in said, said
    secrets = {"postgresql": "SELECT count(*) FROM pg_authid", "mysql": "SELECT COUNT(*) FROM mysql.user"}
    assert database.engine.forbidden in database.ask(reader, secrets[database.engine.name])


def test_the_role_that_watches_sees_sessions_and_no_table(database: Database) -> None:
    """It comes to the server itself: the pooler lets in who works."""
    user, password = database.users["monitor"]
    client = database.engine.client.replace("db-pooler port=6432", "db-rw port=5432").replace("=db-pooler", "=db-rw")
    sessions = {
        "postgresql": "SELECT count(*) > 0 FROM pg_stat_activity WHERE usename LIKE 'app%' AND query <> ''",
        "mysql": "SELECT COUNT(*) > 0 FROM performance_schema.threads WHERE PROCESSLIST_USER LIKE 'app%'",
    }

    def asked(sql: str) -> str:
        container = database.client(client, network="db-direct", user=user, password=password, sql=sql)
        try:
            container.wait()
            return container.logs().decode().strip()
        finally:
            container.remove(force=True)

    until("it sees a session", lambda: asked(sessions[database.engine.name]) in ("t", "1"))
    assert database.engine.forbidden in asked("SELECT count(*) FROM app.written"
                                              if database.engine is MYSQL else "SELECT count(*) FROM written")  # fmt: skip


def test_no_password_is_in_plaintext(database: Database) -> None:
    passwords = [password for _, password in [*database.known, *database.users.values()]]
    client = docker_client()
    shown = database.stack.state()
    for one in containers_of(database.name):
        files = one.exec_run(["sh", "-c", "cat /etc/tierstack/*/* /proc/[0-9]*/environ /proc/[0-9]*/cmdline"])
        shown += json.dumps(client.api.inspect_container(one.id)) + one.logs().decode() + files.output.decode("latin-1")
    assert [password for password in passwords if password in shown] == []
    # Neither is what the server keeps of one in its log.
    logs = docker_client().containers.get(f"{database.name}-db-primary").logs().decode()
    assert "SCRAM-SHA-256$" not in logs
    assert "$A$005$" not in logs
