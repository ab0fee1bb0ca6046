"""What a reader makes of binary logs that are whole, cut short, or damaged. Those of a server: the Docker test."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.backup_schedule.mysql.logs import (
    MAGIC,
    NOON,
    OTHER,
    SECOND,
    SERVER,
    beginning,
    event,
    log,
    transaction,
    written,
)
from tierstack.backup_schedule.mysql.binlog import BrokenLogError, read

pytestmark = pytest.mark.pure

WHOLE = log(f"{SERVER}:1-2,{OTHER}:4", [transaction(number, NOON + number * SECOND) for number in (3, 4, 5)])
STARTS = [
    len(log(f"{SERVER}:1-2,{OTHER}:4", [transaction(n, 0) for n in range(3, end)], closed=False))
    for end in (3, 4, 5, 6)
]


def test_a_whole_log(tmp_path: Path) -> None:
    (path,) = written(tmp_path, WHOLE)
    found = read(path)
    assert (str(found.previous), str(found.contained)) == (f"{SERVER}:1-2,{OTHER}:4", f"{SERVER}:3-5")
    assert str(found.after) == f"{SERVER}:1-5,{OTHER}:4"
    assert (found.end, found.closed, found.begun) == (len(WHOLE), True, True)
    assert (found.torn, found.damaged, found.stopped) == (None, False, None)
    assert found.last
    assert (found.last.committed, found.last.start, found.last.end) == (NOON + 5 * SECOND, *STARTS[2:])


def test_reading_stops_before_the_transaction_that_is_one_too_many(tmp_path: Path) -> None:
    (path,) = written(tmp_path, WHOLE)
    found = read(path, lambda one: one.committed > NOON + 3 * SECOND)
    assert (str(found.contained), found.end) == (f"{SERVER}:3", STARTS[1])
    assert found.stopped
    assert str(found.stopped.gtid) == f"{SERVER}:4"


def test_the_time_is_that_of_the_commit_on_this_server(tmp_path: Path) -> None:
    (path,) = written(tmp_path, log("", [transaction(1, NOON, server=OTHER, original=NOON - 60 * SECOND)]))
    found = read(path)
    assert found.last
    assert found.last.committed == NOON
    assert str(found.contained) == f"{OTHER}:1"
    assert found.torn is None


@settings(deadline=None)
@given(st.integers(len(beginning(f"{SERVER}:1-2,{OTHER}:4")), len(WHOLE)))
def test_a_log_that_ends_too_early_has_its_whole_transactions(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    (path,) = written(tmp_path_factory.getbasetemp() / "cut", WHOLE)
    for found in (read(path, size=cut), read(written(path.parent, WHOLE[:cut])[0])):
        whole = sum(start <= cut for start in STARTS[1:])
        assert len(found.contained) == whole
        assert not found.damaged
        assert found.end == (len(WHOLE) if cut == len(WHOLE) else STARTS[whole])
        assert (found.torn is None) == (cut in (*STARTS, len(WHOLE)))


@pytest.mark.parametrize(("length", "torn"), [(0, "mark"), (3, "mark"), (4, None), (20, "byte 4"), (60, "byte 4")])
def test_a_log_that_has_just_begun(tmp_path: Path, length: int, torn: str | None) -> None:
    (path,) = written(tmp_path, WHOLE[:length])
    found = read(path)
    assert not found.begun
    assert (found.torn is None) == (torn is None)
    assert torn is None or torn in (found.torn or "")


@pytest.mark.parametrize("place", [STARTS[1] + 30, STARTS[2] - 6, STARTS[1] + 10])
def test_a_damaged_log_is_never_taken_for_one_that_only_ends(tmp_path: Path, place: int) -> None:
    data = bytearray(WHOLE)
    data[place] ^= 1
    (path,) = written(tmp_path, bytes(data))
    found = read(path)
    assert found.damaged
    assert "is damaged at byte" in (found.torn or "")
    assert str(found.contained) == f"{SERVER}:3"
    assert found.end == STARTS[1]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"PGDMP", "is not a binary log"),
        (MAGIC + event(15, bytes(96) + b"\x01") + event(34, bytes(60)), "a transaction without a GTID at byte"),
        (beginning() + event(42, bytes(60)), "a transaction with a tagged GTID at byte"),
        (MAGIC + event(15, bytes(96) + b"\x01") + event(35, bytes(7) + b"\x01"), "tagged GTIDs"),
    ],
)
def test_what_cannot_be_restored_is_told(tmp_path: Path, data: bytes, says: str) -> None:
    (path,) = written(tmp_path, data)
    with pytest.raises(BrokenLogError, match=says):
        read(path)
