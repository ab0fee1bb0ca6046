"""What the guard makes of several statements: what is new, transactions, what is allowed, sizes, and where text comes from."""

import pytest

from tests.migration.cases import said
from tierstack.core.diagnostics import Severity
from tierstack.migration import guard, sources
from tierstack.migration.guard import Verdict
from tierstack.migration.lexer import Engine, statements

PG, MY = Engine.POSTGRESQL, Engine.MYSQL


def judged(text: str, engine: Engine = PG, before: str = "", **options: object) -> Verdict:
    found = sources.read(text, engine, "x.sql").statements
    return guard.judge(found, engine, before=sources.read(before, engine, "before.sql").statements, **options)  # type: ignore[arg-type]


def everything(verdict: Verdict) -> set[str]:
    codes = {one.diagnostic.code for one in verdict.findings} | {one.code for one in verdict.problems}
    return {code.removeprefix("migration-") for code in codes}


# --- What is new.

NEW = """
CREATE TABLE carts (id bigint, user_id bigint, note text);
CREATE INDEX carts_user ON carts (user_id);
ALTER TABLE carts ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES users (id);
ALTER TABLE carts ALTER COLUMN note SET NOT NULL;
ALTER TABLE carts DROP COLUMN note;
DROP TABLE carts;
"""


def test_a_table_that_the_same_migrations_make_is_empty_and_unknown_to_every_release() -> None:
    assert everything(judged(NEW)) == set()


def test_a_table_that_was_made_before_is_not_new() -> None:
    assert "drop-column" in everything(
        judged("ALTER TABLE carts DROP COLUMN note;", before=NEW.partition("DROP TABLE")[0])
    )
    # dropped, so that it is the old one again
    assert said(judged("CREATE TABLE a (b int); DROP TABLE a; ALTER TABLE a DROP COLUMN b;")) == ["drop-column"]


def test_a_file_of_a_directory_may_have_run_long_ago() -> None:
    made = statements("CREATE TABLE a (b int);", PG, "1.sql") + statements("ALTER TABLE a DROP COLUMN b;", PG, "2.sql")
    assert said(guard.judge(made, PG)) == []
    assert said(guard.judge(made, PG, by_file=True)) == ["drop-column"]


def test_a_new_name_is_not_a_new_table() -> None:
    assert said(judged("ALTER TABLE a RENAME TO b; ALTER TABLE b DROP COLUMN c;")) == ["drop-column", "rename"]
    assert said(judged("RENAME TABLE a TO b; ALTER TABLE b DROP COLUMN c;", MY)) == ["drop-column", "rename"]


# --- Sizes.


@pytest.mark.parametrize(
    ("sql", "engine"),
    [
        ("CREATE INDEX i ON orders (email)", PG),
        ("ALTER TABLE orders ADD CHECK (total > 0)", PG),
        ("ALTER TABLE orders ADD COLUMN token uuid DEFAULT gen_random_uuid()", PG),
        ("UPDATE orders SET a = 1", PG),
        ("ALTER TABLE orders ADD FULLTEXT (note)", MY),
        ("ALTER TABLE orders ENGINE=InnoDB", MY),
    ],
)
def test_what_depends_on_the_rows_is_said_of_large_tables_alone(sql: str, engine: Engine) -> None:
    assert said(judged(sql, engine, rows={"orders": 99_999})) == []
    assert said(judged(sql, engine, rows={"public.ORDERS": 100_000})) != []
    assert said(judged(sql, engine, rows={"carts": 5})) != []
    assert said(judged(sql, engine, rows={"orders": 500}, large=500)) != []


def test_what_breaks_a_release_does_not_depend_on_rows() -> None:
    assert said(judged("ALTER TABLE orders DROP COLUMN note", rows={"orders": 0})) == ["drop-column"]


# --- Transactions.


@pytest.mark.parametrize(
    ("sql", "rules"),
    [
        ("BEGIN; CREATE INDEX CONCURRENTLY i ON orders (a); COMMIT;", {"in-transaction"}),
        ("BEGIN; COMMIT; CREATE INDEX CONCURRENTLY i ON orders (a);", set()),
        ("BEGIN; ROLLBACK TO SAVEPOINT a; DROP INDEX CONCURRENTLY i; COMMIT;", {"in-transaction"}),
        ("BEGIN; VACUUM; COMMIT;", {"in-transaction"}),
        (
            "SET lock_timeout='1s'; BEGIN; ALTER TABLE o ADD CONSTRAINT c CHECK (a > 0) NOT VALID; ALTER TABLE o VALIDATE CONSTRAINT c; COMMIT;",
            {"in-transaction"},
        ),
        (
            "SET lock_timeout='1s'; ALTER TABLE o ADD CONSTRAINT c CHECK (a > 0) NOT VALID; ALTER TABLE o VALIDATE CONSTRAINT c;",
            set(),
        ),
    ],
)
def test_what_runs_in_a_transaction(sql: str, rules: set[str]) -> None:
    assert everything(judged(sql)) == rules


def test_an_update_under_a_lock_that_is_held_is_an_error() -> None:
    held = judged("SET lock_timeout='1s'; BEGIN; ALTER TABLE o ADD COLUMN a int; UPDATE o SET a = 1; COMMIT;")
    free = judged("SET lock_timeout='1s'; ALTER TABLE o ADD COLUMN a int; UPDATE o SET a = 1;")
    assert [one.diagnostic.severity for one in (*held.findings, *free.findings)] == [Severity.ERROR, Severity.WARNING]


def test_not_null_after_a_validated_check() -> None:
    check = "ALTER TABLE o ADD CONSTRAINT c CHECK ((a IS NOT NULL)) NOT VALID;"
    validated = "ALTER TABLE o VALIDATE CONSTRAINT c;"
    not_null = "ALTER TABLE o ALTER COLUMN a SET NOT NULL;"
    assert said(judged(check + validated + not_null)) == []
    assert said(judged(not_null, before=check + validated)) == []
    assert said(judged(check + not_null)) == ["set-not-null"]
    assert said(judged(not_null, before="CREATE TABLE o (a int NOT NULL);")) == []


def test_foreign_key_checks_that_are_off() -> None:
    key = "ALTER TABLE o ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id);"
    assert said(judged(f"SET SESSION foreign_key_checks=0; {key}", MY)) == []
    assert said(judged(f"SET foreign_key_checks=0; SET foreign_key_checks=1; {key}", MY)) == ["foreign-key"]


def test_the_advice_on_lock_timeout_comes_once_and_not_where_there_is_one() -> None:
    two = "ALTER TABLE a ADD COLUMN b int; ALTER TABLE a ADD COLUMN c int;"
    assert [one.diagnostic.code for one in judged(two).findings] == ["migration-lock-timeout"]
    assert judged(f"SET lock_timeout = '2s'; {two}").findings == []
    assert judged(f"SET lock_timeout = 0; {two}").findings != []
    assert judged(two).ok


# --- What is allowed.


def test_a_comment_with_a_reason_allows_what_one_rule_says_of_the_next_statement() -> None:
    verdict = judged("""
        -- tierstack: allow drop-column because no release since 2.3 reads it
        ALTER TABLE orders DROP COLUMN note;
        ALTER TABLE orders DROP COLUMN channel;
    """)
    assert [one.subject for one in verdict.findings if one.diagnostic.code == "migration-drop-column"] == [
        "orders.channel"
    ]
    assert [(one.subject, one.reason) for one in verdict.allowed] == [("orders.note", "no release since 2.3 reads it")]
    assert not verdict.ok


@pytest.mark.parametrize(
    "comment",
    [
        "/* tierstack: allow drop-column because unused */",
        "-- TIERSTACK: allow migration-drop-column BECAUSE unused",
        "-- tierstack: allow drop-column, lock-timeout because unused",
        "-- first\n-- tierstack: allow drop-column because unused\n-- last",
    ],
)
def test_forms_of_a_comment(comment: str) -> None:
    assert judged(f"{comment}\nALTER TABLE orders DROP COLUMN note;").ok
    assert judged(f"ALTER TABLE orders {comment}\n DROP COLUMN note;").ok


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("-- tierstack: allow drop-column", "names no rule with a reason"),
        ("-- tierstack: allow drop-column because", "names no rule with a reason"),
        ("-- tierstack: ignore drop-column because unused", "names no rule with a reason"),
        ("-- tierstack: allow drop-colum because unused", "is no rule that can be allowed"),
        ("-- tierstack: allow everything because unused", "is no rule that can be allowed"),
    ],
)
def test_a_comment_that_allows_nothing_is_an_error(comment: str, message: str) -> None:
    verdict = judged(f"{comment}\nALTER TABLE orders DROP COLUMN note;")
    assert message in verdict.problems[0].message
    assert "drop-column" in everything(verdict)


def test_a_comment_that_is_not_needed_is_a_warning() -> None:
    verdict = judged("-- tierstack: allow drop-column because unused\nSELECT 1;")
    assert verdict.ok
    assert everything(verdict) == {"allowance-unused"}


def test_what_an_option_allows() -> None:
    sql = "ALTER TABLE orders DROP COLUMN note; ALTER TABLE orders DROP COLUMN channel;"
    assert judged(sql, allow={"drop-column@orders": "both unused"}).ok
    assert judged(sql, allow={"migration-drop-column": "both unused"}).ok
    assert len(judged(sql, allow={"drop-column@orders.note": "unused"}).allowed) == 1
    assert not judged(sql, allow={"drop-column@orders.note": "unused"}).ok
    assert not judged(sql, allow={"drop-column@orders": ""}).ok
    assert not judged(sql, allow={"drop-table@orders": "x"}).ok
    assert everything(judged("SELECT 1", allow={"drop-column@x": "y"})) == {"allowance-unused"}
    assert not judged(sql, allow={"drop-column@order": "not the beginning of a name"}).ok


@pytest.mark.parametrize("allowed", ["orders", "public.orders", "ORDERS", "Public.orders.note", "orders.note"])
@pytest.mark.parametrize("table", ["orders", "public.orders", '"public"."orders"'])
def test_an_allowance_names_a_table_with_or_without_its_schema(allowed: str, table: str) -> None:
    sql = f"SET lock_timeout = '1s'; ALTER TABLE {table} DROP COLUMN note;"
    assert everything(judged(sql, allow={f"drop-column@{allowed}": "unused"})) == set()
    assert not judged(sql, allow={f"drop-column@archive.{allowed}": "another schema"}).ok
    assert not judged(sql.replace(table, "archive.orders"), allow={f"drop-column@{allowed}": "unused"}).ok


# --- Where text comes from.

LARAVEL_11 = """
   INFO  Running migrations.

  2026_01_01_000000_add_note ............................................................
  ⇂ alter table "orders" add column "note" varchar(255) null
  ⇂ update "orders" set "note" = 'DROP TABLE x; ...' where "id" = 1

  2026_01_02_000000_create_carts ........................................................
  \x1b[33m⇂\x1b[39m create table "carts" ("id" bigserial not null primary key)
  ⇂ create index "carts_id_index" on "carts" ("id")
  ⇂ alter table "orders"
    drop column "channel"
"""
LARAVEL_8 = """\
CreateCartsTable: create table "carts" ("id" bigserial not null primary key)
App\\Migrations\\DropNote: alter table "orders" drop column "note"
2026_01_01_000000_add_x: alter table "orders"
  add column "x" text null
"""
PHINX = """\
Phinx by CakePHP - https://phinx.org.

using environment development
using adapter mysql
dry-run mode enabled

 == 20260101000000 AddNote: migrating
ALTER TABLE `orders` ADD `note` VARCHAR(255) NULL
ALTER TABLE `orders` DROP COLUMN `channel`
 == 20260101000000 AddNote: migrated 0.0034s

All Done. Took 0.0100s
"""
DOCTRINE = """\
[notice] Migrating (dry-run) up to DoctrineMigrations\\Version20260101000000
[info] ++ migrating DoctrineMigrations\\Version20260101000000
[debug] ALTER TABLE orders DROP note
[info] Migration DoctrineMigrations\\Version20260101000000 migrated (took 4.5ms, used 20M memory)
"""


def test_laravel_from_9_on() -> None:
    source = sources.read(LARAVEL_11, PG, "-")
    assert [(one.group, one.line) for one in source.statements] == [
        ("2026_01_01_000000_add_note", 5),
        ("2026_01_01_000000_add_note", 6),
        ("2026_01_02_000000_create_carts", 9),
        ("2026_01_02_000000_create_carts", 10),
        ("2026_01_02_000000_create_carts", 11),
    ]
    assert said(judged(LARAVEL_11)) == ["drop-column"]


def test_laravel_up_to_8() -> None:
    assert [one.group for one in sources.read(LARAVEL_8, PG, "-").statements] == [
        "CreateCartsTable",
        "App\\Migrations\\DropNote",
        "2026_01_01_000000_add_x",
    ]
    assert said(judged(LARAVEL_8)) == ["drop-column"]


def test_laravel_runs_a_migration_in_a_transaction_on_postgresql() -> None:
    sql = 'A: create index concurrently "i" on "orders" ("a")\n'
    assert [(one.diagnostic.code, one.diagnostic.severity) for one in judged(sql).findings] == [
        ("migration-in-transaction", Severity.WARNING)
    ]


@pytest.mark.parametrize(
    "line",
    [
        "  ⇂ -- a note ALTER TABLE orders DROP COLUMN note  ",
        "  ERROR  [x] failed to dump queries. This may be due to changing database columns using Doctrine.  ",
        "PHP Fatal error: Allowed memory size of 1 bytes exhausted",
    ],
)
def test_what_hides_a_statement_is_not_judged(line: str) -> None:
    assert said(judged(f"   INFO  Running migrations.  \n\n{line}\n")) == ["not-judged"]


def test_nothing_to_migrate() -> None:
    for text in ("   INFO  Nothing to migrate.  \n", "Nothing to migrate.\n", "[OK] No migrations to execute.\n"):
        source = sources.read(text, PG, "-")
        assert source.nothing
        assert source.statements == []


def test_phinx_and_doctrine() -> None:
    assert said(judged(PHINX, MY)) == ["drop-column"]
    assert len(sources.read(PHINX, MY, "-").statements) == 2
    assert said(judged(DOCTRINE, MY)) == ["drop-column"]
    assert len(sources.read(DOCTRINE, MY, "-").statements) == 1


@pytest.mark.parametrize("mark", ["-- +goose Down", "-- migrate:down", "-- Down Migration"])
def test_what_goes_back_is_left_out_and_told(mark: str) -> None:
    up = {"-- +goose Down": "-- +goose Up", "-- migrate:down": "-- migrate:up"}.get(mark, "-- Up Migration")
    source = sources.read(f"{up}\nCREATE TABLE a (b int);\n{mark}\nDROP TABLE a;\n", PG, "x.sql")
    assert len(source.statements) == 1
    assert source.left_out == [f"x.sql:3, `{mark}`"]
    assert len(sources.read(f"{mark}\nDROP TABLE a;", PG, "x.sql").statements) == 1  # no part that goes up: judged


def test_statements_end_where_a_client_of_mysql_ends_them() -> None:
    text = "DELIMITER //\nCREATE PROCEDURE p() BEGIN DELETE FROM a; END//\nDROP TABLE b//\nDELIMITER ;\nDROP TABLE c;"
    found = statements(text, MY, "x")
    assert [(one.text.split()[0], one.line) for one in found] == [("CREATE", 2), ("DROP", 3), ("DROP", 5)]


def test_data_of_a_copy_is_no_statement() -> None:
    text = "COPY a (b) FROM stdin;\nDROP TABLE a;\n\\.\nSELECT 1;\n"
    assert [one.text for one in statements(text, PG, "x")] == ["COPY a (b) FROM stdin", "SELECT 1"]


@pytest.mark.parametrize(
    ("text", "engine"),
    [
        ("ALTER TABLE `a` ADD b int", MY),
        ("ALTER TABLE a MODIFY b int", MY),
        ('alter table "a" add column "b" int', PG),
        ("ALTER TABLE a ALTER COLUMN b SET NOT NULL", PG),
        ("CREATE INDEX CONCURRENTLY i ON a (b)", PG),
        ("ALTER TABLE a ADD b int", None),
        ("ALTER TABLE `a` ADD b jsonb", None),
    ],
)
def test_the_engine_by_how_the_sql_is_written(text: str, engine: Engine | None) -> None:
    assert sources.engine_of([text]) is engine


def test_the_steps_have_the_names_of_the_statement() -> None:
    (finding,) = [one for one in judged('ALTER TABLE "order" RENAME COLUMN "Old" TO new').findings if one.steps]
    assert finding.steps[0].startswith('this release: ALTER TABLE "order" ADD COLUMN new')
    assert 'SET new = "Old"' in finding.steps[1]
