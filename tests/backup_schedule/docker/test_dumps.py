"""Dumps of a real PostgreSQL and a real MySQL in a real bucket on the same host: lost tables that come back equal, dumps
that fail and are not stored, a store that is away, a password that is another one, and keys that are apart.

Prints the figures that docs/measurements.md quotes; run it with -s to see them.
"""

import json
import shutil
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.backup_schedule.docker.commands import drop, status_of, tierstack
from tests.support import Stack, docker_client, image, run_command
from tests.waiting import until
from tierstack.backup_schedule import ledger
from tierstack.backup_schedule.dumps import agent
from tierstack.backup_schedule.restic import repository
from tierstack.database.mysql.engine import SUPERUSER, local

PROGRAM = """
import pulumi
from tierstack import *

platform = DockerHost(name="{name}", data_protection=DataProtection.NONE)
storage = ObjectStorage("storage", ObjectStorageArgs(platform=platform, bucket="backups", prefix="prod",
    self_hosted=True, image="{versitygw}", probe_image="{barman}", versioning=True))
database = DatabaseWithReplicas("db", DatabaseWithReplicasArgs(platform=platform, tier=Tier.USERS_100K, {database}))
made = DatabaseDumps("dumps", DatabaseDumpsArgs(
    platform=platform, database=database.connection, image="{dump}", store=storage.store, first_dump_minutes=5,
    jobs={{"all": DumpJobArgs(keep=KeepArgs(last=3, daily=None)),
          "critical": DumpJobArgs(schedule="0 * * * *", tables=["orders"])}},
    lock_seconds=3, check_parts=2, drill=DrillArgs(checks={{"rows": "SELECT count(*) > 0 FROM orders"}}){more}))
pulumi.export("location", made.location)
pulumi.export("repository_password", made.repository_password)
"""


WATCH = """
import glob, os, pathlib
seen = set()
while not os.path.exists("/tmp/watched"):
    for one in glob.glob("/proc/[0-9]*/"):
        for what in ("cmdline", "environ"):
            try:
                seen.add(pathlib.Path(one, what).read_text().replace("\\0", " "))
            except OSError:
                pass
print(*seen, sep="\\n")
"""
"""Command lines and environments of everything that runs in a container."""


class Engine(ABC):
    """What the tests say to a server."""

    name: str
    dump: str
    arguments: str
    login: str
    rows: str
    schema: tuple[str, ...]
    lock: str
    program: str

    @abstractmethod
    def sql(self, statement: str, container: str) -> str:
        """What a server answers, as its superuser."""

    @abstractmethod
    def checksum(self, table: str) -> str:
        """A statement: the sum over all rows."""

    @property
    def primary(self) -> str:
        return f"{self.name}-db-primary"

    @property
    def agent(self) -> str:
        return f"{self.name}-dumps-dumps"

    @property
    def aside(self) -> str:
        return f"{self.name}-aside"

    @property
    def images(self) -> dict[str, str]:
        return {"barman": image("barman:3"), "versitygw": image("versitygw:1.8"), "dump": image(self.dump)}

    def ask(self, statement: str) -> str:
        return self.sql(statement, self.primary)

    def asked(self, statement: str) -> str:
        return self.sql(statement, self.aside)


class PostgreSQL(Engine):
    name, dump, login, program = "t-dump-pg", "postgres-dump:17", "pgpass", "pg_dump"
    rows = """
INSERT INTO orders (total, note, data) SELECT i * 1.37, 'größe ' || i || E'\\n\\t"\\\\', decode(md5(i::text), 'hex')
FROM generate_series(1, 20000) AS i;
INSERT INTO items (order_id) SELECT id FROM orders;
INSERT INTO audit.log SELECT now(), '{"a": 1}' FROM generate_series(1, 100)"""
    schema = (
        "CREATE TYPE state AS ENUM ('open', 'paid')",
        "CREATE TABLE orders (id bigserial PRIMARY KEY, state state NOT NULL DEFAULT 'open', total numeric(12,2), "
        "note text, data bytea, at timestamptz DEFAULT now())",
        "CREATE INDEX orders_total ON orders (total)",
        "CREATE TABLE items (id bigserial PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders)",
        "CREATE SCHEMA audit",
        "CREATE TABLE audit.log (at timestamptz, what jsonb) PARTITION BY RANGE (at)",
        "CREATE TABLE audit.log_all PARTITION OF audit.log DEFAULT",
        "CREATE VIEW big AS SELECT * FROM orders WHERE total > 100",
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.at = now(); RETURN NEW; END'",
        "CREATE TRIGGER touched BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch()",
    )
    lock = "BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60)"

    @property
    def arguments(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        images = f'image="{image("postgres:17")}", pooler_image="{image("pgbouncer:1.24")}"'
        return f"{images}, memory_mb=512, max_connections=100"

    def sql(self, statement: str, container: str) -> str:
        # As the owner, as the application does it; what is read aside belongs to the superuser.
        role = "SET ROLE app; " if container == self.primary else ""
        command = ["docker", "exec", "-i", container, "psql", "-h", "/tmp", "-U", "postgres", "-d", "app", "-qAt"]
        return run_command(*command, "-v", "ON_ERROR_STOP=1", stdin=f"{role}{statement};")

    def checksum(self, table: str) -> str:
        return f"SELECT count(*), md5(string_agg(x::text, '|' ORDER BY x::text)) FROM {table} AS x"

    def extras(self) -> str:
        return self.asked(
            "SELECT count(*) FILTER (WHERE indexname = 'orders_total'), (SELECT count(*) FROM pg_trigger "
            "WHERE tgname = 'touched'), (SELECT count(*) FROM pg_constraint WHERE contype = 'f'), "
            "(SELECT count(*) FROM big) > 0 FROM pg_indexes"
        )


class MySQL(Engine):
    name, dump, login, program = "t-dump-my", "mysql-dump:9.7", "client.cnf", "mysqldump"
    rows = """
SET SESSION cte_max_recursion_depth = 100000;
INSERT INTO orders (total, note, data) WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
SELECT i * 1.37, CONCAT('größe ', i, '\\n\\t"\\\\'), UNHEX(SHA2(i, 256)) FROM n;
INSERT INTO items (order_id) SELECT id FROM orders"""
    schema = (
        "CREATE TABLE orders (id BIGINT AUTO_INCREMENT PRIMARY KEY, state ENUM('open', 'paid') NOT NULL DEFAULT 'open', "
        "total DECIMAL(12,2), note TEXT, data VARBINARY(300), at DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6), "
        "KEY orders_total (total))",
        "CREATE TABLE items (id BIGINT AUTO_INCREMENT PRIMARY KEY, order_id BIGINT NOT NULL, "
        "FOREIGN KEY (order_id) REFERENCES orders (id))",
        "CREATE VIEW big AS SELECT * FROM orders WHERE total > 100",
        "CREATE TRIGGER touched BEFORE UPDATE ON orders FOR EACH ROW SET NEW.at = NOW(6)",
        "CREATE PROCEDURE touch() UPDATE orders SET note = note",
        "CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO UPDATE orders SET note = note",
    )
    lock = "LOCK TABLES orders WRITE; SELECT SLEEP(60)"

    @property
    def arguments(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        images = f'image="{image("mysql:9.7")}", pooler_image="{image("haproxy:3.0")}"'
        sizes = "pool_size=4, max_connections=20, memory_mb=768, storage_gb=4, wal_storage_gb=2, cpu=1.0"
        return f'engine=DatabaseEngine("mysql"), {images}, {sizes}'

    def sql(self, statement: str, container: str) -> str:
        client = [*local("mysql", SUPERUSER), "--batch", "--skip-column-names", "--default-character-set=utf8mb4"]
        return run_command("docker", "exec", "-i", container, *client, "app", stdin=f"{statement};").replace("\t", "|")

    def checksum(self, table: str) -> str:
        of = {"orders": "id, state, total, note, HEX(data), at", "items": "id, order_id"}[table]
        one = f"CRC32(CONCAT_WS('|', {of}))"
        return f"SELECT COUNT(*), SUM({one}), BIT_XOR({one} * id) FROM {table}"

    def extras(self) -> str:
        return self.asked(
            "SELECT (SELECT COUNT(*) FROM information_schema.STATISTICS WHERE INDEX_NAME = 'orders_total'), "
            "(SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_NAME = 'touched'), "
            "(SELECT COUNT(*) FROM information_schema.ROUTINES WHERE ROUTINE_NAME = 'touch'), "
            "(SELECT COUNT(*) FROM information_schema.EVENTS WHERE EVENT_NAME = 'nightly')"
        )


class Made:
    """A stack, and its engine."""

    def __init__(self, stack: Stack, engine: Engine) -> None:
        self.stack, self.engine = stack, engine

    def program(self, more: str = "") -> str:
        engine = self.engine
        return PROGRAM.format(name=engine.name, database=engine.arguments, more=more, **engine.images)

    def status(self) -> dict[str, Any]:
        return status_of(self.engine.agent, agent.STATUS)

    def run(self, verb: str, module: str = "dumps.agent", container: str | None = None) -> tuple[int, str]:
        command = ["docker", "exec", container or self.engine.agent, "python3", "-m"]
        done = subprocess.run([*command, f"tierstack.backup_schedule.{module}", verb], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def dump(self, name: str = "all") -> str:
        """Make a dump now; what the agent said."""
        code, said = self.run(f"dump-{name}")
        assert code == 0, said
        return said

    def restic(self, *arguments: str) -> str:
        code = (
            "import json, os; from tierstack.backup_schedule.restic import agent, repository as r; "
            "print(r.Repository(agent.settings(), 'write').run(*json.loads(os.environ['GIVEN'])))"
        )
        given = f"GIVEN={json.dumps(arguments)}"
        return run_command("docker", "exec", "-e", given, self.engine.agent, "python3", "-c", code)

    def snapshots(self) -> list[dict[str, Any]]:
        return json.loads(self.restic("snapshots", "--json", "--no-lock") or "[]")

    def restore(self, *more: str, code: int = 0) -> str:
        drop(self.engine.aside)
        given = ["--aside", self.engine.aside, "--yes", *more]
        done = tierstack(self.stack, "restore", *given, code=code)
        return done.stdout + done.stderr


ENGINES: dict[str, type[Engine]] = {"postgresql": PostgreSQL, "mysql": MySQL}


@pytest.fixture(scope="module", params=ENGINES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    docker_client()
    engine = ENGINES[request.param]()
    made = Made(Stack(tmp_path_factory.mktemp("dumps"), "backups"), engine)
    made.stack.write(made.program())
    try:
        made.stack.up()
        yield made
    finally:
        subprocess.run(["docker", "start", f"{engine.name}-storage"], capture_output=True)
        drop(engine.aside)
        made.stack.run("destroy", "--yes", "--skip-preview", "--refresh", "--stack=backups")
        shutil.rmtree(made.stack.folder)
        left = run_command("docker", "ps", "-a", "--format", "{{.Names}}", "--filter", f"name={engine.name}")
        for kind in ("volume", "network"):
            left += run_command("docker", kind, "ls", "-q", "--filter", f"name={engine.name}")
    assert left.split() == []


def test_the_first_dump_is_there_when_the_update_ends(made: Made) -> None:
    found = made.status()
    assert (found["healthy"], found["faults"]) == (True, [])
    assert (found["dumps"]["all"]["count"], found["dumps"]["all"]["last"]["tables"]) == (1, 0)
    # The application's migrations have not run, so there is no table `orders` to be dumped.
    assert (found["dumps"]["critical"]["count"], found["dumps"]["critical"]["late"]) == (0, False)
    assert made.stack.outputs()["location"] == f"s3://backups/prod/{made.engine.name}-dumps"
    for statement in (*made.engine.schema, made.engine.rows):
        made.engine.ask(statement)
    made.stack.unchanged()


def test_a_lost_table_comes_back_equal(made: Made) -> None:
    engine = made.engine
    said = [made.dump(), made.dump(), made.dump("critical")]
    print("", *said, sep="\n")
    wanted = {table: engine.ask(engine.checksum(table)) for table in ("orders", "items")}
    assert wanted["orders"].startswith("20000|")
    engine.ask("DROP TABLE items")
    plan = tierstack(made.stack, "restore", "--dump", "all", "--plan").stdout
    assert f"MiB, into the new volume {engine.name}-dumps-catalog-aside" in plan
    print(plan, made.restore("--dump", "all"))
    assert {table: engine.asked(engine.checksum(table)) for table in wanted} == wanted
    assert engine.extras().strip() in ("1|1|1|t", "1|1|1|1")  # type: ignore[attr-defined]
    print(made.restore("--dump", "all", "--table", "items"))
    assert engine.asked(engine.checksum("items")) == wanted["items"]
    if isinstance(engine, PostgreSQL):
        assert engine.asked("SELECT count(*) FROM orders") == "0"
        assert engine.asked("SELECT count(*) FROM pg_constraint WHERE contype = 'f'") == "0"
    assert engine.ask(engine.checksum("orders")) == wanted["orders"], "the running database is as it was"
    refused = made.restore("--dump", "all", "--table", "itms", code=1)
    assert "the dump has no table itms; did you mean items?" in refused
    assert not run_command("docker", "volume", "ls", "-q", "--filter", f"name={engine.aside}")
    in_place = tierstack(made.stack, "restore", "--dump", "all", "--in-place", "--replace-data", code=2)
    assert "a dump comes back aside only" in in_place.stderr
    assert "is neither one of `all`, `critical` nor the id" in made.restore("--dump", "abcdefg", code=2)


def test_a_dump_of_tables_has_those_alone(made: Made) -> None:
    engine = made.engine
    wanted = engine.ask(engine.checksum("orders"))
    print(made.restore("--dump", "critical"))
    assert engine.asked(engine.checksum("orders")) == wanted
    if isinstance(engine, PostgreSQL):
        # `pg_dump --table` would leave out the type of a column, and the function of the trigger.
        assert engine.asked("SELECT count(*) FROM items") == "0"
    else:
        assert engine.asked("SHOW TABLES") == "orders"


def test_keys_are_apart_and_nowhere_in_the_clear(made: Made) -> None:
    engine = made.engine
    configured = {
        kind: run_command(
            "docker", "run", "--rm", "-v", f"{engine.name}-dumps-{kind}:/c:ro", image(engine.dump), "sh", "-c",
            "ls /c; sed -n 's/^\\[\\(.*\\)\\]$/key \\1/p' /c/aws-credentials",
        ).splitlines()
        for kind in ("config", "fetch-config", "prune-config")
    }  # fmt: skip
    assert [one[-1] for one in configured.values()] == ["key write", "key drill", "key prune"]
    assert [engine.login in one for one in configured.values()] == [True, False, False]
    read = ["docker", "exec", engine.agent]
    secrets = [run_command(*read, "cat", f"{repository.CONFIG}/{repository.PASSWORD}")]
    sed = {"pgpass": "s/.*://p", "client.cnf": 's/^password="\\(.*\\)"$/\\1/p'}[engine.login]
    secrets.append(run_command(*read, "sed", "-n", sed, f"{repository.CONFIG}/{engine.login}"))
    assert [len(one) for one in secrets] == [40, 32]
    watching = subprocess.Popen([*read, "python3", "-c", WATCH], stdout=subprocess.PIPE, text=True)
    made.dump()
    run_command(*read, "touch", "/tmp/watched")
    listed = watching.communicate()[0]
    run_command(*read, "rm", "/tmp/watched")
    assert f"{engine.program} " in listed
    both = [run_command("docker", verb, engine.agent) for verb in ("inspect", "logs")]
    for shown in (made.stack.state(), listed, *both):
        assert not [one for one in secrets if one in shown]


def test_a_drill_reads_every_table(made: Made) -> None:
    said = tierstack(made.stack, "drill", "--backups", "dumps").stdout
    print(f"\n{said}")
    entry = json.loads(run_command("docker", "exec", made.engine.agent, "cat", "/var/lib/restic/drills.jsonl"))
    assert (entry["result"], entry["source"], entry["checks"]) == (ledger.GOOD, "bucket", {"rows": True})
    assert entry["tables"] == entry["expected_tables"] > 0
    assert entry["rows"] >= 20000
    history = tierstack(made.stack, "drill", "history", "--backups", "dumps").stdout
    assert "tables, 2" in history
    assert not run_command("docker", "volume", "ls", "-q", "--filter", f"name={made.engine.name}-dumps-catalog-drill")


def test_the_check_reads_the_newest_dumps_back(made: Made) -> None:
    code, said = made.run("check")
    assert code == 0, said
    assert [f"check: dump {name}" in said for name in ("all", "critical")] == [True, True]
    assert "the repository is whole; read part 1/2" in said


@contextmanager
def session(engine: Engine, statement: str) -> Iterator[None]:
    """A client that holds a lock."""
    if isinstance(engine, PostgreSQL):
        client = ["psql", "-h", "/tmp", "-U", "postgres", "-d", "app", "-qAt", "-c", statement]
    else:
        client = [*local("mysql", SUPERUSER), "app", f"--execute={statement}"]
    holder = subprocess.Popen(["docker", "exec", engine.primary, *client], stdout=subprocess.DEVNULL)
    waits = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND wait_event = 'PgSleep'"
    if isinstance(engine, MySQL):
        waits = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE = 'User sleep'"
    sql = engine.sql if isinstance(engine, MySQL) else lambda text, at: engine.sql(f"RESET ROLE; {text}", at)
    until("the lock is held", lambda: sql(waits, engine.primary) == "1", 30, every=0.2)
    try:
        yield
    finally:
        if isinstance(engine, PostgreSQL):
            sql(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
                engine.primary,
            )
        else:
            ids = sql("SELECT ID FROM information_schema.PROCESSLIST WHERE STATE = 'User sleep'", engine.primary)
            engine.ask(f"KILL {ids}")
        holder.wait()


def test_what_fails_is_told_and_stores_nothing(made: Made) -> None:
    """A lock of a migration, a table that may not be read, a program that is killed."""
    engine, before = made.engine, [one["id"] for one in made.snapshots()]
    with session(engine, engine.lock):
        code, said = made.run("dump-all")
    print(f"\n{said}")
    assert code == 1
    assert "lock" in said.lower()
    assert [one["id"] for one in made.snapshots()] == before
    if isinstance(engine, PostgreSQL):
        engine.ask("REVOKE SELECT ON orders FROM tierstack_read")
        says = "permission denied for table orders"
        back = "GRANT SELECT ON orders TO tierstack_read"
    else:
        engine.ask("CREATE TABLE old (id INT PRIMARY KEY) ENGINE=MyISAM")
        says, back = "tables old are not InnoDB", "DROP TABLE old"
    code, said = made.run("dump-all")
    print(said)
    assert (code, says in said) == (1, True)
    until(
        "the agent tells it",
        lambda: any(says in one for one in made.status()["faults"]) or (bool(made.run("dump-all")) and False),
        120,
        every=1,
    )
    engine.ask(back)
    engine.ask("CREATE TABLE large AS SELECT a.id, a.note, b.note AS more FROM orders a JOIN orders b ON b.id < 40"
               if isinstance(engine, PostgreSQL) else
               "CREATE TABLE large SELECT a.id AS a, a.note, b.note AS more FROM orders a JOIN orders b ON b.id < 40")  # fmt: skip
    job = subprocess.Popen(
        ["docker", "exec", engine.agent, "python3", "-m", "tierstack.backup_schedule.dumps.agent", "dump-all"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    alive = f"grep -lsx {engine.program} /proc/[0-9]*/comm"
    until(
        "it runs",
        lambda: subprocess.run(["docker", "exec", engine.agent, "sh", "-c", alive], capture_output=True).stdout,
        60,
        every=0.05,
    )
    time.sleep(0.5)  # a part of it is in the repository
    kill = f"for p in /proc/[0-9]*; do grep -qsx {engine.program} $p/comm && kill -9 ${{p#/proc/}}; done; true"
    run_command("docker", "exec", engine.agent, "sh", "-c", kill)
    said = job.communicate()[0]
    print(said)
    assert job.returncode == 1, said
    assert [one["id"] for one in made.snapshots()] == before
    print(made.dump())
    engine.ask("DROP TABLE large")


def test_what_would_be_left_out_is_an_error(made: Made) -> None:
    """Rows that a policy hides, large objects of somebody else, a view of nothing; and a row that is larger than a client
    takes by itself."""
    engine, before = made.engine, [one["id"] for one in made.snapshots()]
    if isinstance(engine, PostgreSQL):
        cases = {
            "row-level security": (
                "CREATE TABLE private (id int); ALTER TABLE private ENABLE ROW LEVEL SECURITY; "
                "GRANT SELECT ON private TO tierstack_read",
                "DROP TABLE private",
            ),
            "large object": ("SELECT lo_from_bytea(4711, 'x')", "SELECT lo_unlink(4711)"),
        }
    else:
        cases = {
            "references invalid table": (
                "CREATE TABLE gone (id INT PRIMARY KEY); CREATE VIEW v AS SELECT * FROM gone; DROP TABLE gone",
                "DROP VIEW v",
            )
        }
    for says, (begin, end) in cases.items():
        engine.ask(begin)
        code, said = made.run("dump-all")
        print(f"\n{said}")
        assert (code, says in said) == (1, True)
        engine.ask(end)
    assert [one["id"] for one in made.snapshots()] == before
    large = "repeat('x', 30000000)" if isinstance(engine, PostgreSQL) else "REPEAT('x', 30000000)"
    kind = "text" if isinstance(engine, PostgreSQL) else "LONGTEXT"
    engine.ask(f"CREATE TABLE wide (id INT PRIMARY KEY, data {kind})")
    if not isinstance(engine, PostgreSQL):  # of a server of this size 16 MiB, which is no limit of the dump
        engine.ask("SET GLOBAL max_allowed_packet = 67108864")
    engine.ask(f"INSERT INTO wide VALUES (1, {large})")
    made.dump()
    made.restore("--dump", "all", "--table", "wide")
    assert engine.asked("SELECT LENGTH(data) FROM wide") == "30000000"
    engine.ask("DROP TABLE wide")


def test_what_shrinks_is_a_fault_until_it_is_usual(made: Made) -> None:
    made.dump()
    for _ in range(2):
        made.dump()
        wait_for(made)
    assert made.status()["dumps"]["all"]["shrunk"] is False
    made.engine.ask("DELETE FROM orders WHERE id > 100")
    for _ in range(2):  # the one after it is as small, and the fault stays
        made.dump()
        wait_for(made)
        assert made.status()["dumps"]["all"]["shrunk"] is True
    assert any("less than half of the" in one for one in made.status()["faults"])


def wait_for(made: Made) -> None:
    """Until the agent has looked at the newest dump."""
    newest = json.loads(run_command("docker", "exec", made.engine.agent, "cat", "/var/lib/restic/jobs.json"))
    wanted = newest["jobs"]["all"]["snapshots"][-1]["id"]
    until("the agent looks", lambda: made.status()["dumps"]["all"]["last"]["id"] == wanted, 120, every=1)


def test_a_store_that_is_away_is_told_and_caught_up_with(made: Made) -> None:
    gateway = f"{made.engine.name}-storage"
    run_command("docker", "stop", "--time", "1", gateway)
    try:
        began = time.monotonic()
        code, said = made.run("dump-all")
        print(f"\ntold after {time.monotonic() - began:.0f} s: {said}")
        assert (code, "does not answer:" in said) == (1, True)
    finally:
        run_command("docker", "start", gateway)
    until("the store is back", lambda: made.run("dump-all")[0] == 0, 120, every=1)


def test_another_password_is_one_clear_error_and_nothing_is_written(made: Made) -> None:
    before = made.restic("snapshots", "--no-lock")
    made.stack.write(made.program(', password="another password of enough length"'))
    made.stack.up()
    code, said = made.run("dump-all")
    assert (code, said.count("\n")) == (1, 1)
    assert "was made with another password: nothing is written" in said
    assert "was made with another password" in made.restore("--dump", "all", code=1)
    made.stack.write(made.program())
    made.stack.up()
    assert made.restic("snapshots", "--no-lock") == before
    made.dump()


def test_only_what_the_rules_keep_stays(made: Made) -> None:
    prune = f"{made.engine.name}-dumps-prune"
    code, said = made.run("now", "restic.pruning", prune)
    assert (code, said.count("backups")) == (0, 2), said
    tags = [one["tags"] for one in made.snapshots()]
    assert tags.count(["dump-all"]) == 3
    assert tags.count(["dump-critical"]) >= 1
    assert made.run("check")[0] == 0
    assert made.stack.outputs()["repository_password"]
