"""When a base backup is due, what counts as a fault, and which backup a restore starts from."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tierstack.backup_schedule import status
from tierstack.backup_schedule.cron import parse

NIGHTLY = parse("30 3 * * *")
STREAMING = [{"current_state": "streaming", "write_lsn_diff_bytes": -512}]
FINE = {"postgresql": {"status": "OK", "hint": ""}}
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def listed(*ids: str, state: str = "DONE") -> list[status.Backup]:
    """Backups as Barman lists them; each takes ten minutes."""
    entries: list[dict[str, Any]] = []
    for id in ids:
        end = datetime.strptime(id, "%Y%m%dT%H%M%S").replace(tzinfo=UTC) + timedelta(minutes=10)
        timestamp = str(int(end.timestamp())) if state == "DONE" else None
        entries.append({"backup_id": id, "status": state, "end_time_timestamp": timestamp, "size_bytes": 7})
    return status.backups(entries)


def faults(found: list[status.Backup], now: datetime = NOON, **given: Any) -> list[str]:
    return status.faults(NIGHTLY, given.pop("checks", FINE), given.pop("streamers", STREAMING), found, now, **given)


def test_due() -> None:
    tonight = listed("20261121T033002")
    assert status.due(NIGHTLY, [], NOON)
    assert not status.due(NIGHTLY, tonight, NOON)
    assert status.due(NIGHTLY, listed("20261120T033002"), NOON), "a missed one is made up for"
    assert not status.due(NIGHTLY, listed("20261121T033000"), NOON), "one that began in the very second"
    assert status.due(NIGHTLY, listed("20261121T033002", state="FAILED"), NOON), "a failed one is none"
    assert not status.due(NIGHTLY, [], NOON, failed_at=NOON - timedelta(minutes=4)), "not at once after a failure"
    assert status.due(NIGHTLY, [], NOON, failed_at=NOON - timedelta(minutes=5))
    assert status.due(NIGHTLY, tonight, NOON, unbroken=NOON - timedelta(hours=1)), "WAL has a gap since it"
    assert not status.due(NIGHTLY, tonight, NOON, unbroken=NOON - timedelta(hours=9))


def test_no_faults() -> None:
    assert faults(listed("20261121T033002")) == []


@pytest.mark.parametrize(
    ("now", "running", "wrong"),
    [
        ("2026-11-21T04:29", None, False),  # an hour's grace
        ("2026-11-21T04:31", None, True),
        ("2026-11-21T04:31", "2026-11-21T03:30", False),  # it runs
        ("2026-11-22T03:29", "2026-11-21T03:30", False),
        ("2026-11-22T03:31", "2026-11-21T03:30", True),  # for more than a day
    ],
)
def test_late(now: str, running: str | None, wrong: bool) -> None:
    since = datetime.fromisoformat(running).replace(tzinfo=UTC) if running else None
    found = faults(listed("20261120T033002"), datetime.fromisoformat(now).replace(tzinfo=UTC), running_since=since)
    assert bool(found) is wrong


def test_faults_name_what_is_wrong() -> None:
    broken = {**FINE, "receive_wal_running": {"status": "FAILED", "hint": "See the log"}}
    assert faults([], checks=broken, streamers=[]) == [
        "receive wal running: See the log",
        "no WAL is streaming from the primary",
        "there is no base backup",
    ]
    assert faults(listed("20261121T033002"), checks={}) == ["barman check gave no answer"]
    assert faults(listed("20261121T033002"), unbroken=NOON) == [
        "WAL was interrupted until 2026-11-21T12:00:00Z, and no base backup has followed"
    ]


def test_starting_backup() -> None:
    found = listed("20261119T033000", "20261120T033000", "20261121T033000")
    ended = datetime(2026, 11, 20, 3, 40, tzinfo=UTC)

    def starts(at: datetime | None) -> str | None:
        backup = status.starting(found, at)
        return backup.id if backup else None

    assert starts(None) == "20261121T033000"
    assert starts(ended + timedelta(seconds=1)) == "20261120T033000"
    assert starts(ended) == "20261119T033000", "Barman's end is rounded down: it may not have ended yet"
    assert starts(datetime(2026, 11, 19, 3, 35, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("sizes", "wrong"), [([], False), ([9], False), ([9, 5], False), ([9, 4], True), ([9, 4, 3], False)]
)
def test_a_backup_of_less_than_half_the_size_is_told(sizes: list[int], wrong: bool) -> None:
    found = [status.Backup(f"2026112{day}T033000", NOON, NOON, "DONE", size) for day, size in enumerate(sizes)]
    assert status.shrunk(found) is wrong
    failed = status.Backup("20261129T033000", NOON, None, "FAILED", 0)
    assert status.shrunk([*found, failed]) is wrong, "a failed one says nothing"
    assert status.report(NIGHTLY, found, [], [], NOON, None)["base_backup_shrunk"] is wrong


def test_report() -> None:
    found = listed("20261120T033002", "20261121T033002")
    document = status.report(NIGHTLY, found, STREAMING, [], NOON, None)
    assert document == {
        "healthy": True,
        "faults": [],
        "wal_streaming": True,
        "base_backup_late": False,
        "base_backup_shrunk": False,
        "checked_at": "2026-11-21T12:00:00Z",
        "backups": 2,
        "restorable_from": "2026-11-20T03:40:03Z",
        "last_backup": {"id": "20261121T033002", "begin": "2026-11-21T03:30:02Z", "size_bytes": 7},
        "running_since": None,
        "next_backup": "2026-11-22T03:30:00Z",
        "wal_lag_bytes": 512,
        "catalog": {"free_bytes": None, "size_bytes": None},
    }
    assert status.well(document, NOON + timedelta(minutes=4))
    assert not status.well(document, NOON + timedelta(minutes=5)), "an agent that stands still is not well"
    assert not status.well({**document, "healthy": False}, NOON)
    assert status.report(NIGHTLY, [], [], ["x"], NOON, None)["restorable_from"] is None
