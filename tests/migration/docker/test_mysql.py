"""What the guard says of locks and rewrites, against a MySQL: each statement of the cases is run, and what the server
did is compared with what the guard says.

A statement is heavy where the server refuses it with ALGORITHM=INPLACE, LOCK=NONE; it is a rebuild where the table has
another number afterwards.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.migration.cases import DATA, Case, judged, statements
from tests.migration.docker.server import HEAVY, Server, checked
from tierstack.migration.lexer import Engine

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
INSERT INTO goods (title, name, sku) VALUES ('a', 'b', '1'), ('c', 'd', '2'); INSERT INTO old_goods (id, name) VALUES (1, 'a'), (2, 'c');
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


TABLES = {
    "users": (),
    "orders": (),
    "lines_": ("orders",),
    "plain": (),
    "events": (),
    "recent": ("orders",),
    "goods": (),
    "old_goods": (),
}
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
