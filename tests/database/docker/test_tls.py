"""Encryption on a real daemon: who is refused, and what a client under load notices of another certificate or CA.

The tests of this file are steps of one run, in their order. A stack without certificates comes first, as one that was
made before there were any.
"""

import re
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.support import Stack, containers_of, docker_client, image
from tests.waiting import until

NAME = "t-database-tls"
CA = "/run/tierstack/ca/database/ca.crt"
PROGRAM = """\
import pulumi
from tierstack import DatabaseWithReplicas, DatabaseWithReplicasArgs, DataProtection, DockerHost, Tier
from tierstack.platform.internal_ca import TLSMode

db = DatabaseWithReplicas("db", DatabaseWithReplicasArgs(
    platform=DockerHost(name="{name}", data_protection=DataProtection.NONE), tier=Tier.USERS_1M,
    image="{postgres}", pooler_image="{pgbouncer}", replicas=1, tls=TLSMode("{tls}"), ca_generation={generation},
    memory_mb=512, storage_gb=4, wal_storage_gb=2, cpu=1.0,
))
pulumi.export("password", db.connection.password.value)
"""
# A connection for each row, so that each of them meets the certificate of its moment.
LOOP = """\
n=0
while :; do
    n=$((n + 1))
    if said=$(psql "$1" -Xqtc "INSERT INTO written VALUES ($n)" 2>&1); then echo "ok $n"; else echo "failed $said"; fi
done
"""
# One connection for all rows, which pgbench gives up with the first failure.
STAY = 'echo "INSERT INTO written VALUES (0);" >/tmp/one.sql; exec pgbench "$1" -n -c 2 -R 50 -T 3600 -f /tmp/one.sql'


class Database:
    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.shape: dict[str, object] = {"tls": "disable", "generation": 1}

    def up(self, *arguments: str, **changes: object) -> None:
        self.shape |= changes
        images = {"postgres": image("postgres:17"), "pgbouncer": image("pgbouncer:1.24")}
        self.stack.write(PROGRAM.format(name=NAME, **images, **self.shape))
        self.stack.up(*arguments)

    def client(self, script: str, target: str, *, detach: bool = False, ca: str = "") -> "str | Client":
        """A container in both networks that runs `script` with a connection string; its output, or the container."""
        volumes = {f"{NAME}-db-ca": {"bind": "/run/tierstack/ca/database", "mode": "ro"}}
        container = docker_client().containers.create(
            image("postgres:17"),
            entrypoint=["sh", "-c", script, "sh"],
            command=[target + " user=app_a dbname=app connect_timeout=10"],
            environment={"PGPASSWORD": str(self.stack.outputs()["password"]), "OTHER": ca},
            network=f"{NAME}-db",
            volumes=volumes if self.shape["tls"] != "disable" else {},
            init=True,
        )
        docker_client().networks.get(f"{NAME}-db-direct").connect(container)
        container.start()
        running = Client(container)
        if detach:
            return running
        code = container.wait()["StatusCode"]
        said = running.close().strip()
        return said if code == 0 else f"failed: {said}"

    def ask(self, target: str, sql: str = "SELECT 1") -> str:
        """What psql says to one statement."""
        said = self.client(f'psql "$1" -Xqtc "{sql}"', target)
        assert isinstance(said, str)
        return said

    def asked_in_load(self, script: str, target: str) -> "Client":
        running = self.client(script, target, detach=True)
        assert isinstance(running, Client)
        return running

    def superuser(self, sql: str) -> str:
        primary = docker_client().containers.get(f"{NAME}-db-primary")
        done = primary.exec_run(["psql", "-h", "/tmp", "-U", "postgres", "-d", "app", "-Xqtc", sql])
        assert done.exit_code == 0, done.output
        return done.output.decode().strip()

    def shown(self, container: str, port: int) -> str:
        """Fingerprint of the certificate that a server shows, and who signed it."""
        found = docker_client().containers.get(f"{NAME}-db-{container}")
        (address, *_) = [one["IPAddress"] for one in found.attrs["NetworkSettings"]["Networks"].values()]
        connect = ["openssl", "s_client", "-starttls", "postgres", "-connect", f"{address}:{port}"]
        first = subprocess.run(connect, input="", capture_output=True, text=True)
        describe = ["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-issuer"]
        return subprocess.run(describe, input=first.stdout, capture_output=True, text=True, check=True).stdout

    def urn(self, name: str) -> str:
        (found,) = set(re.findall(rf'"urn:[^"]*::{name}"', self.stack.run("stack", "export").stdout))
        return found.strip('"')

    def containers(self) -> dict[str, str]:
        return {one.name: one.id for one in containers_of(NAME)}


class Client:
    """A container that asks."""

    def __init__(self, container: object) -> None:
        self.container = container

    def lines(self) -> list[str]:
        return self.container.logs().decode().splitlines()  # type: ignore[attr-defined]

    def runs(self) -> bool:
        self.container.reload()  # type: ignore[attr-defined]
        return self.container.status == "running"  # type: ignore[attr-defined]

    def close(self) -> str:
        said = "\n".join(self.lines())
        self.container.remove(force=True)  # type: ignore[attr-defined]
        return said


def verified(host: str, port: int, ca: str = CA) -> str:
    return f"host={host} port={port} sslmode=verify-full sslrootcert={ca}"


POOLER, PRIMARY = ("db-pooler", 6432), ("db-rw", 5432)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    docker_client()
    made = Database(Stack(tmp_path_factory.mktemp("tls"), "database-tls"))
    assert not list(containers_of(NAME)), "left by an earlier run"
    try:
        made.up()
        yield made
    finally:
        made.stack.destroy()


def under_load(database: Database, act: Callable[[], None], target: str) -> tuple[int, list[str]]:
    """Rows written and failures, while `act` runs and a hundred rows before and after."""
    database.superuser("TRUNCATE written")
    loop = database.asked_in_load(LOOP, target)
    stay = database.asked_in_load(STAY, target)
    try:
        until("writes before", lambda: len(loop.lines()) >= 100)
        act()
        enough = len(loop.lines()) + 100
        until("writes after", lambda: len(loop.lines()) >= enough)
        assert stay.runs(), stay.lines()[-5:]
        lines = loop.lines()
    finally:
        stay.close()
        loop.close()
    written = [line for line in lines if line.startswith("ok ")]
    assert int(database.superuser("SELECT count(DISTINCT n) FROM written WHERE n > 0")) >= len(written)
    return len(written), [line for line in lines if not line.startswith("ok ")]


def test_a_stack_without_certificates(database: Database) -> None:
    assert (
        database.ask("host=db-pooler port=6432", "CREATE TABLE kept (note text); INSERT INTO kept VALUES ('x')") == ""
    )
    database.superuser("CREATE TABLE written (n int); ALTER TABLE written OWNER TO app")
    assert database.superuser("SELECT count(*) FROM pg_stat_ssl WHERE ssl") == "0"


def test_both_ways_are_open_on_the_way_to_encryption(database: Database) -> None:
    volume = docker_client().volumes.get(f"{NAME}-db-data").attrs["CreatedAt"]
    database.up(tls="allow")
    for target in ("host=db-pooler port=6432 sslmode=disable", verified(*POOLER), verified(*PRIMARY)):
        assert database.ask(target, "SELECT note FROM kept") == "x", target
    assert docker_client().volumes.get(f"{NAME}-db-data").attrs["CreatedAt"] == volume


def test_then_only_encrypted_connections_are_accepted(database: Database) -> None:
    database.up(tls="require")
    for host, port in (POOLER, PRIMARY):
        assert database.ask(verified(host, port), "SELECT note FROM kept") == "x"
        refused = database.ask(f"host={host} port={port} sslmode=disable")
        assert "SSL required" in refused or "no encryption" in refused, refused
    database.stack.unchanged()


def test_every_hop_is_encrypted(database: Database) -> None:
    """Client to pooler as the client sees it; pooler, standby and client to primary as the primary sees it."""
    assert "TLSv1.3" in database.client("psql \"$1\" -Xc '\\conninfo'", verified(*POOLER))
    # As the login itself: the owner, whose role it takes, may not see its session.
    mine = "SET ROLE NONE; SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    assert database.ask(verified(*POOLER), mine) == "t   | TLSv1.3"
    assert database.ask(verified(*PRIMARY), mine) == "t   | TLSv1.3"
    standby = "SELECT application_name, ssl, version FROM pg_stat_replication JOIN pg_stat_ssl USING (pid)"
    until("a standby under TLS", lambda: database.superuser(standby) == "replica_1        | t   | TLSv1.3")


def test_who_shows_another_certificate_is_not_believed(database: Database) -> None:
    """Another CA is that of another component; another name is that of another server."""
    other = "openssl ecparam -name prime256v1 -genkey -noout"
    key = subprocess.run(other.split(), capture_output=True, text=True, check=True).stdout
    made = ["openssl", "req", "-x509", "-new", "-key", "/dev/stdin", "-subj", "/CN=other", "-days", "1"]
    ca = subprocess.run(made, input=key, capture_output=True, text=True, check=True).stdout
    script = 'printf "%s" "$OTHER" >/tmp/other.crt; psql "$1" -Xqtc "SELECT 1"'
    for host, port in (POOLER, PRIMARY):
        said = database.client(script, verified(host, port, "/tmp/other.crt"), ca=ca)
        assert "certificate verify failed" in str(said), said
        said = database.client('psql "$1" -Xqtc "SELECT 1"', verified(host, port, "system"))
        assert "certificate verify failed" in str(said), said
    address = docker_client().containers.get(f"{NAME}-db-pooler").attrs["NetworkSettings"]["Networks"][f"{NAME}-db"]
    said = database.ask(f"{verified('db-rw', 6432)} hostaddr={address['IPAddress']}")
    assert 'does not match host name "db-rw"' in said, said


def test_another_certificate_and_key_under_load(
    database: Database, record_property: Callable[[str, object], None]
) -> None:
    before, shown = database.containers(), [database.shown("pooler", 6432), database.shown("primary", 5432)]
    keys = [f"--replace={database.urn(f'db-{server}-tls-key')}" for server in ("server", "pooler")]
    written, failed = under_load(database, lambda: database.up(*keys), verified(*POOLER))
    print(f"another certificate: {written} connections, {len(failed)} failed {failed[:3]}")
    record_property("another certificate: connections", written)
    assert failed == []
    now = [database.shown("pooler", 6432), database.shown("primary", 5432)]
    assert all(one != other for one, other in zip(shown, now, strict=True))
    assert all("db-ca-1" in one for one in now)
    assert database.containers() == before
    database.stack.unchanged()


def test_another_ca_under_load(database: Database, record_property: Callable[[str, object], None]) -> None:
    """Whoever read the file of the CA before is refused afterwards; whoever reads it at each connection notices
    nothing."""
    before = database.containers()
    old = str(database.client(f"cat {CA}", ""))
    written, failed = under_load(database, lambda: database.up(generation=2), verified(*POOLER))
    print(f"another CA: {written} connections, {len(failed)} failed {failed[:3]}")
    record_property("another CA: connections", written)
    assert failed == []
    assert all("db-ca-2" in database.shown(*one) for one in (("pooler", 6432), ("primary", 5432)))
    assert database.containers() == before
    both = str(database.client(f"cat {CA}", ""))
    assert old in both
    assert both.count("BEGIN CERTIFICATE") == 2
    script = 'printf "%s" "$OTHER" >/tmp/other.crt; psql "$1" -Xqtc "SELECT 1"'
    assert "certificate verify failed" in str(database.client(script, verified(*POOLER, "/tmp/other.crt"), ca=old))
    database.stack.unchanged()
    database.up(generation=3)
    assert old not in str(database.client(f"cat {CA}", ""))
    assert database.ask(verified(*POOLER), "SELECT note FROM kept") == "x"
    standby = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
    until("the standby is back", lambda: database.superuser(standby) == "1")


def test_keys_are_nowhere_in_clear(database: Database) -> None:
    state = database.stack.state()
    assert "PRIVATE KEY" not in state
    client = docker_client()
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    assert "PRIVATE KEY" not in processes
    for one in containers_of(NAME):
        assert "PRIVATE KEY" not in str(client.api.inspect_container(one.id)) + one.logs().decode()
        own = one.exec_run(["stat", "-c", "%a", "/etc/tierstack/tls/tls.key"]).output.decode().strip()
        assert own == "400"
        # What a client is given has no key beside it.
        assert one.exec_run(["ls", "-A", "/run/tierstack/ca/database"]).output.decode().strip() == "ca.crt"
