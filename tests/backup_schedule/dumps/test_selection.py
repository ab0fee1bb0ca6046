"""What of a dump is restored: everything, or the rows of some tables."""

import pytest

from tests.backup_schedule.dumps.test_dumping import LIST, SQL
from tierstack.backup_schedule.dumps import mysql, postgresql

pytestmark = pytest.mark.pure


def test_everything_where_no_tables_are_chosen() -> None:
    assert postgresql.selection(LIST, None) == LIST
    assert postgresql.contents(LIST) == ["audit.log", "items", "orders"]


def test_all_definitions_and_the_rows_of_the_chosen() -> None:
    """`pg_restore --table` leaves out indexes, constraints and sequences; and foreign keys to absent rows fail."""
    kept = postgresql.selection(LIST, ["orders", "audit.log"]).splitlines()
    assert [one.split(" ", 3)[3] for one in kept if one[0] != ";"] == [
        "TABLE public orders app",
        "TABLE public items app",
        "TABLE DATA public orders app",
        "TABLE DATA audit log app",
    ]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("3451; 0 16389 TABLE DATA public my table app", ("TABLE DATA", "public my table")),
        ("3451; 0 16389 MATERIALIZED VIEW DATA public sums app", ("MATERIALIZED VIEW DATA", "public sums")),
        ("3460; 2606 16400 FK CONSTRAINT public items key app", ("FK CONSTRAINT", "public items key")),
        ("215; 1259 16389 TABLE public orders app", ("other", "")),
        ("; comment", ("", "")),
    ],
)
def test_entries(line: str, kind: tuple[str, str]) -> None:
    assert postgresql.kind_of(line) == kind


def test_the_statements_of_some_tables() -> None:
    kept = b"".join(mysql.selected(SQL.encode().splitlines(keepends=True), {"it`ems"})).decode()
    assert "CREATE TABLE `it``ems`" in kept
    assert "INSERT INTO `it``ems`" in kept
    assert "orders" not in kept
    assert "PROCEDURE" not in kept
    assert kept.startswith("-- MySQL dump")
    assert kept.endswith("SET TIME_ZONE=@OLD_TIME_ZONE */;\n-- Dump completed\n")
    both = b"".join(mysql.selected(SQL.encode().splitlines(keepends=True), {"it`ems", "orders"})).decode()
    assert both.count("INSERT INTO") == 2
