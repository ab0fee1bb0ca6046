"""Which copy and which logs a restore takes, and what it refuses, by files in a catalog."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.backup_schedule.mysql.logs import NOON, OTHER, SECOND, SERVER, log, transaction, written
from tierstack.backup_schedule.mysql import copies
from tierstack.backup_schedule.mysql.catalog import ARRIVING, COPIES, LOGS, UNTIL, Catalog, Copy, superfluous
from tierstack.backup_schedule.mysql.replay import Goal, RestoreError, choose
from tierstack.core.gtids import Gtid, parse_gtid

pytestmark = pytest.mark.pure

AT = datetime.fromtimestamp(NOON / SECOND, UTC)


def seconds(count: float) -> datetime:
    return AT + timedelta(seconds=count)


def copy(root: Path, ended: float, gtids: str, first_log: str = "binlog.000001", history: str = SERVER) -> Copy:
    """A base backup that ended so many seconds after noon."""
    begin = seconds(ended - 5)
    made = Copy(
        id=begin.strftime("%Y%m%dT%H%M%S"),
        begin=begin.isoformat(),
        end=seconds(ended).isoformat(),
        size_bytes=7,
        history=history,
        first_log=first_log,
        gtids=gtids,
        version="9.7.4",
        settings={},
        folders=["app", "shop"],
        files={},
    )
    folder = root / COPIES / made.id
    folder.mkdir(parents=True)
    (folder / "copy.json").write_text(made.text())
    return made


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """A copy with transactions 1 and 2, and logs of 1 to 7, each a second after the one before, the last one open."""
    logs = [
        log("", [transaction(number, NOON + number * SECOND) for number in (1, 2, 3)]),
        log(f"{SERVER}:1-3", [transaction(number, NOON + number * SECOND) for number in (4, 5)]),
    ]
    written(tmp_path / LOGS / SERVER, *logs)
    newest = log(f"{SERVER}:1-5", [transaction(number, NOON + number * SECOND) for number in (6, 7)], closed=False)
    written(tmp_path / ARRIVING / SERVER, newest, first=3)
    (tmp_path / "history").write_text(SERVER)
    copy(tmp_path, 2, f"{SERVER}:1-2")
    return Catalog(tmp_path)


def chosen(catalog: Catalog, **goal: Any) -> str:
    return str(choose(catalog, Goal(**goal)).gtids)


def refused(catalog: Catalog, **goal: Any) -> str:
    with pytest.raises(RestoreError) as error:
        choose(catalog, Goal(**goal))
    return str(error.value)


def test_everything_that_was_received(catalog: Catalog) -> None:
    found = choose(catalog, Goal())
    assert str(found.gtids) == f"{SERVER}:1-7"
    assert [one.path.name for one in found.logs] == ["binlog.000001", "binlog.000002", "binlog.000003"]
    assert found.cut is None


@pytest.mark.parametrize(("at", "last"), [(3, 3), (3.5, 3), (3.999999, 3), (4, 4), (5.5, 5), (6, 6), (7, 7)])
def test_a_moment_has_what_was_committed_by_then(catalog: Catalog, at: float, last: int) -> None:
    assert chosen(catalog, at=seconds(at)) == f"{SERVER}:1-{last}"


@pytest.mark.parametrize("number", [3, 4, 5, 6, 7])
def test_a_transaction_is_the_last_one(catalog: Catalog, number: int) -> None:
    assert chosen(catalog, gtid=Gtid(SERVER, number)) == f"{SERVER}:1-{number}"


def test_a_transaction_that_nobody_has_and_one_before_the_copies(catalog: Catalog) -> None:
    assert "is in no binary log that arrived" in refused(catalog, gtid=Gtid(SERVER, 8))
    assert "is before the oldest base backup" in refused(catalog, gtid=Gtid(SERVER, 2))


def test_a_moment_after_the_last_log_is_refused_unless_it_is_known_that_nothing_was_written(catalog: Catalog) -> None:
    assert "is after the last binary log" in refused(catalog, at=seconds(8))
    (catalog.root / UNTIL).mkdir()
    (catalog.root / UNTIL / SERVER).write_text(seconds(60).isoformat())
    assert chosen(catalog, at=seconds(59)) == f"{SERVER}:1-7"
    assert "is after the last binary log" in refused(catalog, at=seconds(61))


def test_a_moment_before_the_copies_is_refused(catalog: Catalog) -> None:
    assert refused(catalog, at=seconds(1)) == (
        "--time = 2026-11-26T12:00:01Z: no base backup had ended by then; base backups ended at: "
        "2026-11-26T12:00:02+00:00"
    )


def test_a_missing_log_is_one_clear_error(catalog: Catalog) -> None:
    (catalog.root / LOGS / SERVER / "binlog.000002").unlink()
    until = f"the last transaction before that was committed at 2026-11-26T12:00:03.000Z: --to {SERVER}:3"
    assert refused(catalog) == (
        "the binary log binlog.000002 is missing: nothing after it can be restored from the base backup "
        f"20261126T115957; {until}"
    )
    assert chosen(catalog, gtid=parse_gtid(f"{SERVER}:3")) == f"{SERVER}:1-3", "what it says works"
    assert "is missing" in refused(catalog, at=seconds(3)), "the missing log may have another of that moment"


def test_the_first_log_is_missing(catalog: Catalog) -> None:
    (catalog.root / LOGS / SERVER / "binlog.000001").unlink()
    assert refused(catalog).startswith("the binary log binlog.000001 is missing")


def test_a_log_that_was_cut_short_is_one_clear_error(catalog: Catalog) -> None:
    path = catalog.root / LOGS / SERVER / "binlog.000002"
    path.write_bytes(path.read_bytes()[:-200])
    said = refused(catalog)
    assert said.startswith("binlog.000002 ends within the event that begins at byte ")
    assert (
        f": 1 transactions are missing ({SERVER}:5); the last transaction before that was committed at 2026-11-26T12:00:04"
        in said
    )
    assert chosen(catalog, at=seconds(4)) == f"{SERVER}:1-4"


def test_a_log_that_was_cut_before_its_first_transaction_is_told_as_such(catalog: Catalog) -> None:
    path = catalog.root / LOGS / SERVER / "binlog.000002"
    path.write_bytes(path.read_bytes()[:100])
    assert refused(catalog).startswith(
        "binlog.000002 ends within the event that begins at byte 4; the last transaction"
    )


def test_a_log_that_was_cut_between_transactions_is_found_by_what_follows(catalog: Catalog) -> None:
    path = catalog.root / LOGS / SERVER / "binlog.000002"
    path.write_bytes(log(f"{SERVER}:1-3", [transaction(4, NOON + 4 * SECOND)], closed=False))
    assert refused(catalog).startswith(
        f"binlog.000003 does not follow binlog.000002: 1 transactions are missing ({SERVER}:5)"
    )


def test_the_end_of_a_server_that_was_killed_is_no_loss(catalog: Catalog) -> None:
    """It does not close its log, and what it had not synced may end within a transaction; none of that was sent on."""
    path = catalog.root / LOGS / SERVER / "binlog.000002"
    whole = log(f"{SERVER}:1-3", [transaction(number, NOON + number * SECOND) for number in (4, 5)], closed=False)
    path.write_bytes(whole + transaction(6, NOON)[:50])
    assert chosen(catalog) == f"{SERVER}:1-7"


def test_a_damaged_newest_log_is_never_cut_silently(catalog: Catalog) -> None:
    path = catalog.root / ARRIVING / SERVER / "binlog.000003"
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(bytes(data))
    assert refused(catalog).startswith("binlog.000003 is damaged at byte ")
    assert chosen(catalog, gtid=Gtid(SERVER, 6)) == f"{SERVER}:1-6"


def test_what_has_not_arrived_whole_is_left_out_and_told(catalog: Catalog) -> None:
    path = catalog.root / ARRIVING / SERVER / "binlog.000003"
    path.write_bytes(path.read_bytes()[:-10])
    found = choose(catalog, Goal())
    assert str(found.gtids) == f"{SERVER}:1-6"
    assert (found.cut or "").startswith("binlog.000003 ends within")
    written(path.parent, b"", first=4)
    assert "does not follow" not in str(choose(catalog, Goal()).cut), "one that has just been made is none"


def test_of_a_log_that_comes_anew_the_longer_one_counts(catalog: Catalog) -> None:
    path = catalog.root / ARRIVING / SERVER / "binlog.000003"
    data = path.read_bytes()
    written(catalog.root / LOGS / SERVER, data, first=3)
    path.write_bytes(data[:40])
    assert chosen(catalog) == f"{SERVER}:1-7"


def test_what_somebody_put_beside_the_logs_is_left_alone(catalog: Catalog) -> None:
    (catalog.root / LOGS / SERVER / "binlog.000002.kept").write_bytes(b"")
    assert list(catalog.logs(SERVER)) == ["binlog.000001", "binlog.000002", "binlog.000003"]
    assert chosen(catalog) == f"{SERVER}:1-7"


def test_what_arrives_after_the_moment_is_no_part_of_it(catalog: Catalog) -> None:
    names = catalog.logs(SERVER)
    lengths = {name: path.stat().st_size for name, path in names.items()}
    lengths["binlog.000003"] -= 10
    assert str(choose(catalog, Goal(), {SERVER: lengths}).gtids) == f"{SERVER}:1-6"
    del lengths["binlog.000003"]
    assert str(choose(catalog, Goal(), {SERVER: lengths}).gtids) == f"{SERVER}:1-5"


def test_a_later_copy_saves_what_an_earlier_log_lost(catalog: Catalog) -> None:
    copy(catalog.root, 6, f"{SERVER}:1-6", "binlog.000003")
    (catalog.root / LOGS / SERVER / "binlog.000002").unlink()
    assert chosen(catalog) == f"{SERVER}:1-7"
    assert chosen(catalog, at=seconds(7)) == f"{SERVER}:1-7"


def test_a_server_that_was_restored_begins_a_history_of_its_own(catalog: Catalog) -> None:
    written(catalog.root / LOGS / OTHER, log(f"{SERVER}:1-4", [transaction(1, NOON + 20 * SECOND, server=OTHER)]))
    copy(catalog.root, 15, f"{SERVER}:1-4", history=OTHER)
    assert chosen(catalog) == f"{SERVER}:1-4,{OTHER}:1"
    assert chosen(catalog, at=seconds(7)) == f"{SERVER}:1-7", "what was taken back is still there"
    assert chosen(catalog, gtid=Gtid(SERVER, 6)) == f"{SERVER}:1-6"
    assert chosen(catalog, gtid=Gtid(OTHER, 1)) == f"{SERVER}:1-4,{OTHER}:1"


def test_retention_keeps_what_the_first_moment_of_the_window_needs(tmp_path: Path) -> None:
    made = [copy(tmp_path, day * 86400, "", f"binlog.{day + 10:06}") for day in range(10)]
    now = seconds(9 * 86400 + 60)

    def kept(days: int, least: int = 1) -> list[int]:
        gone = {one.id for one in superfluous(made, now, days, least)}
        return [day for day, one in enumerate(made) if one.id not in gone]

    assert kept(3) == [6, 7, 8, 9]
    assert kept(1) == [8, 9]
    assert kept(30) == list(range(10))
    assert kept(1, least=5) == [5, 6, 7, 8, 9]
    assert [one.id for one in superfluous(made[:1], now, 1)] == [], "the last one stays, however old"


def test_tidying_removes_copies_logs_and_remains_but_nothing_that_is_needed(tmp_path: Path) -> None:
    copy(tmp_path, -5 * 86400, "", "binlog.000001")
    copy(tmp_path, -2 * 86400, "", "binlog.000003")
    copy(tmp_path, 0, "", "binlog.000004")
    (tmp_path / COPIES / "20261126T115959" / "data").mkdir(parents=True)  # it never became one
    written(tmp_path / LOGS / SERVER, *[log("", [])] * 5)
    written(tmp_path / LOGS / OTHER, log("", []))  # of a server whose copies are gone
    (tmp_path / LOGS / SERVER / "binlog.000001.kept").write_bytes(b"")  # somebody's own
    (tmp_path / "history").write_text(SERVER)
    catalog = Catalog(tmp_path)
    removed = copies.tidy(catalog, 1, 1, seconds(60))
    assert sorted(removed) == ["20261121T115955", "20261126T115959", "binlog.000001", "binlog.000001", "binlog.000002"]
    assert [one.first_log for one in catalog.copies()] == ["binlog.000003", "binlog.000004"]
    assert [*catalog.logs(SERVER)] == ["binlog.000003", "binlog.000004", "binlog.000005"]
    assert not (tmp_path / LOGS / OTHER).exists()
    assert copies.tidy(catalog, 1, 1, seconds(60)) == []


def test_files_of_a_copy_come_back_as_they_were_or_not_at_all(tmp_path: Path) -> None:
    catalog, made = Catalog(tmp_path), copy(tmp_path, 0, "")
    data = catalog.data(made)
    (data / "shop").mkdir(parents=True)
    (data / "shop" / "orders.ibd").write_bytes(b"orders")
    made = replace(made, files=copies.manifest(data))

    def read(name: str) -> Iterator[bytes]:
        return copies.pieces(data / name)

    copies.fetch(made, tmp_path / "to", read)
    assert (tmp_path / "to" / "shop" / "orders.ibd").read_bytes() == b"orders"
    assert (tmp_path / "to" / "app").is_dir(), "an empty database has a directory too"
    (data / "shop" / "orders.ibd").write_bytes(b"0rders")
    with pytest.raises(copies.CopyError, match=r"shop/orders\.ibd of the base backup .* is not what was written"):
        copies.fetch(made, tmp_path / "again", read)
    (data / "shop" / "orders.ibd").unlink()
    with pytest.raises(copies.CopyError, match=r"lacks the file shop/orders\.ibd"):
        copies.fetch(made, tmp_path / "again", read)
