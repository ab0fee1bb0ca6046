"""Which dumps are due, late or too small; what the metrics and the status say of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tierstack.backup_schedule.dumps import figures, judgement
from tierstack.backup_schedule.restic.repository import Snapshot

pytestmark = pytest.mark.pure
NOW = datetime(2026, 11, 27, 14, 0, tzinfo=UTC)
SETTINGS: dict[str, Any] = {
    "jobs": {"all": {"schedule": "0 1,13 * * *", "tables": None}, "critical": {"schedule": "0 * * * *", "tables": ["a"]}},
    "check_schedule": "45 4 * * *",
}  # fmt: skip


def snapshots(*sizes: int, newest: datetime = NOW) -> list[Snapshot]:
    last = len(sizes) - 1
    return [
        Snapshot(id=f"{at}" * 64, began=newest - timedelta(hours=12) * (last - at), size_bytes=size, files=1)
        for at, size in enumerate(sizes)
    ]


def state(found: list[Snapshot], now: datetime = NOW, **of: Any) -> judgement.State:
    noted = {"snapshots": [one.as_entry() for one in found], "error": None, **of}
    recent = {"snapshots": [one.as_entry() for one in snapshots(10, newest=now)]}
    jobs = {"jobs": {"all": noted, "critical": recent}, "checked": "2026-11-27T04:45:00Z"}
    return judgement.state_of(SETTINGS, jobs, {"at": "2026-11-27T12:00:00Z", "error": None})


def test_all_is_well() -> None:
    found = state(snapshots(100, 100), tables=3, seconds=1.5)
    assert judgement.faults(found, NOW) == []
    assert judgement.due(found, NOW, {}) == []
    document = judgement.report(found, [], NOW)
    assert document["dumps"]["all"]["last"] == {
        "id": "1" * 64, "begin": "2026-11-27T14:00:00Z", "size_bytes": 100, "tables": 3, "seconds": 1.5,
    }  # fmt: skip
    page = figures.text(document, {"name": "dumps", "platform": "shop"})
    assert 'tierstack_dumps_last_bytes{dump="all",name="dumps",platform="shop"} 100' in page
    assert 'tierstack_dumps_healthy{name="dumps",platform="shop"} 1' in page
    assert page.count("# TYPE tierstack_dumps_late gauge") == 1


def test_each_is_due_by_its_own_schedule_and_not_again_at_once_where_it_failed() -> None:
    nothing = judgement.state_of(SETTINGS, {}, {})
    assert judgement.due(nothing, NOW, {}) == ["all", "critical"]
    assert judgement.due(nothing, NOW, {"all": NOW - timedelta(minutes=4)}) == ["critical"]
    assert judgement.due(nothing, NOW, {"all": NOW - timedelta(minutes=6)}) == ["all", "critical"]
    assert judgement.faults(nothing, NOW) == [
        "dump `all`: there is no dump yet",
        "dump `critical`: there is no dump yet",
    ]
    late = state(snapshots(100, newest=NOW - timedelta(hours=13)), NOW)
    assert judgement.due(late, NOW, {}) == ["all"]
    assert judgement.faults(late, NOW + timedelta(minutes=30)) == [
        "dump `all`: the last dump began at 2026-11-27T01:00:00Z, before the schedule's last time"
    ]


def test_dumps_of_tables_wait_for_the_first_migrations() -> None:
    waiting = judgement.state_of(SETTINGS, {"jobs": {"critical": {"error": None, "waiting": True}}}, {})
    assert judgement.faults(waiting, NOW) == ["dump `all`: there is no dump yet"]
    assert judgement.due(waiting, NOW, {}) == ["all", "critical"]


@pytest.mark.parametrize(
    ("sizes", "small"),
    [
        ((100,), False),
        ((100, 51), False),
        ((100, 49), True),
        ((100, 100, 100, 40), True),
        ((100, 100, 100, 40, 40), True),
        ((100, 100, 100, 40, 40, 40, 40), False),
        ((1, 100), False),
        ((100, 100, 100, 1, 60), False),
    ],
)
def test_a_small_dump_is_a_fault_until_it_is_usual(sizes: tuple[int, ...], small: bool) -> None:
    found = state(snapshots(*(size * 2**20 for size in sizes)))
    assert judgement.report(found, [], NOW)["dumps"]["all"]["shrunk"] is small
    wrong = judgement.faults(found, NOW)
    assert [one.startswith("dump `all`: the newest has ") for one in wrong] == ([True] if small else [])


def test_what_failed_and_what_is_damaged_are_told() -> None:
    found = state(snapshots(100), error="pg_dump: error: permission denied for table orders")
    assert judgement.faults(found, NOW) == [
        "dump `all`: the last attempt failed: pg_dump: error: permission denied for table orders"
    ]
    assert judgement.report(found, [], NOW)["dumps"]["all"]["failing"] is True
    damaged = judgement.state_of(SETTINGS, {"check_error": "dump all 1234: the dump has no end"}, {"error": "no key"})
    assert judgement.faults(damaged, NOW)[-2:] == [
        "the repository is damaged, or cannot be read: dump all 1234: the dump has no end",
        "nothing is pruned: no key",
    ]


def test_dumps_of_the_future_keep_none_from_being_due() -> None:
    found = state(snapshots(100, newest=NOW + timedelta(days=2)))
    assert "all" in judgement.due(found, NOW, {})
    assert "1 dumps are of the future" in judgement.faults(found, NOW)[0]
