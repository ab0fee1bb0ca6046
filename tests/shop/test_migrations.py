"""Migrations only expand, and each is applied once, also when two start together."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.shop.stand import Site, Stand

MIGRATIONS = Path(__file__).resolve().parents[2] / "examples" / "shop" / "migrations"
CONTRACTS = re.compile(
    r"\b(DROP\s+(TABLE|COLUMN|INDEX|CONSTRAINT)|RENAME|ALTER\s+COLUMN\s+\w+\s+(SET\s+DATA\s+)?TYPE)\b", re.I
)


@pytest.mark.pure
@pytest.mark.parametrize("path", sorted(MIGRATIONS.glob("*.sql")), ids=lambda path: path.name)
def test_a_migration_only_expands(path: Path) -> None:
    text = path.read_text()
    assert not CONTRACTS.search(text), "the previous version of the code could not run beside this"
    if text.startswith("-- no-transaction"):
        assert re.sub(r"--.*", "", text).count(";") == 1, "without a transaction there can only be one statement"


@pytest.mark.docker
def test_not_ready_before_migrations(unmigrated: dict[str, dict]) -> None:
    assert unmigrated["status"] == 503
    assert unmigrated["checks"]["database"]["status"] == "ok"
    assert "001_orders" in unmigrated["checks"]["migrations"]["error"]


@pytest.mark.docker
def test_repeating_changes_nothing(stand: Stand, site: Site) -> None:
    assert stand.migrate() == (0, "nothing to apply\n")
    assert stand.migrate("check", "--check") == (0, "nothing to apply\n")
    assert site.get("/api/monitoring/health").status_code == 200


@pytest.mark.docker
def test_two_at_once_apply_each_once_and_mend_a_broken_index(stand: Stand, site: Site) -> None:
    stand.sql("DELETE FROM schema_migrations WHERE name = '002_pending_index'")
    # An index that was left invalid by an interrupted CREATE INDEX CONCURRENTLY.
    stand.sql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'orders_pending'::regclass")
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(stand.migrate, ["one", "two"]))
    assert [code for code, _ in results] == [0, 0], results
    assert sum("applying 002_pending_index" in output for _, output in results) == 1
    assert stand.sql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'orders_pending'::regclass") == "t"


@pytest.mark.docker
def test_a_changed_migration_is_refused(stand: Stand, site: Site) -> None:
    one = "FROM schema_migrations WHERE name = '001_orders'"
    checksum = stand.sql(f"SELECT checksum {one}")
    stand.sql("UPDATE schema_migrations SET checksum = 'other' WHERE name = '001_orders'")
    try:
        code, output = stand.migrate()
    finally:
        stand.sql(f"UPDATE schema_migrations SET checksum = '{checksum}' WHERE name = '001_orders'")
    assert code == 1
    assert "001_orders was changed after it was applied" in output
    assert stand.migrate() == (0, "nothing to apply\n"), "the lock is free again"
