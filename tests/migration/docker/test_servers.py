"""What the guard says of locks and rewrites, against real servers: each statement of the cases is run, and what the
server did is compared with what the guard says.

PostgreSQL: a statement is heavy where it writes a table anew (another file), or reads or indexes the rows of a table
under a lock that stops writes. MySQL: where the server refuses it with ALGORITHM=INPLACE, LOCK=NONE; it is a rebuild
where the table has another number afterwards.
"""

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.migration.cases import DATA, Case, cases, judged, statements
from tests.support import docker_client, image
from tierstack.migration.lexer import Engine

HEAVY = frozenset({"index", "foreign-key", "check", "unique", "rewrite", "set-not-null", "type-change"})
"""Rules that say of a statement that it reads or writes all rows while writes wait."""
OTHERS = frozenset({"rows-lost", "drop-object", "update-all", "lock"})
"""Rules that say something else of a statement that may do so, too."""


class Server:
    """A server in a container of its own."""

    def __init__(self, name: str, of: str, script: str, user: str) -> None:
        client = docker_client()
        self.container: Any = client.containers.run(
            image(of), entrypoint=["sh", "-c", script], name=name, user=user, detach=True, network_mode="none",
            tmpfs={"/data": "rw,size=1500m,mode=0777", "/tmp": "rw,size=200m,mode=1777"}, mem_limit="1500m",
        )  # fmt: skip

    def until(self, command: list[str]) -> None:
        limit = time.monotonic() + 600  # machines under load take minutes for MySQL
        while self.container.exec_run(command).exit_code:
            self.container.reload()
            assert self.container.status == "running", self.container.logs().decode()[-2000:]
            assert time.monotonic() < limit, "the server does not start"
            time.sleep(0.3)  # between two questions

    def ask(self, command: list[str], sql: str) -> tuple[int, str]:
        """Exit code and output of a client that gets `sql` as an argument."""
        done = self.container.exec_run([*command, sql])
        return done.exit_code, done.output.decode(errors="replace").strip()


POSTGRES = """
initdb -D /data/pg -U postgres -A trust >/dev/null
exec postgres -D /data/pg -c unix_socket_directories=/tmp -c listen_addresses= -c fsync=off -c autovacuum=off
"""
PSQL = ["psql", "-h", "/tmp", "-U", "postgres", "-XqAt", "-v", "ON_ERROR_STOP=1", "-c"]
ROWS = """
INSERT INTO users (id, name) SELECT n, 'n' FROM generate_series(1, 500) n;
INSERT INTO orders (id, user_id, email, total, note, channel, price, created_at, code)
    SELECT n, 1 + n % 500, 'a@b', n, 'x', 'web', n, now(), n FROM generate_series(1, 2000) n;
INSERT INTO "Order Lines" SELECT n, n, 1 FROM generate_series(1, 2000) n;
INSERT INTO events_2026 SELECT n, '2026-02-01' FROM generate_series(1, 2000) n;
INSERT INTO events SELECT n, '2025-02-01' FROM generate_series(1, 2000) n;
INSERT INTO scratch SELECT n, 'x' FROM generate_series(1, 2000) n;
REFRESH MATERIALIZED VIEW totals;
"""
# What there is, as one line of JSON: files, scans in this transaction, and locks that stop writes.
LOOK = """
CREATE FUNCTION look() RETURNS json LANGUAGE sql AS $$ SELECT json_build_object(
    'files', (SELECT json_object_agg(oid, pg_relation_filenode(oid)) FROM pg_class WHERE relkind IN ('r', 'm') AND oid >= 16384),
    'scans', (SELECT json_object_agg(relid, pg_stat_get_xact_numscans(relid)) FROM pg_stat_user_tables),
    'stops', (SELECT json_agg(DISTINCT relation::text) FROM pg_locks WHERE pid = pg_backend_pid() AND relation >= 16384
        AND mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')),
    'indexes', (SELECT json_agg(json_build_array(indrelid::text, pg_relation_filenode(indexrelid))) FROM pg_index WHERE indexrelid >= 16384)) $$;
"""


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Server]:
    server = Server("t-guard-postgresql", "postgres:17", POSTGRES, "26:26")
    try:
        server.until(["pg_isready", "-h", "/tmp"])
        code, output = server.ask(PSQL, "CREATE DATABASE template_cases")
        assert code == 0, output
        code, output = server.ask(
            [*PSQL[:-1], "-d", "template_cases", "-c"], DATA[Engine.POSTGRESQL]["schema"] + ROWS + LOOK
        )
        assert code == 0, output
        yield server
    finally:
        server.container.remove(force=True)


_ALONE = ("concurrently", "vacuum", "create database", "alter database", "cluster orders", "alter type mood add value")


def script(sql: str, *, alone: bool) -> str:
    """What psql is told for one case. Where it can, the statement leaves nothing behind."""
    look = "SELECT look();\n"
    return f"{look}{sql}\n;\n{look}" if alone else f"BEGIN;\n{look}{sql}\n;\n{look}ROLLBACK;\n"


def run(server: Server, database: str, text: str) -> str:
    command = f"psql -h /tmp -U postgres -d {database} -XqAt 2>&1 <<'END_OF_SCRIPT'\n{text}\nEND_OF_SCRIPT\n"
    return server.container.exec_run(["sh", "-c", command]).output.decode()


def outputs(server: Server, cases_: list[Case]) -> dict[Case, str]:
    """What psql says of each case: those that leave nothing behind in one session, the others on a copy each."""
    alone = [one for one in cases_ if any(word in one.sql.lower() for word in _ALONE)]
    rest = [one for one in cases_ if one not in alone]
    text = "".join(f"\\echo ==={number}\n{script(one.sql, alone=False)}" for number, one in enumerate(rest))
    parts = run(server, "template_cases", text).split("===")[1:]
    found = {one: part.partition("\n")[2] for one, part in zip(rest, parts, strict=True)}
    for one in alone:
        run(server, "postgres", "DROP DATABASE IF EXISTS one_case;\nCREATE DATABASE one_case TEMPLATE template_cases;")
        found[one] = run(server, "one_case", script(one.sql, alone=True))
    return found


def heavy(output: str) -> bool | str:
    """Whether a statement read or wrote a table that was there while writes waited, or what the server refused."""
    lines = [json.loads(line) for line in output.splitlines() if line.startswith('{"files"')]
    if "ERROR:" in output or len(lines) != 2:
        return next((line for line in output.splitlines() if "ERROR" in line), output)
    before, after = lines
    rewritten = any(after["files"].get(oid, number) != number for oid, number in before["files"].items())
    stops = {*(after["stops"] or ())} & set(before["files"])
    scanned = any((after["scans"] or {}).get(oid, 0) > (before["scans"] or {}).get(oid, 0) for oid in stops)
    old = {one for _, one in before["indexes"]}  # by their files: another type of a column may give one another number
    indexed = any(table in stops and one not in old for table, one in after["indexes"])
    return rewritten or scanned or indexed


def checked(engine: Engine) -> list[Case]:
    return [
        one for one in cases(engine) if one.server.get("skip") != "all" and one.sql not in one.server.get("skip", [])
    ]


def test_postgresql_does_what_the_guard_says(postgresql: Server) -> None:
    wrong: dict[str, Any] = {}
    for case, output in outputs(postgresql, checked(Engine.POSTGRESQL)).items():
        did = heavy(output)
        if isinstance(did, str):
            if "refused" not in case.server:
                wrong[case.sql] = did
        elif "refused" in case.server:
            wrong[case.sql] = "the server takes it"
        elif "light" not in case.server and not OTHERS & set(case.says) and did != bool(HEAVY & set(case.says)):
            wrong[case.sql] = {"heavy": did, "guard": sorted(case.says)}
    assert not wrong, json.dumps(wrong, indent=1)


MYSQL = """
mysqld --initialize-insecure --datadir=/data/my --secure-file-priv=NULL --log-error=/tmp/init.log
exec mysqld --datadir=/data/my --socket=/tmp/my.sock --pid-file=/tmp/my.pid --skip-networking --mysqlx=OFF --secure-file-priv=NULL \
    --innodb-flush-log-at-trx-commit=0 --sync-binlog=0 --innodb-buffer-pool-size=256M
"""
CLIENT = ["mysql", "--socket=/tmp/my.sock", "-uroot", "-N", "-B", "-e"]
FILL = """
INSERT INTO users (name) VALUES ('a'), ('b'), ('c');
INSERT INTO orders (user_id, email, total, note, channel, code) VALUES (1, 'a@b', 1, 'x', 'web', 1), (2, 'c@d', 2, 'x', 'web', 2);
INSERT INTO lines_ VALUES (1, 1, 1); INSERT INTO plain VALUES (1, 2), (2, 1); INSERT INTO events VALUES (1, 2025), (2, 2026);
"""
NUMBERS = "SELECT CONCAT(NAME, ' ', TABLE_ID) FROM information_schema.INNODB_TABLES WHERE NAME LIKE 'one_case/%'"


@pytest.fixture(scope="module")
def mysql() -> Iterator[Server]:
    server = Server("t-guard-mysql", "mysql:9.7", MYSQL, "999:999")
    try:
        server.until(["mysqladmin", "--socket=/tmp/my.sock", "-uroot", "status"])
        yield server
    finally:
        server.container.remove(force=True)


def write(server: Server, path: str, text: str) -> None:
    done = server.container.exec_run(["sh", "-c", f"cat > {path} <<'END_OF_FILE'\n{text}\nEND_OF_FILE\n"])
    assert done.exit_code == 0, done.output


def asks(sql: str) -> bool:
    """Whether the statement itself says how, or can say nothing."""
    return any(one in sql.lower() for one in ("algorithm", "lock=", "partition"))


def ways(sql: str) -> list[str]:
    """How the server may be asked to run a statement: as it likes; from the catalogue alone, and beside writes."""
    if not sql.lower().startswith(("alter table", "create index", "create unique", "create fulltext")) or asks(sql):
        return [""]
    comma = "," if sql.lower().startswith("alter") else ""
    return ["", f"{comma} ALGORITHM=INSTANT", f"{comma} ALGORITHM=INPLACE{comma} LOCK=NONE"]


TABLES = {"users": (), "orders": (), "lines_": ("orders",), "plain": (), "events": (), "recent": ("orders",)}
"""What a case may be about, and the tables that it needs itself."""


def tables_of(sql: str) -> frozenset[str]:
    """The tables that a case needs."""
    named = {one for one in TABLES if one in sql.lower()}
    return frozenset(named.union(*(TABLES[one] for one in named)) or {"plain"})


def fresh(needed: frozenset[str]) -> str:
    """A database with these tables alone, and rows in them."""
    made = "DROP USER IF EXISTS reader; DROP DATABASE IF EXISTS one_case; CREATE DATABASE one_case; USE one_case;\n"
    texts = [one.text for one in statements(Engine.MYSQL, DATA[Engine.MYSQL]["schema"] + FILL)]
    about = [
        (text, {one for one in TABLES if re.search(rf"\b(?:TABLE|VIEW|INTO|ON) {one}\b", text[:60])}) for text in texts
    ]
    return made + "".join(f"{text};\n" for text, names in about if names <= needed)


def on_mysql(server: Server, cases_: list[Case]) -> Iterator[tuple[Case, bool, bool, str]]:
    """Each case with whether writes wait while it works, whether it writes a table anew, and what the server refused.
    One session of the client runs all, each way of each on tables of its own."""
    tries = [(one, way) for one in cases_ for way in ways(one.sql)]
    for needed in {tables_of(one.sql) for one in cases_}:
        write(server, f"/tmp/{'_'.join(sorted(needed))}.sql", fresh(needed))
    script = "".join(
        f"\\. /tmp/{'_'.join(sorted(tables_of(one.sql)))}.sql\nSELECT '===';\n{NUMBERS};\nSELECT '---';\n"
        f"DELIMITER //\n{one.sql}{way}\n//\nDELIMITER ;\nUNLOCK TABLES;\nSELECT '---';\n{NUMBERS};\nSELECT '+++';\n"
        for one, way in tries
    )
    output = ""
    for start in range(0, len(script), 100_000):  # an argument has a limit
        part = script[start : start + 100_000]
        done = server.container.exec_run(
            ["sh", "-c", f'printf %s "$1" {">>" if start else ">"} /tmp/all.sql', "-", part]
        )
        assert done.exit_code == 0, done.output
    command = "mysql --socket=/tmp/my.sock -uroot -N -B -n --force --commands < /tmp/all.sql 2>&1"
    output = server.container.exec_run(["sh", "-c", command]).output.decode(errors="replace")
    parts = [part.partition("+++")[0].split("---\n") for part in output.split("===\n")[1:]]
    assert len(parts) == len(tries), output[-2000:]
    refused = {(one.sql, way): "ERROR" in said for (one, way), (_, said, _) in zip(tries, parts, strict=True)}
    for (one, way), (before, said, after) in zip(tries, parts, strict=True):
        if way:
            continue
        names = {line.split()[0] for line in after.splitlines()}
        rebuilt = any(line not in after for line in before.splitlines() if line.split()[0] in names)
        waits = len(ways(one.sql)) > 1 and all(refused[one.sql, other] for other in ways(one.sql)[1:])
        yield one, waits, rebuilt, said.strip() if refused[one.sql, way] else ""


def test_mysql_does_what_the_guard_says(mysql: Server) -> None:
    wrong: dict[str, Any] = {}
    for case, waits, rebuilt, refused in on_mysql(mysql, checked(Engine.MYSQL)):
        heavy_ones = [one for one in judged(case).findings if one.diagnostic.code.removeprefix("migration-") in HEAVY]
        copies = any("COPY" in one.lock or "SHARED" in one.lock for one in heavy_ones)
        if refused:
            wrong[case.sql] = refused
        elif not asks(case.sql) and waits != copies:
            wrong[case.sql] = {"waits": waits, "rebuilt": rebuilt, "guard": sorted(case.says)}
        elif rebuilt and not heavy_ones and not {"rows-lost", "drop-object", "rename"} & set(case.says):
            wrong[case.sql] = {"rebuilt": True, "guard": sorted(case.says)}
    assert not wrong, json.dumps(wrong, indent=1)
