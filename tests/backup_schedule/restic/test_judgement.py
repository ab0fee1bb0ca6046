"""Backups of files: what is due, what is a fault, what restic's words mean, and the page for Prometheus."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tierstack.backup_schedule import cron, status
from tierstack.backup_schedule.restic import figures, judgement
from tierstack.backup_schedule.restic.judgement import Known
from tierstack.backup_schedule.restic.repository import (
    AbsentError,
    IncompleteError,
    Repository,
    Snapshot,
    cause,
    entries,
    snapshots,
    url_of,
)

pytestmark = pytest.mark.pure

NIGHTLY, WEEKLY = cron.parse("15 2 * * *"), cron.parse("45 4 * * 0")
NOW = datetime(2026, 11, 27, 4, 0, tzinfo=UTC)  # a Friday
LAST_NIGHT = datetime(2026, 11, 27, 2, 15, 30, tzinfo=UTC)


def snapshot(began: datetime, size: int = 2**30, files: int = 1000) -> Snapshot:
    return Snapshot(id="a" * 64, began=began, size_bytes=size, files=files)


WELL = Known(snapshots=[snapshot(LAST_NIGHT)], checked=LAST_NIGHT, pruned=LAST_NIGHT)
TWO = [snapshot(LAST_NIGHT - timedelta(days=1)), snapshot(LAST_NIGHT)]


def faults(known: Known, **more: Any) -> list[str]:
    return judgement.faults(NIGHTLY, WEEKLY, known, NOW, **more)


def test_nothing_is_wrong_after_last_nights_backup() -> None:
    assert faults(WELL) == []
    assert not judgement.backup_due(NIGHTLY, WELL, NOW, None)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"snapshots": ()}, "there is no backup yet"),
        ({"snapshots": [snapshot(LAST_NIGHT - timedelta(days=1))]}, "the last backup began at 2026-11-26T02:15:30Z"),
        ({"backup_error": "the bucket is away"}, "the last backup failed: the bucket is away"),
        ({"unreadable": 3}, "the last backup lacks 3 files"),
        (
            {"snapshots": [TWO[0], snapshot(LAST_NIGHT, size=2**29 - 1)]},
            "less than half of the 1,000 files and 1,024.0",
        ),
        ({"snapshots": [TWO[0], snapshot(LAST_NIGHT, files=499)]}, "the newest backup has 499 files"),
        ({"check_error": "pack is damaged"}, "the repository is damaged, or cannot be read: pack is damaged"),
        ({"checked": LAST_NIGHT - timedelta(days=8)}, "was not checked at the schedule's last time"),
        ({"prune_error": "AccessDenied"}, "nothing is pruned: AccessDenied"),
        ({"pruned": NOW - timedelta(hours=27)}, "nothing was pruned since 2026-11-26T01:00:00Z"),
    ],
)
def test_each_fault(changes: dict[str, Any], says: str) -> None:
    (fault,) = faults(replace(WELL, **changes))
    assert says in fault


def test_half_of_the_files_is_no_fault_yet() -> None:
    assert faults(replace(WELL, snapshots=[TWO[0], snapshot(LAST_NIGHT, size=2**29, files=500)])) == []


def test_a_backup_that_runs_has_a_day() -> None:
    known = replace(WELL, snapshots=[snapshot(LAST_NIGHT - timedelta(days=1))])
    assert faults(known, since=NOW - timedelta(hours=2)) == []
    assert faults(known, since=NOW - timedelta(hours=25)) != []


def test_a_full_disk_is_told() -> None:
    assert "the disk of the backups is full: 10 of 1000 MiB free" in faults(
        WELL, disk=status.Disk(10 * 2**20, 1000 * 2**20)
    )


def test_a_host_that_was_off_makes_up_for_it() -> None:
    missed = replace(WELL, snapshots=[snapshot(LAST_NIGHT - timedelta(days=3))])
    assert judgement.backup_due(NIGHTLY, missed, NOW, None)
    assert not judgement.backup_due(NIGHTLY, missed, NOW, NOW - timedelta(minutes=4))  # one that failed rests
    assert judgement.backup_due(NIGHTLY, missed, NOW, NOW - timedelta(minutes=6))


def test_a_clock_that_was_wrong_stops_no_backups() -> None:
    future = replace(WELL, snapshots=[*TWO[:1], snapshot(NOW + timedelta(days=900))])
    assert judgement.backup_due(NIGHTLY, future, NOW, None)
    assert faults(future)[0] == "1 backups are of the future: the clock was wrong when they were made"
    document = judgement.report(NIGHTLY, WEEKLY, future, [], NOW, None, None)
    assert document["last_backup"]["begin"] == "2026-11-26T02:15:30Z"
    assert faults(replace(WELL, snapshots=[snapshot(NOW + timedelta(minutes=4))])) == []


def test_a_check_comes_at_its_time_and_not_before_a_backup() -> None:
    sunday = datetime(2026, 11, 29, 5, tzinfo=UTC)
    fresh = replace(WELL, checked=None)
    assert not judgement.check_due(WEEKLY, Known(), sunday, None)
    assert not judgement.check_due(WEEKLY, fresh, NOW, None)
    assert judgement.check_due(WEEKLY, fresh, sunday, None)
    assert not judgement.check_due(WEEKLY, replace(WELL, checked=sunday), sunday + timedelta(days=1), None)


# What restic says ---------------------------------------------------------------------------------------------------


def test_snapshots_as_restic_lists_them() -> None:
    listed = [
        {"id": "b", "time": "2026-11-27T03:55:56.340886184Z", "summary": {"total_bytes_processed": 8, "total_files_processed": 2}},
        {"id": "a", "time": "2026-11-26T04:55:56+01:00"},
    ]  # fmt: skip
    found = snapshots(listed)
    assert [(one.id, one.size_bytes, one.files) for one in found] == [("a", 0, 0), ("b", 8, 2)]
    assert [one.began.hour for one in found] == [3, 3]
    assert [one.id for one in entries([one.as_entry() for one in found])] == ["a", "b"]


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("", "it said nothing"),
        ("Fatal: wrong password or no key found\n", "wrong password or no key found"),
        (
            "Load(<config/0000000000>, 0, 0) returned error, retrying after 1.2s: dial tcp: lookup storage: no such host",
            "dial tcp: lookup storage: no such host",
        ),
        ('{"message_type":"exit_error","code":1,"message":"Fatal: unable to save snapshot"}', "unable to save snapshot"),
        ('{"message_type":"error","error":{"message":"open /source/a: permission denied"}}', "open /source/a: permission denied"),
        ('{"message_type":"status"}\n{broken', "it said nothing"),
    ],
)  # fmt: skip
def test_the_line_that_says_most(said: str, means: str) -> None:
    assert cause(said) == means


SETTINGS = {"host": "shop-files", "tag": "files", "store": None}
STORE = {"bucket": "b", "prefix": "prod", "server": "shop-files", "region": "eu-central-1", "ca_path": None}


def test_exit_codes_name_what_to_do() -> None:
    repository = Repository(SETTINGS, "write")
    assert isinstance(repository.failure("cat", 10, ""), AbsentError)
    wrong = repository.failure("cat", 12, "Fatal: wrong password or no key found")
    assert str(wrong).startswith("/var/lib/restic/restic was made with another password: nothing is written.")
    incomplete = repository.failure("backup", 3, '{"message_type":"error","error":{}}\n' * 2)
    assert isinstance(incomplete, IncompleteError)
    assert incomplete.files == 2
    locked = "unable to create lock in backend: repository is already locked by PID 5 on host\nuse the `unlock` command"
    assert str(repository.failure("forget", 11, locked)).endswith(
        "is in use: unable to create lock in backend: repository is already locked by PID 5 on host"
    )
    assert str(repository.failure("check", 3, "Fatal: x")) == "restic check ended with exit code 3: x"


def test_where_the_repository_is() -> None:
    assert url_of(None) == "/var/lib/restic/restic"
    assert (
        url_of({**STORE, "endpoint_url": None}) == "s3:https://s3.eu-central-1.amazonaws.com/b/prod/shop-files/restic"
    )
    assert url_of({**STORE, "endpoint_url": "https://storage:7070", "prefix": ""}) == (
        "s3:https://storage:7070/b/shop-files/restic"
    )


def test_the_page_for_prometheus() -> None:
    document = judgement.report(NIGHTLY, WEEKLY, WELL, [], NOW, None, None)
    drills = [{"result": "good", "ended_at": "2026-11-27T03:00:00Z", "rto_seconds": 4.5}, {"result": "not verified"}]
    page = figures.text(document | {"drills": drills}, {"platform": "shop", "name": "files"})
    assert 'tierstack_files_last_backup_files{name="files",platform="shop"} 1000\n' in page
    assert 'tierstack_files_drill_good{name="files",platform="shop"} 0\n' in page
    assert 'tierstack_files_drill_rto_seconds{name="files",platform="shop"} 4.5\n' in page
    assert "disk_free" not in page
