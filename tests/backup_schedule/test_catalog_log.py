"""What a restore reads of the catalog, and what its write-ahead log lacks, is known before it begins."""

import gzip
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tierstack.backup_schedule.agent import chosen, complete
from tierstack.backup_schedule.choice import Choice

pytestmark = pytest.mark.pure
BASE = "20261125T030000"
HISTORY = b"1\t0/3000100\tno recovery target specified\n"


def segment(number: int, timeline: int = 1) -> str:
    return f"{timeline:08X}{number:016X}"


def catalog(root: Path, *names: str, about: str = "meta/{}-backup.info", packed: bool = False) -> Path:
    """A catalog with a base backup that begins in the first segment, and files of the log, one each minute."""
    describe(root, BASE, about)
    for minute, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(HISTORY) if packed else HISTORY)
        arrived = datetime(2026, 11, 26, 10, minute, tzinfo=UTC).timestamp()
        os.utime(path, (arrived, arrived))
    return root


def describe(root: Path, identifier: str, about: str = "meta/{}-backup.info", **more: str) -> None:
    described = root / about.format(identifier)
    described.parent.mkdir(parents=True, exist_ok=True)
    values = {"begin_wal": segment(1), "end_xlog": "0/1000200", "xlog_segment_size": "16777216", **more}
    described.write_text("".join(f"{key}={value}\n" for key, value in values.items()))


def listed(*ended: tuple[str, datetime]) -> list[dict[str, Any]]:
    """As Barman lists base backups."""
    return [
        {"backup_id": one, "status": "DONE", "end_time_timestamp": str(int(end.timestamp())), "size_bytes": 1}
        for one, end in ended
    ]


def choice(held: Path, at: datetime | None) -> Choice:
    found = chosen(held, listed((BASE, datetime(2026, 11, 25, 3, 1, tzinfo=UTC))), at)
    assert found is not None
    return found


def log_problems(held: Path, at: datetime | None) -> list[str]:
    return choice(held, at).problems(at)


ARCHIVED = [f"wals/{segment(number)[:16]}/{segment(number)}" for number in range(1, 6)]


@pytest.mark.parametrize("about", ["meta/{}-backup.info", f"base/{BASE}/backup.info"])
def test_a_log_that_is_whole(tmp_path: Path, about: str) -> None:
    held = catalog(tmp_path, *ARCHIVED[:3], f"streaming/{segment(4)}.partial", about=about)
    assert log_problems(held, None) == []


def test_a_segment_that_is_missing_is_named_with_the_moment_before_it(tmp_path: Path) -> None:
    held = catalog(tmp_path, *ARCHIVED[:2], ARCHIVED[3], f"streaming/{segment(5)}.partial")
    [said] = log_problems(held, None)
    assert f"segment {segment(3)} missing or damaged" in said
    assert "Restore to a moment before 2026-11-26T10:01:00Z" in said
    assert log_problems(held, datetime(2026, 11, 26, 10, 0, 59, tzinfo=UTC)) == []
    assert log_problems(held, datetime(2026, 11, 26, 10, 1, tzinfo=UTC)) == [f"--time = 2026-11-26T10:01:00Z: {said}"]


def test_without_the_first_segment_the_base_backup_is_worth_nothing(tmp_path: Path) -> None:
    [said] = log_problems(catalog(tmp_path, *ARCHIVED[1:3]), None)
    assert f"segment {segment(1)} missing or damaged, which the base backup itself needs" in said


@pytest.mark.parametrize("packed", [False, True])
def test_a_promotion_is_followed(tmp_path: Path, packed: bool) -> None:
    history = ("wals/00000001.history", "wals/00000002.history")
    later = [f"wals/{segment(number, 2)[:16]}/{segment(number, 2)}" for number in (3, 4)]
    whole = catalog(tmp_path / "whole", *ARCHIVED[:2], *history, *later, packed=packed)
    assert log_problems(whole, None) == []
    # What the old server wrote after the promotion fills no hole.
    holed = catalog(tmp_path / "holed", *ARCHIVED, *history, later[1], packed=packed)
    assert f"segment {segment(3, 2)} missing" in log_problems(holed, None)[0]


def test_after_a_restore_in_place_the_moment_says_which_timeline_is_followed(tmp_path: Path) -> None:
    """Where the database was put back to an earlier moment, what had been written since is on the first timeline only:
    the newest one lacks it, and a base backup of then does not lead to it."""
    later = [f"wals/{segment(number, 2)[:16]}/{segment(number, 2)}" for number in (3, 4)]
    held = catalog(tmp_path, *ARCHIVED, "wals/00000002.history", *later)  # minutes 0 to 4, 5, and 6 to 7
    after = "20261126T100330"
    describe(held, after, begin_wal=segment(4), end_xlog="0/4000100")
    bases = listed(
        (BASE, datetime(2026, 11, 25, 3, 1, tzinfo=UTC)), (after, datetime(2026, 11, 26, 10, 3, 40, tzinfo=UTC))
    )

    def follows(at: datetime | None) -> tuple[str, str]:
        found = chosen(held, bases, at)
        assert found is not None
        assert found.problems(at) == []
        return found.base.id, found.timeline

    late = chosen(held, bases, datetime(2026, 11, 26, 10, 4, 30, tzinfo=UTC))
    assert late is not None
    assert (
        "the last write-ahead log of what was given up arrived at 2026-11-26T10:04:00Z"
        in late.problems(datetime(2026, 11, 26, 10, 4, 30, tzinfo=UTC))[0]
    )
    assert follows(None) == (BASE, "2")
    assert follows(datetime(2026, 11, 26, 10, 6, tzinfo=UTC)) == (BASE, "2")
    assert follows(datetime(2026, 11, 26, 10, 3, 50, tzinfo=UTC)) == (after, "current")
    assert follows(datetime(2026, 11, 26, 10, 3, tzinfo=UTC)) == (BASE, "current")


def test_what_no_base_backup_leads_to(tmp_path: Path) -> None:
    held = catalog(tmp_path, *ARCHIVED)
    assert chosen(held, [], None) is None
    running = [{"backup_id": BASE, "status": "STARTED", "end_time_timestamp": None, "size_bytes": 0}]
    assert chosen(held, running, None) is None


def test_the_open_segment_of_a_timeline_that_has_ended_is_complete(tmp_path: Path) -> None:
    names = (f"{segment(4)}.partial", f"{segment(4, 2)}.partial", "00000002.history", segment(3))
    for name in names:
        (tmp_path / name).touch()
    complete(tmp_path, 2)
    assert {one.name for one in tmp_path.iterdir()} == {segment(4), *names[1:]}
