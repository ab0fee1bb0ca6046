"""What earlier statements make of a later one: constraints that come and go, transactions, settings, new columns."""

import pytest

from tests.migration.cases import said
from tests.migration.test_guard import MY, PG, everything, judged
from tierstack.core.diagnostics import Severity

CHECK = "ALTER TABLE o ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID;"
VALIDATE = "ALTER TABLE o VALIDATE CONSTRAINT c;"
DROP = "ALTER TABLE o DROP CONSTRAINT c;"
NOT_NULL = "ALTER TABLE o ALTER COLUMN a SET NOT NULL;"


@pytest.mark.parametrize(
    "sql",
    [
        CHECK + VALIDATE + DROP + NOT_NULL,
        CHECK + VALIDATE + DROP.replace("DROP CONSTRAINT", "DROP CONSTRAINT IF EXISTS") + NOT_NULL,
        CHECK + VALIDATE + "ALTER TABLE o RENAME CONSTRAINT c TO d;" + DROP.replace(" c;", " d;") + NOT_NULL,
        "ALTER TABLE o ADD CHECK (a IS NOT NULL) NOT VALID; ALTER TABLE o VALIDATE CONSTRAINT o_a_check;"
        "ALTER TABLE o DROP CONSTRAINT o_a_check;" + NOT_NULL,
        "ALTER TABLE o VALIDATE CONSTRAINT another;" + NOT_NULL,  # squawk#1033
        CHECK + VALIDATE + NOT_NULL.replace("COLUMN a", "COLUMN b"),
        CHECK + "BEGIN;" + VALIDATE + "ROLLBACK;" + NOT_NULL,
        "BEGIN;" + CHECK + "COMMIT; BEGIN;" + VALIDATE + "ROLLBACK;" + NOT_NULL,
        CHECK + VALIDATE + "ALTER TABLE o DROP COLUMN a; ALTER TABLE o ADD COLUMN a int;" + NOT_NULL,
        NOT_NULL + "ALTER TABLE o ALTER COLUMN a DROP NOT NULL;" + NOT_NULL,
        "ALTER TABLE o ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT ENFORCED;" + NOT_NULL,
    ],
)
def test_not_null_without_a_check_that_is_there_and_valid(sql: str) -> None:
    before = "CREATE TABLE o (a int, b int);"
    assert [one for one in said(judged(sql, before=before)) if one not in ("drop-column", "check")][-1:] == [
        "set-not-null"
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "BEGIN;" + CHECK + "COMMIT; BEGIN;" + VALIDATE + NOT_NULL + DROP + "COMMIT;",  # squawk#628
        CHECK + VALIDATE + NOT_NULL + DROP,
        CHECK + VALIDATE + DROP.replace(" c;", " other;") + NOT_NULL,
        CHECK + VALIDATE + "ALTER TABLE o RENAME CONSTRAINT c TO d;" + NOT_NULL,
        CHECK + VALIDATE + "ALTER TABLE o RENAME COLUMN a TO z; ALTER TABLE o ALTER COLUMN z SET NOT NULL;",
        "ALTER TABLE o ADD CHECK (a IS NOT NULL) NOT VALID; ALTER TABLE o VALIDATE CONSTRAINT o_a_check;" + NOT_NULL,
        "ALTER TABLE o ADD CONSTRAINT n NOT NULL a NOT VALID; ALTER TABLE o VALIDATE CONSTRAINT n;" + NOT_NULL,
    ],
)
def test_not_null_after_a_check_that_is_there_and_valid(sql: str) -> None:
    assert "set-not-null" not in said(judged(sql))


@pytest.mark.parametrize(
    "table",
    [
        "CREATE TABLE o (a int, CONSTRAINT c CHECK ((a IS NOT NULL)));",  # as pg_dump writes it
        "CREATE TABLE o (a int PRIMARY KEY);",
        "CREATE TABLE o (a int, PRIMARY KEY (a));",
        "CREATE TABLE o (a int); ALTER TABLE o ADD CONSTRAINT p PRIMARY KEY (a);",
        "CREATE TABLE o (a varchar(5) NOT NULL); ALTER TABLE o ALTER a TYPE varchar(9);",
    ],
)
def test_the_schema_says_that_a_column_holds_no_null(table: str) -> None:
    assert said(judged(NOT_NULL, before=table)) == []
    assert said(judged(NOT_NULL.replace(" a ", " b "), before=table)) == ["set-not-null"]


# --- New columns that nobody has filled.

ADDED = "ALTER TABLE o ADD COLUMN n int;"


@pytest.mark.parametrize("where", ["n IS NULL", "(n IS NULL)", "n IS NULL AND true", "n IS NULL OR n = 0", "1 = 1"])
def test_a_new_column_is_null_in_all_rows(where: str) -> None:
    update = f"UPDATE o SET n = 1 WHERE {where};"
    held = judged(f"SET lock_timeout = '1s'; BEGIN; {ADDED} {update} COMMIT;").findings
    free = judged(f"SET lock_timeout = '1s'; {ADDED} {update}").findings
    assert [(one.diagnostic.code, one.diagnostic.severity) for one in held] == [
        ("migration-update-all", Severity.ERROR)
    ]
    assert [one.diagnostic.severity for one in free] == [Severity.WARNING]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE o SET old = 1 WHERE old IS NULL;",
        f"{ADDED} UPDATE o SET n = 1 WHERE n IS NULL AND id BETWEEN 1 AND 10000;",
        f"{ADDED} UPDATE o SET n = 1 WHERE id < 10000; UPDATE o SET n = 1 WHERE n IS NULL;",
        f"{ADDED.replace('int;', 'int DEFAULT 5;')} UPDATE o SET n = 1 WHERE n IS NULL;",
        f"{ADDED} UPDATE other SET n = 1 WHERE n IS NULL;",
        f"{ADDED} UPDATE o SET n = 1 WHERE n IS NOT NULL;",
    ],
)
def test_an_update_of_some_rows(sql: str) -> None:
    assert said(judged(sql)) == []


def test_a_column_that_an_earlier_file_added_may_be_filled() -> None:
    update = "UPDATE o SET n = 1 WHERE n IS NULL;"
    assert said(judged(update, before=ADDED)) == []


# --- Defaults.


def test_a_default_that_the_migration_gave_itself() -> None:
    """As Django adds a column."""
    add = "ALTER TABLE o ADD COLUMN n int DEFAULT 1 NOT NULL;"
    drop = "ALTER TABLE o ALTER COLUMN n DROP DEFAULT;"
    assert said(judged(add + drop)) == ["drop-default"]
    assert said(judged(f"BEGIN; {add} {drop} COMMIT;")) == ["drop-default"]
    assert said(judged(add.replace(" NOT NULL", "") + drop)) == []


def test_a_default_that_comes_back_in_the_same_transaction() -> None:
    table = "CREATE TABLE o (a varchar(5) NOT NULL DEFAULT 'x');"
    drop, give = "ALTER TABLE o ALTER a DROP DEFAULT;", "ALTER TABLE o ALTER a SET DEFAULT 'y';"
    assert said(judged(f"BEGIN; {drop} {give} COMMIT;", before=table)) == []
    assert said(judged(f"{drop} {give}", before=table)) == ["drop-default"]
    assert said(judged(f"BEGIN; {drop} COMMIT; {give}", before=table)) == ["drop-default"]


def test_a_default_of_a_column_that_is_not_known() -> None:
    for sql, engine in (("ALTER TABLE o ALTER a DROP DEFAULT", PG), ("ALTER TABLE o ALTER a DROP DEFAULT", MY)):
        (finding,) = [one for one in judged(sql, engine).findings if one.steps]
        assert finding.diagnostic.severity is Severity.WARNING
    # as Laravel changes a column on PostgreSQL
    changed = 'alter table "o" alter column "a" drop not null, alter column "a" drop default, alter column "a" drop identity if exists'
    assert said(judged(changed, before="CREATE TABLE o (a text NOT NULL DEFAULT 'x');")) == []


def test_what_laravel_leaves_out_when_it_changes_a_column() -> None:
    """laravel/framework#52180: `->change()` without `->default()`."""
    table = "create table `products` (`price` double not null default '456') default character set utf8mb4 collate 'utf8mb4_unicode_ci'"
    verdict = judged("alter table `products` modify `price` double not null", MY, before=table)
    assert said(verdict) == ["drop-default"]
    assert "takes DEFAULT '456' from price of products" in verdict.findings[0].diagnostic.message
    assert said(judged("alter table `products` modify `price` double not null default '456'", MY, before=table)) == []


# --- Character sets.


def test_the_character_set_of_a_table_is_that_of_its_columns() -> None:
    modify = "ALTER TABLE g MODIFY a varchar(84) NULL;"
    for options in ("CHARSET=latin1", "DEFAULT CHARACTER SET = latin1", "COLLATE latin1_swedish_ci", "CHARSET=utf8"):
        table = f"CREATE TABLE g (a varchar(80) NULL) ENGINE=InnoDB {options} COMMENT='x';"
        assert said(judged(modify, MY, before=table)) == []
        # another default of the table is for columns that come later: MODIFY converts this one
        other = "ALTER TABLE g DEFAULT CHARSET=utf8mb4;"
        assert said(judged(other + modify, MY, before=table)) == ["type-change"]
        converted = "ALTER TABLE g CONVERT TO CHARACTER SET utf8mb4;"
        assert said(judged(modify, MY, before=table + converted)) == []


def test_one_spelling_of_a_character_set_is_another() -> None:
    table = "CREATE TABLE g (a varchar(9) CHARACTER SET utf8 COLLATE utf8_bin NULL);"
    same = "ALTER TABLE g MODIFY a varchar(9) CHARACTER SET utf8mb3 COLLATE 'utf8mb3_bin' NULL;"
    assert said(judged(same, MY, before=table)) == []


def test_gh_ost_keeps_one_of_the_rows_that_become_equal() -> None:
    """github/gh-ost#1526: it copies with INSERT IGNORE."""
    table = "CREATE TABLE g (a varchar(9) NOT NULL, b varchar(9) NULL, UNIQUE KEY k (a)) CHARSET=utf8mb4 COLLATE utf8mb4_bin;"
    for column, told in (("a varchar(9) COLLATE utf8mb4_general_ci NOT NULL", True), ("b varchar(9) COLLATE utf8mb4_general_ci NULL", False)):  # fmt: skip
        (finding,) = judged(f"ALTER TABLE g MODIFY {column}", MY, before=table).findings
        assert any("loses the others" in step for step in finding.steps) is told


# --- Values of enumerations.

VALUE = "ALTER TYPE mood ADD VALUE 'happy';"


@pytest.mark.parametrize(
    ("sql", "rules"),
    [
        (f"BEGIN; {VALUE} INSERT INTO o (m) VALUES ('happy'); COMMIT;", ["in-transaction"]),
        (f"BEGIN; {VALUE} UPDATE o SET m = 'happy' WHERE id = 1; COMMIT;", ["in-transaction"]),
        (f"BEGIN; {VALUE} ALTER TABLE o ALTER m SET DEFAULT 'happy'; COMMIT;", ["in-transaction"]),
        (f"BEGIN; {VALUE} COMMIT; INSERT INTO o (m) VALUES ('happy');", []),
        (f"{VALUE} INSERT INTO o (m) VALUES ('happy');", []),
        (f"BEGIN; {VALUE} INSERT INTO o (m) VALUES ('sad'); COMMIT;", []),
        (f"BEGIN; CREATE TYPE mood AS ENUM ('sad'); {VALUE} INSERT INTO o (m) VALUES ('happy'); COMMIT;", []),
        (f"BEGIN; {VALUE} COMMENT ON TYPE mood IS 'happy'; COMMIT;", []),
    ],
)
def test_a_value_is_used_after_the_transaction_that_added_it(sql: str, rules: list[str]) -> None:
    assert said(judged(sql)) == rules


# --- lock_timeout.

ALTER = "ALTER TABLE a ADD COLUMN b int;"


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        (f"SET lock_timeout = '2s'; {ALTER}", False),
        (f"SET lock_timeout TO 2000; {ALTER}", False),
        (f"SET SESSION lock_timeout = '10s'; {ALTER}", False),
        (f"SELECT set_config('lock_timeout', '2s', false); {ALTER}", False),
        (f"BEGIN; SET LOCAL lock_timeout = '2s'; {ALTER} COMMIT;", False),
        (f"BEGIN; SELECT set_config('lock_timeout', '2s', true); {ALTER} COMMIT;", False),
        (f"BEGIN; SET lock_timeout = '2s'; COMMIT; {ALTER}", False),
        (f"SET lock_timeout = '2s'; RESET statement_timeout; {ALTER}", False),
        (f"SET lock_timeout = '2s'; RESET lock_timeout; {ALTER}", True),
        (f"SET lock_timeout = '2s'; RESET ALL; {ALTER}", True),
        (f"SET lock_timeout = '2s'; DISCARD ALL; {ALTER}", True),
        (f"SET lock_timeout = '2s'; SET lock_timeout TO DEFAULT; {ALTER}", True),
        (f"SET lock_timeout = '2s'; SET lock_timeout = 0; {ALTER}", True),
        (f"SET lock_timeout = '1h'; {ALTER}", True),
        (f"SET lock_timeout = 600000; {ALTER}", True),
        (f"SET LOCAL lock_timeout = '2s'; {ALTER}", True),
        (f"BEGIN; SET LOCAL lock_timeout = '2s'; COMMIT; {ALTER}", True),
        (f"BEGIN; SET lock_timeout = '2s'; ROLLBACK; {ALTER}", True),
        (f"BEGIN; SELECT set_config('lock_timeout', '2s', true); COMMIT; {ALTER}", True),
        (f"{ALTER} SET lock_timeout = '2s';", True),
        (f"ALTER ROLE app SET lock_timeout = '2s'; {ALTER}", True),  # of sessions that begin later
    ],
)
def test_a_lock_timeout_that_holds_where_the_lock_is_asked_for(sql: str, told: bool) -> None:
    assert ("lock-timeout" in everything(judged(sql))) is told


def test_a_lock_timeout_that_is_too_long_is_named() -> None:
    (finding,) = judged(f"SET lock_timeout = '5min'; {ALTER}").findings
    assert "waits for a up to lock_timeout = '5min'" in finding.diagnostic.message


def test_the_advice_comes_once_a_run_also_where_it_is_allowed() -> None:
    verdict = judged(ALTER * 5, allow={"lock-timeout": "the login has one"})
    assert len(verdict.allowed) == 1
    assert verdict.findings == []
    assert len(judged(ALTER * 5).findings) == 1


# --- Indexes that a build may have left behind.


def test_an_index_that_is_dropped_first_is_no_old_one() -> None:
    create = "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON o (a);"
    assert said(judged(create)) == ["invalid-index"]  # nightscout/nocturne#1156, #1170
    assert said(judged(f"DROP INDEX CONCURRENTLY IF EXISTS i; {create}")) == []
    assert said(judged(f"DROP INDEX CONCURRENTLY IF EXISTS other; {create}")) == ["invalid-index"]
    assert said(judged(f"CREATE TABLE o (a int); {create}")) == []
    assert said(judged("CREATE INDEX CONCURRENTLY i ON o (a);")) == []


def test_an_index_of_a_table_with_partitions_is_built_on_each_of_them() -> None:
    """https://www.postgresql.org/docs/17/ddl-partitioning.html: ON ONLY, each partition, ATTACH PARTITION."""
    sql = "CREATE INDEX i ON ONLY p (a); CREATE INDEX CONCURRENTLY i1 ON p1 (a); ALTER INDEX i ATTACH PARTITION i1;"
    tables = "CREATE TABLE p (a int) PARTITION BY RANGE (a); CREATE TABLE p1 PARTITION OF p DEFAULT;"
    assert said(judged(sql, before=tables)) == []
    assert said(judged(sql)) == []
    (finding,) = [one for one in judged("CREATE INDEX i ON p (a);", before=tables).findings if one.steps]
    assert finding.steps[0] == "CREATE INDEX i ON ONLY p (a);"


# --- MySQL: what one MODIFY says at once.


def test_another_type_and_not_null_are_both_told() -> None:
    table = "CREATE TABLE o (a int NULL, b varchar(9) NULL);"
    assert said(judged("ALTER TABLE o MODIFY a bigint NOT NULL", MY, before=table)) == ["set-not-null", "type-change"]
    assert said(judged("ALTER TABLE o MODIFY b varchar(20) NOT NULL", MY, before=table)) == ["set-not-null"]
