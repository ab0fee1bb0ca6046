"""`tierstack migration check`, as it is typed."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tierstack.cli.app import command
from tierstack.engine.project import UsageError


def check(*arguments: str | Path, stdin: str | None = None) -> Result:
    return CliRunner().invoke(command, ["migration", "check", *map(str, arguments)], input=stdin)


def refused(*arguments: str | Path, stdin: str | None = None) -> str:
    found = check(*arguments, stdin=stdin)
    assert isinstance(found.exception, UsageError)
    return str(found.exception)


def test_what_is_destructive_ends_with_1_and_says_what_to_do() -> None:
    found = check("-", stdin="-- first\nALTER TABLE `orders` DROP `note`;\n")
    assert found.exit_code == 1
    lines = found.output.splitlines()
    assert lines[0].startswith("error    standard input:2: drops column note of orders")
    assert lines[0].endswith("[migration-drop-column, PostgreSQL: ALTER TABLE, Notes]")
    assert lines[1] == "         SQL  ALTER TABLE `orders` DROP `note`"
    assert "next release: ALTER TABLE orders DROP COLUMN note;" in found.output
    assert lines[-1] == "1 statement for mysql: 1 error"


def test_what_is_harmless_ends_with_0(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text('SET lock_timeout = \'2s\';\nALTER TABLE "orders" ADD COLUMN "note" text;\n')
    found = check(tmp_path / "a.sql")
    assert found.exit_code == 0
    assert found.output == "2 statements for postgresql: nothing to refuse\n"


def test_what_is_not_judged_is_not_green() -> None:
    found = check("-", "--engine", "postgresql", stdin="FROBNICATE orders;")
    assert found.exit_code == 1
    assert found.output.endswith("1 statement for postgresql: 1 error, 1 not judged\n")


def test_for_machines() -> None:
    sql = "ALTER TABLE a DROP COLUMN b; DROP TABLE c; DO $$ $$;"
    found = check("-", "--json", "--allow", "drop-object@c=unused", stdin=sql)
    said = json.loads(found.output)
    assert found.exit_code == 1
    assert (said["ok"], said["engine"], said["statements"], said["not_judged"]) == (False, "postgresql", 3, 1)
    first = said["diagnostics"][0]
    assert (first["code"], first["subject"], first["line"]) == ("migration-drop-column", "a.b", 1)
    assert first["statement"] == "ALTER TABLE a DROP COLUMN b"
    assert len(first["steps"]) == 3
    assert [(one["subject"], one["reason"]) for one in said["ignored"]] == [("c", "unused")]


def test_who_reads_json_gets_it_where_there_is_nothing_to_judge() -> None:
    found = check("-", "--json", stdin="")
    assert json.loads(found.output)["ok"] is False


def test_what_is_allowed_is_told_with_its_reason() -> None:
    found = check("-", "--engine", "mysql", "--allow", "drop-column@a.b=unused since 2.3", stdin="ALTER TABLE a DROP b")
    assert found.exit_code == 0
    assert "allowed  standard input:1: drop-column a.b, because unused since 2.3" in found.output
    assert found.output.endswith("1 statement for mysql: 1 allowed\n")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "001_orders.sql").write_text('CREATE TABLE "orders" (id bigint, email varchar(50), note text);')
    (folder / "002_email.sql").write_text('ALTER TABLE "orders" ALTER COLUMN email TYPE varchar(100);')
    (folder / "002_email.down.sql").write_text('DROP TABLE "orders";')
    (folder / "003_note.sql").write_text("ALTER TABLE orders DROP COLUMN note;")
    return folder


def test_a_directory_is_judged_file_by_file(directory: Path) -> None:
    found = check(directory)
    assert "002_email.sql:1: changes the type of email of orders from varchar(50)" not in found.output
    assert "003_note.sql:1: drops column note of orders" in found.output
    assert "002_email.down.sql" in found.output.splitlines()[-2]


def test_what_has_run_tells_the_tables(directory: Path) -> None:
    for after in ("001_orders.sql", "001_orders", "001"):
        found = check(directory, "--after", after)
        assert found.output.splitlines()[-1] == "2 statements for postgresql: 1 error"
    assert "did you mean `001_orders.sql`?" in refused(directory, "--after", "001_order.sql")
    assert "3 files begin so" in refused(directory, "--after", "00")


def test_a_directory_of_which_every_file_has_run_is_green(directory: Path) -> None:
    found = check(directory, "--after", "003")
    assert (found.exit_code, found.output.splitlines()[-1]) == (0, "0 statements for postgresql: nothing to refuse")


def test_the_schema_tells_the_types(tmp_path: Path) -> None:
    (tmp_path / "schema.sql").write_text("CREATE TABLE public.orders (email character varying(50));")
    sql = "ALTER TABLE orders ALTER COLUMN email TYPE varchar(100);"
    assert check("-", stdin=sql).exit_code == 1
    assert check("-", "--schema", tmp_path / "schema.sql", stdin=sql).exit_code == 0


def test_sizes(tmp_path: Path) -> None:
    (tmp_path / "sizes").write_text("public.orders|2000\nusers\t-1\n\ncarts 5\nrecent\tNULL\n")
    sql = 'CREATE INDEX a ON "orders" (b);'
    assert check("-", stdin=sql).exit_code == 1
    assert check("-", "--rows", "orders=2000", stdin=sql).exit_code == 0
    assert check("-", "--rows", "orders=2_000_000", stdin=sql).exit_code == 1
    assert check("-", "--sizes", tmp_path / "sizes", stdin=sql).exit_code == 0
    assert check("-", "--rows", "orders=2000", "--large", "1000", stdin=sql).exit_code == 1
    assert "write orders=2000000" in refused("-", "--rows", "orders", stdin=sql)
    assert "write orders=2000000" in refused("-", "--rows", "orders=many", stdin=sql)


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        ((), "", "no migrations to judge: name SQL files or a directory"),
        (("nothing.sql",), "", "nothing.sql cannot be read: No such file or directory"),
        (("-",), "ALTER TABLE a ADD b int", "say --engine postgresql or --engine mysql"),
        (("-", "--engine", "mysql"), "", "standard input: no statement to judge"),
        (("-", "--engine", "mysql"), "-- nothing\n", "standard input: no statement to judge"),
        (("-", "--after", "1"), "SELECT 1", "--after goes with one directory"),
    ],
)
def test_usage_errors(arguments: tuple[str, ...], stdin: str, message: str) -> None:
    assert message in refused(*arguments, stdin=stdin)


def test_php_is_not_sql(tmp_path: Path) -> None:
    (tmp_path / "2026_01_01_000000_a.php").write_text("<?php")
    assert "php artisan migrate --pretend --force | tierstack migration check -" in refused(tmp_path)
    assert "php artisan migrate --pretend" in refused(tmp_path / "2026_01_01_000000_a.php")


def test_octets_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_bytes(b"\xff\xfe")
    assert "is not text in UTF-8" in refused(tmp_path / "a.sql")


@pytest.mark.parametrize("engine", [(), ("--engine", "mysql")])
@pytest.mark.parametrize(
    "text", ["   INFO  Nothing to migrate.  \n", "Nothing to migrate.\n", "[OK] No migrations to execute.\n"]
)
def test_nothing_to_migrate_is_green(text: str, engine: tuple[str, ...]) -> None:
    found = check("-", *engine, stdin=text)
    assert found.exit_code == 0
    assert found.output == f"0 statements{' for mysql' if engine else ''}: nothing to refuse\n"
    assert json.loads(check("-", *engine, "--json", stdin=text).output)["engine"] == (engine[1] if engine else None)


def test_all_wrong_options_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "sizes").write_text("orders 5\n\nusers many\ncarts\n")
    options = (
        "--rows",
        "orders",
        "--rows",
        "users=x",
        "--sizes",
        tmp_path / "sizes",
        "--after",
        "1",
        "--allow",
        "drop=x",
    )
    text = refused("-", "nothing.sql", "--schema", tmp_path / "away.sql", *options, stdin="SELECT 1")
    assert text.splitlines() == [
        "--after goes with one directory of SQL files",
        "nothing.sql cannot be read: No such file or directory",
        f"{tmp_path}/away.sql cannot be read: No such file or directory",
        "--rows: `orders` is no table and its rows; write orders=2000000",
        "--rows: `users x` is no table and its rows; write orders=2000000",
        f"--sizes {tmp_path}/sizes:3: `users many` is no table and its rows; write orders 2000000",
        f"--sizes {tmp_path}/sizes:4: `carts` is no table and its rows; write orders 2000000",
        text.splitlines()[-1],
    ]
    assert "`drop` is no rule that can be allowed" in text.splitlines()[-1]
    found = check("-", "--json", "--rows", "a", "--rows", "b", stdin="SELECT 1")
    assert len(json.loads(found.output)["messages"]) == 2


def test_laravel_asks_in_production() -> None:
    asked = "   ALERT  Application In Production.\n\n   WARN  Command cancelled.\n"
    assert "write `php artisan migrate --pretend --force`" in refused("-", stdin=asked)


def test_small_tables_are_told_what_breaks_the_release(tmp_path: Path) -> None:
    """docs/migrations.md, What makes a table large."""
    (tmp_path / "schema.sql").write_text("CREATE TABLE orders (id integer, note text, code varchar(20));")
    known = ("--schema", tmp_path / "schema.sql", "--engine", "postgresql")
    small, large = ("--rows", "orders=500"), ("--rows", "orders=5000000")
    wider = "ALTER TABLE orders ALTER id TYPE bigint"
    other = "ALTER TABLE orders ALTER id TYPE text"
    not_null = "ALTER TABLE orders ALTER note SET NOT NULL"
    assert check("-", *known, *small, stdin=wider).exit_code == 0
    assert "nobody reads or writes it" in check("-", *known, *large, stdin=wider).output
    for sql in (other, not_null):
        told = check("-", *known, *small, stdin=sql)
        assert told.exit_code == 1
        assert "the release that still runs" in told.output
        assert "nobody reads or writes" not in told.output
        assert "nobody reads or writes" in check("-", *known, *large, stdin=sql).output
