"""MySQL on a real daemon, by the real engine: PHP reads and writes by TLS, acknowledged rows outlive a killed server,
and a client too many waits for its turn."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.support import Stack, containers_of, docker_client, image
from tests.waiting import until
from tierstack.database.mysql.engine import MYSQL

NAME = "t-mysql"
CA = "/run/tierstack/ca/database"
PROGRAM = """\
import pulumi
from tierstack import DatabaseWithReplicas, DatabaseWithReplicasArgs, DataProtection, DockerHost, Tier
from tierstack.links import DatabaseEngine

db = DatabaseWithReplicas("db", DatabaseWithReplicasArgs(
    platform=DockerHost(name="{name}", data_protection=DataProtection.{protection}), tier=Tier.USERS_100K,
    engine=DatabaseEngine.MYSQL, image="{mysql}", pooler_image="{haproxy}", database="my_shop",
    pool_size=4, max_connections={max_connections}, memory_mb=768, storage_gb=4, wal_storage_gb=2, cpu=1.0,
))
pulumi.export("password", db.connection.password.value)
pulumi.export("environment", db.connection.environment)
pulumi.export("port", db.connection.port)
"""
# As Laravel connects: the variables of the link, and PDO's options made of them.
PDO = """\
$options = [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION];
if (getenv('MYSQL_ATTR_SSL_CA')) $options[PDO::MYSQL_ATTR_SSL_CA] = getenv('MYSQL_ATTR_SSL_CA');
$connect = fn () => new PDO(sprintf('mysql:host=%s;port=%s;dbname=%s;charset=utf8mb4', getenv('DB_HOST'),
    getenv('DB_PORT'), getenv('DB_DATABASE')), getenv('DB_USERNAME'), getenv('DB_PASSWORD'), $options);
"""
# One connection for each row, and one line for each row that the server has acknowledged.
WRITER = """\
for ($n = 1; ; $n++) try { $connect()->exec("INSERT INTO written VALUES ($n)"); echo "ok $n\\n"; }
catch (PDOException $error) { echo "failed $n {$error->getMessage()}\\n"; }
"""


class Database:
    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.shape: dict[str, object] = {"protection": "NONE", "max_connections": 20}

    def up(self, *arguments: str, **changes: object) -> None:
        self.shape |= changes
        images = {"mysql": image("mysql:9.7"), "haproxy": image("haproxy:3.0")}
        self.stack.write(PROGRAM.format(name=NAME, **images, **self.shape))
        self.stack.up(*arguments)
        self.outputs: dict[str, Any] = self.stack.outputs()

    def php(self, script: str, environment: Mapping[str, str] | None = None, *, detach: bool = False) -> Any:
        """What PHP says that runs as an application does: in the network of the clients, with the variables of the
        link. A container where `detach` is given."""
        given = {
            **self.outputs["environment"],
            "DB_HOST": "db-pooler",
            "DB_PORT": self.outputs["port"],
            "DB_DATABASE": "my_shop",
            "DB_USERNAME": "app_a",
            "DB_PASSWORD": self.outputs["password"],
            **(environment or {}),
        }
        container = docker_client().containers.create(
            image("php:8.4"),
            entrypoint=["php", "-r", PDO + script],
            environment={name: value for name, value in given.items() if value},
            network=f"{NAME}-db",
            volumes={f"{NAME}-db-ca": {"bind": CA, "mode": "ro"}},
            init=True,
        )
        container.start()
        if detach:
            return container
        try:
            container.wait()
            return container.logs().decode().strip()
        finally:
            container.remove(force=True)

    def query(self, sql: str, **environment: str) -> str:
        """The first value of the answer, or the message of the error."""
        script = f"try {{ echo $connect()->query({json.dumps(sql, ensure_ascii=False)})->fetchColumn(); }} "
        return self.php(script + "catch (PDOException $error) { echo $error->getMessage(); }", environment)

    def inside(self, *command: str, container: str = "primary") -> str:
        found = docker_client().containers.get(f"{NAME}-db-{container}").exec_run(list(command))
        assert found.exit_code == 0, found.output
        return found.output.decode(errors="replace").strip()

    def superuser(self, sql: str, user: str = "root") -> str:
        socket = ["--no-defaults", "--socket=/tmp/mysqld.sock", f"--user={user}"]
        return self.inside("mysql", *socket, "--batch", "--skip-column-names", f"--execute={sql}")

    def urn(self, name: str) -> str:
        (found,) = set(re.findall(rf'"urn:[^"]*::{name}"', self.stack.run("stack", "export").stdout))
        return found.strip('"')


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    made = Database(Stack(tmp_path_factory.mktemp("mysql"), "mysql"))
    assert not list(containers_of(NAME)), "left by an earlier run"
    try:
        made.up()
        made.superuser("CREATE TABLE my_shop.written (n INT PRIMARY KEY)")
        yield made
    finally:
        if made.shape["protection"] != "NONE":
            made.up(protection="NONE")
        made.stack.destroy()


def test_a_second_preview_changes_nothing(database: Database) -> None:
    database.stack.unchanged()


def test_php_writes_and_reads_encrypted(database: Database) -> None:
    database.query("CREATE TABLE kept (note VARCHAR(40), at DATETIME DEFAULT CURRENT_TIMESTAMP)")
    database.query("CREATE TRIGGER noted BEFORE INSERT ON kept FOR EACH ROW SET NEW.note = CONCAT(NEW.note, '!')")
    database.query("INSERT INTO kept (note) VALUES ('größer 🙂')")
    assert database.query("SELECT note FROM kept") == "größer 🙂!"
    assert database.query("SELECT VARIABLE_VALUE FROM performance_schema.session_status WHERE VARIABLE_NAME = "
                          "'Ssl_version'") == "TLSv1.3"  # fmt: skip


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"MYSQL_ATTR_SSL_CA": ""}, "Connections using insecure transport are prohibited"),
        ({"DB_PASSWORD": "wrong"}, "Access denied for user 'app_a'@"),
        ({"DB_USERNAME": "root"}, "Access denied for user 'root'@"),
        ({"DB_USERNAME": "tierstack_read"}, "Access denied for user 'tierstack_read'@"),
        ({"DB_DATABASE": "mysql"}, "Access denied for user 'app_a'@'%' to database 'mysql'"),
        # The underscore of its database stands for itself alone.
        ({"DB_DATABASE": "myxshop"}, "Access denied for user 'app_a'@'%' to database 'myxshop'"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_who_is_refused(database: Database, environment: dict[str, str], said: str) -> None:
    assert said in database.query("SELECT 1", **environment)


def test_a_server_with_another_name_is_refused(database: Database) -> None:
    found = docker_client().containers.get(f"{NAME}-db-pooler")
    address = found.attrs["NetworkSettings"]["Networks"][f"{NAME}-db"]["IPAddress"]
    assert "SSL" in database.query("SELECT 1", DB_HOST=address) or "peer" in database.query("SELECT 1", DB_HOST=address)


def test_users_in_the_container_read_and_watch_without_a_password(database: Database) -> None:
    assert database.superuser("SELECT COUNT(*) FROM my_shop.kept", "tierstack_read") == "1"
    with pytest.raises(AssertionError, match="denied"):
        database.superuser("DELETE FROM my_shop.kept", "tierstack_read")
    assert database.superuser("SHOW BINARY LOG STATUS", "tierstack_monitor").startswith("binlog.")


def test_a_client_too_many_waits_and_health_does_not(database: Database) -> None:
    """The pool has four connections, and all are held: a fifth client comes when they are given back."""
    holder = database.php(
        "$all = array_map(fn () => $connect(), range(1, 4)); echo 'held', PHP_EOL; sleep(3600);", detach=True
    )
    fifth = None
    try:
        until("all connections are held", lambda: holder.logs().decode().strip() == "held")
        fifth = database.php(
            "$begun = microtime(true); echo 'comes', PHP_EOL; $connect(); echo microtime(true) - $begun, PHP_EOL;",
            detach=True,
        )
        until("a fifth client comes", lambda: fifth.logs().decode().startswith("comes"))
        begun = time.monotonic()
        count = "SELECT COUNT(*) FROM performance_schema.threads WHERE PROCESSLIST_USER LIKE 'app\\_%'"
        assert database.superuser(count) == "4"
        assert "alive" in database.inside(*MYSQL.probe(MYSQL.server, "app", "my_shop"))
        database.inside(*MYSQL.probe(MYSQL.pooler, "app", "my_shop"), container="pooler")
        passed = time.monotonic() - begun
        holder.kill()
        until("it is let in", lambda: len(fifth.logs().decode().split()) > 1)
        assert float(fifth.logs().decode().split()[1]) > passed
    finally:
        for one in (holder, fifth):
            if one:
                one.remove(force=True)
    states = {one.name: one.attrs["State"]["Health"]["Status"] for one in containers_of(NAME)}
    assert states == {f"{NAME}-db-primary": "healthy", f"{NAME}-db-pooler": "healthy"}


def test_acknowledged_rows_outlive_their_server(database: Database) -> None:
    """kill -9 of the server and of its init, a restart and another setting, all under a writer: it loses no row that it
    was told is written, and none of its clients fails for longer than a statement that was under way."""
    writer = database.php(WRITER, detach=True)
    try:
        told = lambda: re.findall(r"^ok (\d+)$", writer.logs().decode(), re.MULTILINE)  # noqa: E731
        primary = docker_client().containers.get(f"{NAME}-db-primary")
        kills = (
            lambda: primary.exec_run(["sh", "-c", "kill -9 $(cat /var/lib/mysql/tmp/mysqld.pid)"]),
            lambda: primary.kill(),
            lambda: primary.restart(),
            lambda: database.up(max_connections=21),
        )
        for kill in kills:
            before = len(told())
            until("rows are written", lambda before=before: len(told()) > before + 20)
            kill()
            if primary.attrs and kill is kills[1]:
                primary.start()  # the daemon takes a kill by its own hand for a wish
        before = len(told())
        until("rows are written again", lambda: len(told()) > before + 20)
    finally:
        writer.kill()
        said = writer.logs().decode()
        writer.remove(force=True)
    acknowledged = {int(number) for number in re.findall(r"^ok (\d+)$", said, re.MULTILINE)}
    there = {int(number) for number in database.superuser("SELECT n FROM my_shop.written").split()}
    failed = re.findall(r"^failed .*$", said, re.MULTILINE)
    print(f"{len(acknowledged)} acknowledged, {len(failed)} failed: {failed}")
    assert acknowledged <= there
    assert len(failed) <= 2 * len(kills), failed
    assert database.superuser("SELECT @@max_connections") == "21"
    database.stack.unchanged()


def test_a_slow_statement_is_logged(database: Database) -> None:
    database.query("SELECT SLEEP(1.1)")
    logs = docker_client().containers.get(f"{NAME}-db-primary").logs
    until("the statement is in the output", lambda: "SELECT SLEEP(1.1)" in logs().decode())


def test_another_certificate_is_shown_without_a_restart(database: Database) -> None:
    shown = "SELECT VARIABLE_VALUE FROM performance_schema.global_status WHERE VARIABLE_NAME = 'Ssl_server_not_before'"
    uptime = "SELECT VARIABLE_VALUE FROM performance_schema.global_status WHERE VARIABLE_NAME = 'Uptime'"
    before, up = database.superuser(shown), int(database.superuser(uptime))
    database.up("--replace", database.urn("db-server-tls-key"))
    assert database.superuser(shown) != before
    assert int(database.superuser(uptime)) > up
    assert database.query("SELECT 1") == "1"


def test_another_password_is_taken_over(database: Database) -> None:
    before = database.outputs["password"]
    database.up("--replace", database.urn("db-login-1-password"))
    assert database.outputs["password"] != before
    assert database.query("SELECT note FROM kept") == "größer 🙂!"
    assert "Access denied" in database.query("SELECT 1", DB_PASSWORD=before)


def test_the_password_is_nowhere(database: Database) -> None:
    password = database.outputs["password"]
    client = docker_client()
    for one in containers_of(NAME):
        assert password not in str(client.api.inspect_container(one.id)) + one.logs().decode()
        files = one.exec_run(["sh", "-c", "cat /etc/tierstack/*/* /proc/[0-9]*/environ /proc/[0-9]*/cmdline"])
        assert password not in files.output.decode(errors="replace")
    assert password not in database.stack.state()
    assert password not in database.inside("sh", "-c", "cat /var/lib/mysql/binlog/* /var/lib/mysql/tmp/*")


def test_binary_logs_stay_within_their_room(database: Database) -> None:
    """The start script's own command, with a small room."""
    database.superuser("FLUSH BINARY LOGS; FLUSH BINARY LOGS; FLUSH BINARY LOGS")
    assert len(database.superuser("SHOW BINARY LOGS").splitlines()) > 3
    purge = r"sed -n '/^purge()/,/^}/p' /etc/tierstack/mysql/primary.sh >/tmp/purge.sh; keep=1; . /tmp/purge.sh; purge"
    database.inside("sh", "-euc", purge)
    assert len(database.superuser("SHOW BINARY LOGS").splitlines()) == 1


def test_data_is_protected(database: Database) -> None:
    database.up(protection="PROTECT")
    refused = database.stack.run("destroy", "--yes", "--stack=mysql", check=False)
    assert refused.returncode != 0
    assert "db-data" in refused.stdout + refused.stderr
    assert database.query("SELECT note FROM kept") == "größer 🙂!"
    database.up(protection="NONE")
    database.stack.destroy()
    assert not list(containers_of(NAME))
    client = docker_client()
    assert not [one.name for one in client.volumes.list() if one.name.startswith(f"{NAME}-")]
    database.up()
