"""What the catalog's write-ahead log lacks is told before a restore begins."""

import gzip
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tierstack.backup_schedule.agent import log_problems

pytestmark = pytest.mark.pure
BASE = "20261125T030000"
HISTORY = b"1\t0/3000100\tno recovery target specified\n"


def segment(number: int, timeline: int = 1) -> str:
    return f"{timeline:08X}{number:016X}"


def catalog(root: Path, *names: str, about: str = "meta/{}-backup.info", packed: bool = False) -> Path:
    """A catalog with a base backup that begins in the first segment, and files of the log, one each minute."""
    described = root / about.format(BASE)
    described.parent.mkdir(parents=True)
    described.write_text(f"begin_wal={segment(1)}\nxlog_segment_size=16777216\nstatus=DONE\n")
    for minute, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(HISTORY) if packed else HISTORY)
        arrived = datetime(2026, 11, 26, 10, minute, tzinfo=UTC).timestamp()
        os.utime(path, (arrived, arrived))
    return root


ARCHIVED = [f"wals/{segment(number)[:16]}/{segment(number)}" for number in range(1, 6)]


@pytest.mark.parametrize("about", ["meta/{}-backup.info", f"base/{BASE}/backup.info"])
def test_a_log_that_is_whole(tmp_path: Path, about: str) -> None:
    held = catalog(tmp_path, *ARCHIVED[:3], f"streaming/{segment(4)}.partial", about=about)
    assert log_problems(held, BASE, None) == []


def test_a_segment_that_is_missing_is_named_with_the_moment_before_it(tmp_path: Path) -> None:
    held = catalog(tmp_path, *ARCHIVED[:2], ARCHIVED[3], f"streaming/{segment(5)}.partial")
    [said] = log_problems(held, BASE, None)
    assert f"segment {segment(3)} missing or damaged" in said
    assert "Restore to a moment before 2026-11-26T10:01:00Z" in said
    assert log_problems(held, BASE, datetime(2026, 11, 26, 10, 0, 59, tzinfo=UTC)) == []
    assert log_problems(held, BASE, datetime(2026, 11, 26, 10, 1, tzinfo=UTC)) == [
        f"--time = 2026-11-26T10:01:00Z: {said}"
    ]


def test_without_the_first_segment_the_base_backup_is_worth_nothing(tmp_path: Path) -> None:
    [said] = log_problems(catalog(tmp_path, *ARCHIVED[1:3]), BASE, None)
    assert f"segment {segment(1)} missing or damaged, which the base backup itself needs" in said


@pytest.mark.parametrize("packed", [False, True])
def test_a_promotion_is_followed(tmp_path: Path, packed: bool) -> None:
    history = ("wals/00000001.history", "wals/00000002.history")
    later = [f"wals/{segment(number, 2)[:16]}/{segment(number, 2)}" for number in (3, 4)]
    whole = catalog(tmp_path / "whole", *ARCHIVED[:2], *history, *later, packed=packed)
    assert log_problems(whole, BASE, None) == []
    # What the old server wrote after the promotion fills no hole.
    holed = catalog(tmp_path / "holed", *ARCHIVED, *history, later[1], packed=packed)
    assert f"segment {segment(3, 2)} missing" in log_problems(holed, BASE, None)[0]
