"""Backups in a bucket, without one: what is sent in which order, what a restore needs, what is pruned, and who reads."""

import gzip
import os
import subprocess
import threading
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tierstack.backup_schedule import barman_outgoing, choice, fetch, layout, metrics, pruning, restore, shipping
from tierstack.backup_schedule.barman_outgoing import BarmanOutgoing
from tierstack.backup_schedule.bucket import credentials
from tierstack.backup_schedule.engine import Source, StoreAt
from tierstack.backup_schedule.layout import History, Hole, StoredWal
from tierstack.backup_schedule.recovery import OnDocker, parsed
from tierstack.backup_schedule.shipping import Shipped, Shipping

pytestmark = pytest.mark.pure
FIRST, SECOND, THIRD = (f"00000001000000000000000{number}" for number in (1, 2, 3))
SIZE = 16 * 2**20
NEXT_HISTORY, NEXT_SEGMENT = "00000002.history", "000000020000000000000002"


def test_what_was_received_is_sent_in_the_order_of_the_log() -> None:
    received = [NEXT_SEGMENT, SECOND, FIRST, f"{THIRD}.partial", NEXT_HISTORY, SECOND]
    assert layout.unsent(received, "") == [FIRST, SECOND, NEXT_HISTORY, NEXT_SEGMENT]
    assert layout.unsent(received, SECOND) == [NEXT_HISTORY, NEXT_SEGMENT]
    assert layout.unsent(received, NEXT_SEGMENT) == []


def test_keys_are_those_of_barman_cloud() -> None:
    assert layout.wal_key("prod/shop", FIRST) == f"prod/shop/wals/0000000100000000/{FIRST}.gz"
    assert layout.wal_key("shop", NEXT_HISTORY) == f"shop/wals/{NEXT_HISTORY}.gz"
    assert layout.folder("", "shop") == "shop"
    assert [
        layout.wal_name(f"shop/wals/x/{name}") for name in (f"{FIRST}.gz", FIRST, f"{FIRST}.00000028.backup.gz")
    ] == [
        FIRST,
        FIRST,
        None,
    ]


def stored(*names: str) -> list[StoredWal]:
    return [StoredWal(name, layout.wal_key("shop", name), 0) for name in names]


def test_a_restore_needs_what_follows_its_base_backup_and_no_more() -> None:
    every = stored(FIRST, SECOND, THIRD, NEXT_HISTORY, NEXT_SEGMENT)
    assert [one.name for one in layout.needed(every, SECOND)] == [SECOND, THIRD, NEXT_HISTORY, NEXT_SEGMENT]
    assert [one.name for one in layout.needed(every, FIRST, SECOND)] == [FIRST, SECOND, NEXT_HISTORY, NEXT_SEGMENT]
    assert [one.name for one in layout.needed(every, NEXT_SEGMENT)] == [NEXT_HISTORY, NEXT_SEGMENT]


def segments(timeline: int, *positions: int) -> list[str]:
    return [f"{timeline:08X}{at // 256:08X}{at % 256:08X}" for at in positions]


LEFT_IN_SECOND = History(2, {1: 2 * SIZE + 100})


@pytest.mark.parametrize(
    ("names", "history", "hole"),
    [
        (segments(1, 1, 2, 3), None, None),
        (segments(1, *range(250, 262)), None, None),  # over the end of a log file number
        (segments(1, 1, 2, 4), None, Hole(SECOND, THIRD, 1)),
        (segments(1, 1, 2, 6, 8), None, Hole(SECOND, THIRD, 3)),
        (segments(1, 2, 3), None, Hole(None, FIRST, 1)),
        ([], None, Hole(None, FIRST, 1)),
        ([f"{FIRST}.00000028.backup", "00000001.history", *segments(1, 1, 2)], None, None),
        ([*segments(1, 1), *segments(2, 2, 3)], LEFT_IN_SECOND, None),
        # What a server wrote after the promotion of another fills no hole of the timeline that is followed, ...
        ([*segments(1, 1, 2, 3, 4), *segments(2, 2, 4)], LEFT_IN_SECOND, Hole(NEXT_SEGMENT, f"{2:08X}{3:016X}", 1)),
        ([*segments(1, 1, 2, 3), *segments(2, 3, 4)], LEFT_IN_SECOND, Hole(FIRST, NEXT_SEGMENT, 1)),
        # ... and is no part of it where nothing of the new one has arrived yet.
        (segments(1, 1, 2, 3, 4), LEFT_IN_SECOND, None),
        (segments(1, 1, 3), LEFT_IN_SECOND, None),
        # A restore to an earlier moment begins a timeline below one that was given up.
        ([*segments(1, 1, 2, 3), *segments(2, 3, 4, 5), *segments(3, 2, 3)], History(3, {1: 2 * SIZE}), None),
        (
            [*segments(1, 1, 2, 3), *segments(2, 3, 4, 5), *segments(3, 3)],
            History(3, {1: 2 * SIZE}),
            Hole(FIRST, f"{3:08X}{2:016X}", 1),
        ),
        ([*segments(1, 1), *segments(2, 2, 3), *segments(3, 3)], History(3, {1: 2 * SIZE, 2: 3 * SIZE + 1}), None),
        # The base backup is of the newest timeline already.
        (segments(1, 1, 2, 3), History(1, {}), None),
    ],
)
def test_a_hole_in_the_log_is_seen(names: list[str], history: History | None, hole: Hole | None) -> None:
    begin = next((one for one in names if one.endswith("FA")), FIRST)
    assert layout.hole(names, begin, history, SIZE) == hole
    assert layout.hole(reversed(names), begin, history, SIZE) == hole


def test_larger_segments_are_counted_by_their_size() -> None:
    large = ["00000001000000000000003E", "00000001000000000000003F", "000000010000000100000000"]
    assert layout.hole(large, large[0], None, 64 * 2**20) is None
    assert layout.hole(large, large[0], None, SIZE) is not None


class Store:
    """A bucket in memory, as the thread and a restore use it."""

    url, server, folder, name = "s3://shop", "shop-backups", "shop-backups", "shop"

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.away = False
        self.of: str | None = None
        self.bases: list[dict[str, Any]] = []
        self.ran: list[tuple[str, ...]] = []

    def claim(self, system: str, before: Collection[str] = ()) -> str | None:
        self._answer()
        return None if self.of in (None, system) else f"holds the backups of another database (system {self.of})"

    def put_wal(self, name: str, content: bytes) -> None:
        self._answer()
        self.kept[name] = content

    def put(self, key: str, body: bytes) -> None:
        self._answer()
        self.kept[key] = body

    def base_backups(self) -> list[dict[str, Any]]:
        self._answer()
        return self.bases

    def barman(self, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        self._answer()
        self.ran.append(command)
        description = Path(environment["BARMAN_BACKUP_INFO_PATH"])
        return subprocess.CompletedProcess(command, 0 if description.exists() else 2, "", f"no {description}")

    def _answer(self) -> None:
        if self.away:
            raise ConnectionError("Could not connect to the endpoint URL")


def away() -> str:
    """A primary that closes nothing."""
    raise ConnectionError


def sender(store: Store, catalog: Path, said: list[str] | None = None, close: Callable[[], str] = away) -> Shipping:
    (catalog / "streaming").mkdir(parents=True, exist_ok=True)
    told: list[str] = [] if said is None else said
    made: Any = store
    (catalog / "identity.json").write_text('{"systemid": "7"}')
    outgoing = BarmanOutgoing(made, catalog, close=close, newest=lambda: "20261126T030000")
    return Shipping(made, outgoing, catalog / "drills.jsonl", told.append)


def receive(catalog: Path, name: str, *, archived: bool = False, age: float = 0) -> None:
    folder = catalog / "wals" / name[:16] if archived else catalog / "streaming"
    folder.mkdir(parents=True, exist_ok=True)
    content = f"content of {name}".encode()
    (folder / name).write_bytes(gzip.compress(content) if archived else content)
    os.utime(folder / name, (time.time() - age, time.time() - age))


def test_the_history_of_a_timeline_is_sent_too(tmp_path: Path) -> None:
    """Barman archives it beside the directories of segments, whose names are as long as its own."""
    catalog, store = tmp_path / "tierstack", Store()
    receive(catalog, NEXT_SEGMENT)
    (catalog / "wals").mkdir()
    (catalog / "wals" / NEXT_HISTORY).write_bytes(gzip.compress(b"1"))
    sending = sender(store, catalog)
    sending.round()
    assert [*store.kept] == [NEXT_HISTORY, NEXT_SEGMENT]
    assert sending.faults() == ["there is no base backup in s3://shop/shop-backups"]


def test_the_segment_that_was_closed_is_sent_in_the_same_round(tmp_path: Path) -> None:
    catalog, store, arrived = tmp_path / "tierstack", Store(), list[threading.Timer]()
    receive(catalog, FIRST)

    def close() -> str:
        """The stream brings the segment a moment later."""
        arrived.append(threading.Timer(0.3, receive, (catalog, SECOND)))
        arrived[0].start()
        return SECOND

    sender(store, catalog, close=close).round()
    assert [*store.kept] == [FIRST, SECOND]


def test_a_segment_that_does_not_arrive_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(barman_outgoing, "ARRIVAL_SECONDS", 0.2)
    store = Store()
    receive(tmp_path, FIRST)
    sender(store, tmp_path, close=lambda: SECOND).round()
    assert [*store.kept] == [FIRST]


def test_it_sends_from_wherever_a_segment_is(tmp_path: Path) -> None:
    catalog = tmp_path / "tierstack"
    store = Store()
    receive(catalog, FIRST, archived=True)
    receive(catalog, SECOND)
    (catalog / "streaming" / f"{THIRD}.partial").write_bytes(b"open")
    sending = sender(store, catalog)
    sending.round()
    assert list(store.kept) == [FIRST, SECOND]
    assert sending.shipped is not None
    assert (sending.shipped.sent_wal, sending.shipped.backlog, sending.shipped.error) == (SECOND, 0, None)
    again = sender(store, catalog)  # another process, after a restart
    store.kept.clear()
    again.round()
    assert store.kept == {}


@pytest.mark.parametrize("place", ["meta/20261126T030000-backup.info", "base/20261126T030000/backup.info"])
def test_a_base_backup_is_stored_from_where_barman_describes_it(tmp_path: Path, place: str) -> None:
    catalog, store, said = tmp_path / "tierstack", Store(), list[str]()
    sending = sender(store, catalog, said)
    receive(catalog, FIRST)
    sending.round()
    (catalog / place).parent.mkdir(parents=True)
    (catalog / place).write_text("")
    sending.send_base()
    assert store.ran == [("backup", "--gzip", store.url, store.server)]
    assert [line for line in said if "was not stored" in line] == []


def test_a_store_that_is_away_piles_up_and_drains(tmp_path: Path) -> None:
    catalog, store, said = tmp_path / "tierstack", Store(), list[str]()
    sending = sender(store, catalog, said)
    receive(catalog, FIRST)
    sending.round()
    store.away = True
    receive(catalog, SECOND, age=600)
    receive(catalog, THIRD, archived=True)
    sending.round()
    sending.round()
    assert said == ["not sent: Could not connect to the endpoint URL"]
    (fault,) = [one for one in sending.faults() if "segments" in one]
    assert fault.startswith(
        "2 segments of the write-ahead log are not in s3://shop/shop-backups, the oldest of 600 s: Could"
    )
    shown = metrics.values(document(sending))
    assert (shown["store_backlog_segments"], shown["store_behind_seconds"] > 590) == (2, True)
    store.away = False
    sending.round()
    assert list(store.kept) == [FIRST, SECOND, THIRD]
    assert not [one for one in sending.faults() if "segments" in one]


def document(sending: Shipping) -> dict[str, Any]:
    nothing: dict[str, Any] = {"free_bytes": None, "size_bytes": None}
    names = ("healthy", "wal_streaming", "base_backup_late", "last_backup", "restorable_from", "wal_lag_bytes")
    return {
        **dict.fromkeys(names),
        "catalog": nothing,
        "checked_at": "2026-11-26T10:00:00Z",
        "store": sending.document(),
    }


def test_a_bucket_of_another_system_gets_nothing(tmp_path: Path) -> None:
    catalog, store = tmp_path / "tierstack", Store()
    store.of = "8"
    receive(catalog, FIRST)
    sending = sender(store, catalog)
    sending.round()
    sending.send_base()
    assert store.kept == {}
    assert any("another database (system 8)" in one for one in sending.faults())


@pytest.mark.parametrize(
    ("shipped", "newest", "says"),
    [
        (None, None, ["nothing is in s3://shop yet"]),
        (Shipped(base="20261126T030000"), "20261126T030000", []),
        (Shipped(base="20261125T030000"), "20261126T030000", []),
        (Shipped(), "20261126T030000", ["there is no base backup in s3://shop"]),
        (Shipped(base="x", error="AccessDenied"), "x", ["s3://shop: AccessDenied"]),
        (
            Shipped(base="x", backlog=3, behind_seconds=121),
            "x",
            ["3 segments of the write-ahead log are not in s3://shop, the oldest of 121 s"],
        ),
        (Shipped(base="x", backlog=3, behind_seconds=119), "x", []),
    ],
)
def test_faults(shipped: Shipped | None, newest: str | None, says: list[str]) -> None:
    assert shipping.faults(shipped, newest, "s3://shop", BarmanOutgoing.parts) == says


# Restores -----------------------------------------------------------------------------------------------------------


STORE = StoreAt(config="shop-backups-fetch-config", network="shop-storage-network", ca="shop-storage-ca")
SOURCE = Source(catalog="catalog", config="config", image="barman", store=STORE)


def test_a_restore_reads_the_bucket_and_has_neither_the_catalog_nor_the_key_that_writes() -> None:
    steps = restore.commands(SOURCE, aside="aside", postgres_image="postgres", time="2026-11-26T10:00:00Z")
    reading = next(step.command for step in steps if step.what == restore.RESTORE)
    mounted = {reading[at + 1].partition(":")[0] for at, one in enumerate(reading) if one == "-v"}
    assert mounted == {"shop-backups-fetch-config", "shop-storage-ca", "aside"}
    assert reading[reading.index("--network") + 1] == "shop-storage-network"
    assert reading[-7:] == [*restore.FETCH, "--to", "/restore/data", "--time", "2026-11-26T10:00:00Z"]
    others = [step.command for step in steps if step.what != restore.RESTORE and "run" in step.command]
    assert all(one[one.index("--network") + 1] == "none" for one in others)


def test_what_a_command_needs_to_know_survives_the_state() -> None:
    described = OnDocker(
        docker_host=None, agent="a", catalog="c", config="f", image="i", server="s", database="d",
        max_lost_seconds=60, max_minutes=60, store=STORE,
    )  # fmt: skip
    assert parsed(described.text()) == described


class Reading(Store):
    def __init__(self, wals: list[StoredWal], bases: list[dict[str, Any]]) -> None:
        super().__init__()
        self._wals, self.bases = wals, bases
        self.damaged: list[str] = []

    def wals(self) -> list[StoredWal]:
        return self._wals

    def histories(self, wals: list[StoredWal]) -> dict[str, str]:
        return {one.name: HISTORIES[one.name] for one in wals if layout.HISTORY.fullmatch(one.name)}

    def barman(self, *command: str) -> Any:
        self.ran.append(command)
        return type("Done", (), {"returncode": 0, "stdout": "", "stderr": ""})

    def fetch(self, wals: list[StoredWal], into: Path) -> list[str]:
        for one in wals:
            (into / one.name).touch()
        return self.damaged


def base(identifier: str, begin_wal: str, end: datetime) -> dict[str, Any]:
    return {
        "backup_id": identifier,
        "status": "DONE",
        "end_time_timestamp": end.timestamp(),
        "begin_wal": begin_wal,
        "segment_bytes": 16 * 2**20,
        "size_bytes": 1,
    }


HISTORIES = {
    NEXT_HISTORY: "1\t0/2000128\tno recovery target specified\n",
    "00000003.history": "1\t0/2000300\tbefore 2026-11-25 05:00:00+00\n",
}
"""Both timelines left the first one: the second restore went back behind the first one."""


@pytest.mark.parametrize(
    ("at", "base", "wals", "follow"),
    [
        # The newest timeline, from a base backup that leads there: neither that of the timeline which it has left, nor
        # one of the first timeline that ended after that was left.
        (None, "20261125T030000", ["00000001", "00000003"], "3"),
        # Timeline 3 had not begun.
        (datetime(2026, 11, 26, 12, tzinfo=UTC), "20261126T060000", ["00000002"], "2"),
        # No other timeline had begun: what was later abandoned is the history of then.
        (datetime(2026, 11, 25, 12, tzinfo=UTC), "20261125T090000", ["00000001"], "current"),
    ],
)
def test_a_restore_follows_one_timeline(at: datetime | None, base: str, wals: list[str], follow: str) -> None:
    began = {2: datetime(2026, 11, 26, tzinfo=UTC).timestamp(), 3: datetime(2026, 11, 27, tzinfo=UTC).timestamp()}
    every = [
        *stored(FIRST, SECOND, THIRD),
        *(one._replace(stored_at=began[2]) for one in stored(NEXT_HISTORY, NEXT_SEGMENT, "000000020000000000000003")),
        *(one._replace(stored_at=began[3]) for one in stored("00000003.history", "000000030000000000000002")),
    ]
    bases = [
        based("20261125T030000", FIRST, datetime(2026, 11, 25, 3, tzinfo=UTC), "0/1000100"),
        based("20261125T090000", SECOND, datetime(2026, 11, 25, 9, tzinfo=UTC), "0/2000400"),
        based("20261126T060000", NEXT_SEGMENT, datetime(2026, 11, 26, 6, tzinfo=UTC), "0/2000900"),
    ]
    found = choice.choose(every, bases, HISTORIES, at)
    assert found is not None
    assert (found.base.id, found.timeline) == (base, follow)
    # Every history: the restored server begins a timeline whose number none of them has.
    assert {one.name for one in found.wals if layout.HISTORY.fullmatch(one.name)} == {*HISTORIES}
    assert sorted({one.name[:8] for one in found.wals if layout.SEGMENT.fullmatch(one.name)}) == wals


def based(identifier: str, begin_wal: str, end: datetime, end_xlog: str) -> dict[str, Any]:
    return {**base(identifier, begin_wal, end), "end_xlog": end_xlog}


def test_a_restore_to_a_moment_starts_from_the_base_backup_before_it(tmp_path: Path) -> None:
    at = datetime(2026, 11, 25, 12, tzinfo=UTC)
    bases = [
        base("20261125T030000", FIRST, datetime(2026, 11, 25, 3, 1, tzinfo=UTC)),
        base("20261126T030000", THIRD, datetime(2026, 11, 26, 3, 1, tzinfo=UTC)),
    ]
    now = datetime(2026, 11, 26, 10, tzinfo=UTC).timestamp()
    wals = [one._replace(stored_at=now) for one in stored(FIRST, SECOND, THIRD, "000000010000000000000004")]
    bucket: Any = Reading(wals, bases)
    data = tmp_path / "data"
    assert fetch.restore(bucket, data, at) == 0
    assert bucket.ran == [("restore", "s3://shop", "shop-backups", "20261125T030000", str(data))]
    assert sorted(one.name for one in (data / "barman_wal").iterdir()) == [FIRST, SECOND, THIRD]
    settings = (data / "restore.conf").read_text()
    assert "recovery_target_time = '2026-11-25 12:00:00+00:00'" in settings
    assert "recovery_target_timeline = 'current'" in settings
    assert "listen_addresses = ''" in settings


@pytest.mark.parametrize(
    ("at", "code", "says"),
    [
        (datetime(2026, 11, 24, tzinfo=UTC), 1, "no base backup had ended by then in s3://shop/shop-backups"),
        (datetime(2026, 11, 26, 11, tzinfo=UTC), 2, "is after the last WAL"),
    ],
)
def test_a_moment_that_the_bucket_cannot_give_is_refused(
    tmp_path: Path, at: datetime, code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bases = [base("20261125T030000", FIRST, datetime(2026, 11, 25, 3, 1, tzinfo=UTC))]
    last = datetime(2026, 11, 26, 10, tzinfo=UTC).timestamp()
    bucket: Any = Reading([one._replace(stored_at=last) for one in stored(FIRST)], bases)
    assert fetch.restore(bucket, tmp_path / "data", at) == code
    assert says in capsys.readouterr().out
    assert bucket.ran == []


@pytest.mark.parametrize("damaged", [False, True])
def test_a_hole_in_the_bucket_is_told_before_anything_is_copied(
    tmp_path: Path, damaged: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    bases = [base("20261125T030000", FIRST, datetime(2026, 11, 25, 3, 1, tzinfo=UTC))]
    names = (FIRST, SECOND, THIRD) if damaged else (FIRST, THIRD)
    hours = {FIRST: 10, SECOND: 11, THIRD: 12}
    wals = [
        one._replace(stored_at=datetime(2026, 11, 26, hours[one.name], tzinfo=UTC).timestamp())
        for one in stored(*names)
    ]
    bucket: Any = Reading(wals, bases)
    bucket.damaged = [SECOND] if damaged else []
    data = tmp_path / "data"
    for at in (None, datetime(2026, 11, 26, 11, 30, tzinfo=UTC)):
        assert fetch.restore(bucket, data, at) == 2
        said = capsys.readouterr().out
        assert f"the write-ahead log has a hole: segment {SECOND} missing or damaged" in said
        assert "Restore to a moment before 2026-11-26T10:00:00Z" in said
        assert (bucket.ran, list(tmp_path.iterdir())) == ([], [])
    assert fetch.restore(bucket, data, datetime(2026, 11, 26, 9, 59, tzinfo=UTC)) == 0
    assert (data / "barman_wal" / FIRST).exists()


# Pruning ------------------------------------------------------------------------------------------------------------

NOW = datetime(2026, 11, 26, tzinfo=UTC)
OLD, NEW = NOW - timedelta(days=30), NOW - timedelta(days=1)


def version(key: str, at: datetime, *, latest: bool, mark: bool = False, identifier: str = "v") -> dict[str, Any]:
    found: dict[str, Any] = {"Key": key, "VersionId": f"{identifier}-{key}", "LastModified": at, "IsLatest": latest}
    return found if mark else found | {"Size": 1}


class Versions(Store):
    """A bucket with versions, some of them locked."""

    def __init__(self, versions: list[dict[str, Any]], locked: str = "") -> None:
        super().__init__()
        self.versions, self.locked = versions, locked
        self.removed: list[str] = []
        self.s3 = self

    def get_paginator(self, _: str) -> "Versions":
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        marks = [one for one in self.versions if "Size" not in one]
        return [{"Versions": [one for one in self.versions if "Size" in one], "DeleteMarkers": marks}]

    def delete_object(self, VersionId: str, **_: str) -> None:
        if VersionId == self.locked:
            error = RuntimeError("locked")
            error.response = {"Error": {"Code": "AccessDenied"}}  # type: ignore[attr-defined]
            raise error
        self.removed.append(VersionId)


def pruned(versions: list[dict[str, Any]], locked: str = "") -> list[str]:
    bucket: Any = Versions(versions, locked)
    pruning.versions(bucket, NOW - timedelta(days=14))
    return bucket.removed


def test_only_what_is_superseded_and_older_than_the_window_goes() -> None:
    versions = [
        version("current", OLD, latest=True),
        version("replaced", NEW, latest=True),
        version("replaced", OLD, latest=False, identifier="old"),
        version("young", NEW, latest=False),
        version("young", NEW, latest=True, mark=True, identifier="mark"),
    ]
    assert pruned(versions) == ["old-replaced"]


def test_a_mark_of_deletion_outlives_what_it_hides() -> None:
    versions = [
        version("gone", OLD, latest=False),
        version("gone", OLD, latest=True, mark=True, identifier="mark"),
    ]
    assert pruned(versions, locked="v-gone") == []  # else the locked version would be the object again
    assert pruned(versions) == ["v-gone", "mark-gone"]


def test_keys_stand_in_profiles() -> None:
    assert (
        credentials({"drill": ("id", "secret")}) == "[drill]\naws_access_key_id = id\naws_secret_access_key = secret\n"
    )
