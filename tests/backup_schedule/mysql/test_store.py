"""Backups of a MySQL in a bucket, without one: what is sent in which order, what a restore takes of it and refuses, and
what is pruned."""

import gzip
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.backup_schedule.mysql.logs import NOON, OTHER, SECOND, SERVER, log, transaction, written
from tests.backup_schedule.mysql.store import FOLDER, Memory, in_memory
from tests.backup_schedule.mysql.test_replay import copy, seconds
from tierstack.backup_schedule import status
from tierstack.backup_schedule.mysql import copies, fetch, outgoing, parts, prune, replay, server
from tierstack.backup_schedule.mysql.bucket import MySQLBucket
from tierstack.backup_schedule.mysql.catalog import ARRIVING, LOGS, Catalog, Copy
from tierstack.backup_schedule.mysql.outgoing import MySQLOutgoing
from tierstack.backup_schedule.mysql.parts import Part, part_of
from tierstack.backup_schedule.mysql.replay import Goal, RestoreError
from tierstack.backup_schedule.shipping import Shipping
from tierstack.core.gtids import Gtid

pytestmark = pytest.mark.pure


def part(begin: int, end: int) -> Part:
    return Part(SERVER, "binlog.000001", begin, end)


def test_the_key_of_a_part_says_what_it_is() -> None:
    one = part(4711, 9000)
    assert one.name == f"logs/{SERVER}/binlog.000001/000000004711-000000009000.gz"
    assert part_of(one.name) == one
    assert part_of(f"logs/{SERVER}/binlog.000001/readme") is None


@pytest.mark.parametrize(
    ("held", "damaged", "reached", "says"),
    [
        ([(0, 10), (10, 20)], [], 20, None),
        ([(10, 20), (0, 10)], [], 20, None),
        ([(0, 10), (0, 15), (15, 20)], [], 20, None),  # stored, not noted before a crash, and stored again
        ([(0, 10), (20, 30)], [], 10, "lacks its bytes 10 to 20"),
        ([(10, 20)], [], 0, "lacks its bytes 0 to 10"),
        ([(0, 10), (10, 20), (20, 30)], [(10, 20)], 10, "lacks its bytes 10 to 20"),
        ([(0, 10), (10, 20)], [(10, 20)], 10, "lacks its bytes 10 to 20"),
        ([(0, 10), (0, 15)], [(0, 10)], 15, None),
        ([], [], 0, None),
    ],
)
def test_holes(held: list[tuple[int, int]], damaged: list[tuple[int, int]], reached: int, says: str | None) -> None:
    every, bad = [part(*one) for one in held], [part(*one) for one in damaged]
    assert parts.reach(one for one in every if one not in bad) == reached
    assert (parts.hole(every, bad) or "").partition(":")[0] == (says or "")


# Sending ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> tuple[MySQLBucket, Memory]:
    return in_memory(monkeypatch)


class Agent:
    """A catalog, and what sends from it."""

    def __init__(self, root: Path, bucket: MySQLBucket) -> None:
        self.catalog, self.said = Catalog(root), list[str]()
        self.outgoing = MySQLOutgoing(bucket, self.catalog, self._newest)
        self.shipping = Shipping(bucket, self.outgoing, root / "drills.jsonl", self.said.append)

    def _newest(self) -> str | None:
        return next((one.id for one in reversed(self.catalog.copies())), None)


FIRST = log("", [transaction(number, NOON + number * SECOND) for number in (1, 2, 3)])
OPEN = log(f"{SERVER}:1-3", [transaction(number, NOON + number * SECOND) for number in (4, 5)], closed=False)


@pytest.fixture
def agent(tmp_path: Path, stored: tuple[MySQLBucket, Memory]) -> Agent:
    """A copy with transactions 1 and 2, a log that is complete, and the next one, which is being written."""
    root = tmp_path / "catalog"
    written(root / LOGS / SERVER, FIRST)
    written(root / ARRIVING / SERVER, OPEN, first=2)
    (root / "history").write_text(f"{SERVER}\n")
    made = copy(root, 2, f"{SERVER}:1-2")
    data = root / "copies" / made.id / "data"
    (data / "shop").mkdir(parents=True)
    (data / "shop" / "orders.ibd").write_bytes(b"orders" * 1000)
    (data / "mysql.ibd").write_bytes(b"")
    described = replace(made, files=copies.manifest(data), folders=["app", "shop"])
    (root / "copies" / made.id / "copy.json").write_text(described.text())
    return Agent(root, stored[0])


def logs_of(kept: Memory, history: str = SERVER) -> dict[str, bytes]:
    """The logs in a bucket, put together."""
    found: dict[str, bytearray] = {}
    for name in kept.names(f"logs/{history}/"):
        one = part_of(name)
        assert one
        content = gzip.decompress(kept.kept[FOLDER + name])
        assert len(content) == one.end - one.begin
        found.setdefault(one.log, bytearray())[one.begin : one.end] = content
    return {name: bytes(content) for name, content in found.items()}


def test_what_has_arrived_is_sent_also_of_the_log_that_is_open(
    agent: Agent, stored: tuple[MySQLBucket, Memory]
) -> None:
    kept = stored[1]
    agent.shipping.round()
    assert agent.said == []
    assert logs_of(kept) == {"binlog.000001": FIRST, "binlog.000002": OPEN}
    sent = len(kept.puts)
    agent.shipping.round()
    assert len(kept.puts) == sent, "nothing twice"
    more = OPEN + transaction(6, NOON + 6 * SECOND)
    (agent.catalog.root / ARRIVING / SERVER / "binlog.000002").write_bytes(more)
    agent.shipping.round()
    assert part_of(kept.puts[-1].removeprefix(FOLDER)) == Part(SERVER, "binlog.000002", len(OPEN), len(more))
    assert logs_of(kept)["binlog.000002"] == more
    assert agent.shipping.document() is not None
    assert (agent.shipping.shipped.sent_wal, agent.shipping.shipped.backlog) == (f"binlog.000002:{len(more)}", 0)  # type: ignore[union-attr]


def test_a_log_that_comes_anew_is_sent_once(agent: Agent, stored: tuple[MySQLBucket, Memory]) -> None:
    """`mysqlbinlog` begins a file anew when it is started again: what was here is in `logs` then."""
    kept, root = stored[1], agent.catalog.root
    agent.shipping.round()
    arriving = root / ARRIVING / SERVER / "binlog.000002"
    arriving.rename(root / LOGS / SERVER / "binlog.000002")
    arriving.write_bytes(OPEN[:100])
    sent = len(kept.puts)
    agent.shipping.round()
    arriving.write_bytes(OPEN + transaction(6, NOON + 6 * SECOND))
    agent.shipping.round()
    assert len(kept.puts) == sent + 1
    # A log of the same name after RESET BINARY LOGS AND GTIDS is no part of this one.
    arriving.write_bytes(log("", [transaction(number, NOON + 7) for number in range(1, 9)], closed=False))
    agent.shipping.round()
    assert len(kept.puts) == sent + 1


@pytest.mark.parametrize("gone", ["binlog.000001", "binlog.000002"])
def test_a_log_that_the_stream_moves_meanwhile_is_not_passed_over(
    agent: Agent, stored: tuple[MySQLBucket, Memory], monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    """It is moved after one folder was listed, and before the other."""
    last = log(f"{SERVER}:1-5", [transaction(6, NOON + 6 * SECOND)], closed=False)
    written(agent.catalog.root / ARRIVING / SERVER, last, first=3)
    logs, looks = Catalog.logs, [0]

    def moving(catalog: Catalog, history: str) -> dict[str, Path]:
        looks[0] += 1
        found = logs(catalog, history)
        return {name: path for name, path in found.items() if looks[0] > 1 or name != gone}

    monkeypatch.setattr(Catalog, "logs", moving)
    agent.shipping.round()
    assert logs_of(stored[1]) == {"binlog.000001": FIRST, "binlog.000002": OPEN, "binlog.000003": last}


def test_large_logs_go_in_parts(
    agent: Agent, stored: tuple[MySQLBucket, Memory], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "PART_BYTES", 100)
    agent.shipping.round()
    assert len(stored[1].puts) > len(FIRST + OPEN) / 100
    assert logs_of(stored[1]) == {"binlog.000001": FIRST, "binlog.000002": OPEN}


def test_a_store_that_is_away_piles_up_and_drains(
    agent: Agent, stored: tuple[MySQLBucket, Memory], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, now = stored[1], [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    agent.shipping.round()
    agent.shipping.send_base()
    kept.away = True
    arriving = agent.catalog.root / ARRIVING / SERVER / "binlog.000002"
    for number in (6, 7):
        with arriving.open("ab") as file:
            file.write(transaction(number, NOON + number * SECOND))
        agent.shipping.round()
        now[0] += 150
    agent.shipping.round()
    assert agent.said[1:] == ["not sent: Could not connect to the endpoint URL"]
    assert agent.shipping.faults() == [
        "1 parts of the binary logs are not in s3://shop/prod/backups, the oldest of 300 s: Could not connect to the "
        "endpoint URL"
    ]
    kept.away = False
    agent.shipping.round()
    assert agent.shipping.faults() == []
    assert logs_of(kept)["binlog.000002"] == arriving.read_bytes()


def test_a_base_backup_counts_when_all_of_it_is_there(agent: Agent, stored: tuple[MySQLBucket, Memory]) -> None:
    bucket, kept = stored
    agent.shipping.round()
    agent.shipping.send_base()
    identifier = agent.catalog.copies()[0].id
    assert kept.puts[-1] == f"{FOLDER}copies/{identifier}/copy.json", "the mark comes last"
    assert bucket.copies() == agent.catalog.copies()
    assert [one.id for one in agent.outgoing.stored()] == [identifier]
    assert agent.shipping.faults() == []
    # An attempt that was interrupted: what is there stays, the rest follows.
    del kept.kept[f"{FOLDER}copies/{identifier}/copy.json"], kept.kept[f"{FOLDER}copies/{identifier}/data/mysql.ibd.gz"]
    assert bucket.copies() == []
    kept.puts.clear()
    agent.shipping.shipped.base = None  # type: ignore[union-attr]
    agent.shipping.send_base()
    assert [one.rpartition("/")[2] for one in kept.puts] == ["mysql.ibd.gz", "copy.json"]


def test_the_folder_of_another_server_gets_nothing(
    agent: Agent, stored: tuple[MySQLBucket, Memory], monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, kept = stored
    assert bucket.claim(OTHER) is None
    agent.shipping.round()
    agent.shipping.send_base()
    assert kept.names() == ["identity.json"]
    assert f"holds the backups of another database (system {OTHER}, and this one is {SERVER})" in str(agent.said)
    # One that has the transactions of the other goes on with its data: it was restored, or promoted.
    (made,) = agent.catalog.copies()
    described = agent.catalog.root / "copies" / made.id / "copy.json"
    described.write_text(replace(made, gtids=f"{SERVER}:1-2,{OTHER}:1-100").text())
    agent.shipping.round()
    assert logs_of(kept)
    # A server without a base backup yet is asked itself.
    (agent.catalog.root / "history").write_text("5e11fa47-71ca-11e1-9e33-c80aa9429562\n")
    monkeypatch.setattr(server, "executed", lambda: f"{SERVER}:1-5\n")
    agent.shipping.round()
    assert "another database (system" in agent.said[-1]


def test_backups_of_nobody_knows_what_are_not_added_to(agent: Agent, stored: tuple[MySQLBucket, Memory]) -> None:
    bucket, kept = stored
    bucket.put("logs/x/binlog.000001/000-001.gz", b"")
    agent.shipping.round()
    assert len(kept.kept) == 1
    assert "holds backups, and nothing says of which database" in agent.said[-1]


# Restoring ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def full(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> Agent:
    """What the bucket has of it, each transaction of the open log in a part of its own."""
    arriving = agent.catalog.root / ARRIVING / SERVER / "binlog.000002"
    for number in (6, 7, 8):
        agent.shipping.round()
        with arriving.open("ab") as file:
            file.write(transaction(number, NOON + number * SECOND))
    agent.shipping.round()
    agent.shipping.send_base()
    return agent


def received(full: Agent, bucket: MySQLBucket, **goal: object) -> str:
    """The transactions that a restore would have."""
    wanted = Goal(**goal)  # type: ignore[arg-type]
    to = full.catalog.root.parent / "restore" / "data"
    found = fetch.receive(bucket, Catalog(to.parent / "data.catalog"), to, wanted)
    return str(replay.choose(found.catalog, wanted, found.lengths, found.holes).gtids)


def open_parts(kept: Memory) -> list[str]:
    return [FOLDER + one for one in kept.names(f"logs/{SERVER}/binlog.000002/")]


def test_a_restore_has_what_the_catalog_had(full: Agent, stored: tuple[MySQLBucket, Memory], tmp_path: Path) -> None:
    bucket = stored[0]
    assert received(full, bucket) == f"{SERVER}:1-8"
    assert received(full, bucket, at=seconds(6.5)) == f"{SERVER}:1-6"
    assert received(full, bucket, gtid=Gtid(SERVER, 7)) == f"{SERVER}:1-7"
    (made,) = bucket.copies()
    fetch.bring(bucket, made, tmp_path / "to")
    assert (tmp_path / "to" / "shop" / "orders.ibd").read_bytes() == b"orders" * 1000
    assert (tmp_path / "to" / "app").is_dir()


def test_logs_after_the_copy_that_follows_a_moment_are_left_where_they_are(
    full: Agent, stored: tuple[MySQLBucket, Memory]
) -> None:
    bucket, kept = stored
    (made,) = bucket.copies()
    later: Copy = replace(
        made, id="20261126T120007", begin=seconds(7.5).isoformat(), end=seconds(7.6).isoformat(),
        first_log="binlog.000001", gtids=f"{SERVER}:1-3",
    )  # fmt: skip
    bucket.put(parts.mark_of(later.id), later.text().encode())
    wanted = fetch.needed(bucket.parts(), made, bucket.copies(), Goal(seconds(3.2)))
    assert {one.part.log for one in wanted} == {"binlog.000001"}
    # Nothing in that log is later than the moment; that the copy has no more says that nothing is missing.
    assert received(full, bucket, at=seconds(3.2)) == f"{SERVER}:1-3"
    del kept.kept[f"{FOLDER}{parts.mark_of(later.id)}"]
    assert received(full, bucket, at=seconds(3.2)) == f"{SERVER}:1-3"


def test_a_moment_after_everything_that_arrived_is_refused(full: Agent, stored: tuple[MySQLBucket, Memory]) -> None:
    with pytest.raises(RestoreError, match="is after the last binary log, which arrived at 2026-11-26T12:00:08Z"):
        received(full, stored[0], at=seconds(9))
    with pytest.raises(RestoreError, match="no base backup had ended by then"):
        received(full, stored[0], at=seconds(-100))


def removed(kept: Memory, key: str) -> None:
    del kept.kept[key]


def cut(kept: Memory, key: str) -> None:
    kept.kept[key] = kept.kept[key][:-9]


def flipped(kept: Memory, key: str) -> None:
    content = bytearray(kept.kept[key])
    content[len(content) // 2] ^= 1
    kept.kept[key] = bytes(content)


@pytest.mark.parametrize("damage", [removed, cut, flipped])
def test_a_hole_is_one_refusal_that_says_what_can_be_restored(
    full: Agent, stored: tuple[MySQLBucket, Memory], damage: Callable[[Memory, str], None]
) -> None:
    bucket, kept = stored
    damage(kept, open_parts(kept)[2])  # transaction 7
    with pytest.raises(RestoreError, match=r"binlog.000002 lacks its bytes [\d,]+ to [\d,]+") as error:
        received(full, bucket)
    assert str(error.value).endswith(f"--to {SERVER}:6")
    assert received(full, bucket, gtid=Gtid(SERVER, 6)) == f"{SERVER}:1-6", "as the message says"
    assert received(full, bucket, at=seconds(5)) == f"{SERVER}:1-5", "what is before it can be restored"
    with pytest.raises(RestoreError, match="lacks its bytes"):
        received(full, bucket, at=seconds(7))


def test_a_log_that_is_missing_or_lacks_its_end(full: Agent, stored: tuple[MySQLBucket, Memory]) -> None:
    bucket, kept = stored
    (first,) = [FOLDER + one for one in kept.names(f"logs/{SERVER}/binlog.000001/")]
    whole = kept.kept.pop(first)
    with pytest.raises(RestoreError, match=r"the binary log binlog\.000001 is missing"):
        received(full, bucket)
    short = FIRST[:-800]
    kept.kept[f"{FOLDER}{part(0, len(short)).name}"] = gzip.compress(short)
    kept.at[f"{FOLDER}{part(0, len(short)).name}"] = kept.now
    with pytest.raises(RestoreError, match=r"binlog\.000001 ends within .* transactions are missing"):
        received(full, bucket)
    assert whole


def test_the_beginning_of_a_log_is_missed_too(full: Agent, stored: tuple[MySQLBucket, Memory]) -> None:
    removed(stored[1], open_parts(stored[1])[0])
    with pytest.raises(RestoreError, match=r"binlog\.000002 lacks its bytes 0 to"):
        received(full, stored[0])


@pytest.mark.parametrize(
    ("damage", "says"),
    [(removed, "lacks the file"), (cut, "is not what was written"), (flipped, "is damaged|is not what")],
)
def test_a_file_of_a_base_backup_that_is_damaged(
    full: Agent, stored: tuple[MySQLBucket, Memory], tmp_path: Path, damage: Callable[[Memory, str], None], says: str
) -> None:
    bucket, kept = stored
    (made,) = bucket.copies()
    damage(kept, f"{FOLDER}copies/{made.id}/data/shop/orders.ibd.gz")
    with pytest.raises(copies.CopyError, match=says) as error:
        fetch.bring(bucket, made, tmp_path / "to")
    assert "restore to a moment that an older copy serves" in str(error.value)


def test_a_restore_removes_what_it_made_beside(
    full: Agent, stored: tuple[MySQLBucket, Memory], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket, kept = stored
    removed(kept, open_parts(kept)[1])
    (tmp_path / "restore").mkdir()
    assert fetch.restore(bucket, tmp_path / "restore" / "data", Goal()) == 1
    lines = capsys.readouterr().out.splitlines()
    assert re.search(r"what was received by now is restored: \S+$", lines[0])
    assert len(lines) == 2
    assert list((tmp_path / "restore").iterdir()) == []


# Pruning ------------------------------------------------------------------------------------------------------------


def test_pruning_keeps_what_a_base_backup_of_the_window_needs(
    stored: tuple[MySQLBucket, Memory], tmp_path: Path
) -> None:
    bucket, kept = stored
    day = 86400
    ids: list[str] = []
    for ended, first_log in ((-5 * day, 1), (-2 * day, 3), (0, 4)):
        made = copy(tmp_path, ended, "", f"binlog.{first_log:06}")
        bucket.put(f"{parts.data_of(made.id)}mysql.ibd.gz", b"x")
        bucket.put(parts.mark_of(made.id), made.text().encode())
        ids.append(made.id)
    for number in range(1, 6):
        bucket.put(f"logs/{SERVER}/binlog.{number:06}/000000000000-000000000001.gz", b"x")
    bucket.put("copies/20261101T000000/data/mysql.ibd.gz", b"x")  # it never became one
    bucket.put("copies/20261126T130000/data/mysql.ibd.gz", b"x")  # it is being stored
    kept.now = seconds(-3600)
    bucket.put(f"logs/{OTHER}/binlog.000001/000000000000-000000000001.gz", b"x")  # of a server without base backups
    kept.now = seconds(60)
    bucket.put(f"logs/{OTHER}.2/binlog.000001/000000000000-000000000001.gz", b"x")  # its first one is about to come
    said = prune.prune(bucket, 1, 1, seconds(60))
    assert said == "window of 1 days: removed 1 base backups (2 files), 3 parts of binary logs, 0 old versions"
    assert [one.id for one in bucket.copies()] == ids[1:]
    assert [one.split("/")[1] for one in kept.names("copies/")] == [ids[1], ids[1], ids[2], ids[2], "20261126T130000"]
    assert [one.split("/")[1:3] for one in kept.names("logs/")] == [
        *[[SERVER, f"binlog.{number:06}"] for number in (3, 4, 5)],
        [f"{OTHER}.2", "binlog.000001"],
    ]
    assert prune.prune(bucket, 1, 1, seconds(60)).startswith("window of 1 days: removed 0 base backups (0 files), 0")


def test_nothing_goes_before_there_is_a_base_backup(stored: tuple[MySQLBucket, Memory]) -> None:
    bucket, kept = stored
    bucket.put(f"logs/{SERVER}/binlog.000001/000000000000-000000000001.gz", b"x")
    assert prune.prune(bucket, 1, 1, seconds(0) + timedelta(days=99)) == "no base backup yet: nothing to remove"
    assert len(kept.kept) == 1


def test_the_newest_ones_stay_however_old(stored: tuple[MySQLBucket, Memory], tmp_path: Path) -> None:
    bucket = stored[0]
    for ended in (-9, -8, -7):
        made = copy(tmp_path, ended * 86400, "")
        bucket.put(parts.mark_of(made.id), made.text().encode())
    prune.prune(bucket, 1, 2, seconds(0))
    assert len(bucket.copies()) == 2
    assert status.newest(MySQLOutgoing(bucket, Catalog(tmp_path), lambda: None).stored()) is not None
