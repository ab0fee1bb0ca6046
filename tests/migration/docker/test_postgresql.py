"""What the guard says of locks and rewrites, against a PostgreSQL: each statement of the cases is run, and what the
server did is compared with what the guard says.

A statement is heavy where it writes a table anew (another file), or reads or indexes the rows of a table under a lock
that stops writes.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.migration.cases import DATA, Case
from tests.migration.docker.server import HEAVY, Server, checked
from tierstack.migration.lexer import Engine

OTHERS = frozenset({"rows-lost", "drop-object", "update-all", "lock"})
"""Rules that say something else of a statement that may do so, too."""

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
INSERT INTO goods (name, title, brand, free, size) SELECT n, n, n, 'x', n FROM generate_series(1, 2000) n;
INSERT INTO bare SELECT n, n FROM generate_series(1, 2000) n;
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
