"""What the agent of a MySQL says of a primary, and how its stream goes on, without a server."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backup_schedule.mysql.logs import NOON, OTHER, SERVER, log, transaction, written
from tierstack.backup_schedule.mysql import agent, server
from tierstack.backup_schedule.mysql.catalog import ARRIVING, LOGS, Catalog
from tierstack.backup_schedule.mysql.stream import Stream
from tierstack.recovery.dialect import UnreadableError
from tierstack.recovery.mysql import MySQL

pytestmark = pytest.mark.pure

PRIMARY = {
    "version": "9.7.4",
    "gtid_mode": "ON",
    "log_bin": "1",
    "clone": "ACTIVE",
    "user": "tierstack_backup@%",
    **dict.fromkeys(agent.PRIVILEGES, "granted"),
}
IMAGE = "/usr/sbin/mysqld  Ver 9.7.4-1 for Linux on x86_64 (Debian)\n"


def test_a_primary_that_can_be_backed_up() -> None:
    assert agent.prepare_problems(PRIMARY, IMAGE) == []


def test_everything_that_is_wrong_with_a_primary_comes_at_once_with_its_remedy() -> None:
    wrong = {**PRIMARY, "version": "8.4.6", "gtid_mode": "OFF", "clone": "absent"}
    del wrong["BACKUP_ADMIN"], wrong["REPLICATION SLAVE"]
    version, gtid, clone, user, grant = agent.prepare_problems(wrong, IMAGE)
    assert version.startswith("the primary is MySQL 8.4.6, and the backup image has `/usr/sbin/mysqld  Ver 9.7.4-1")
    assert gtid == "gtid_mode of the primary is OFF: a restore to a moment needs GTIDs in binary logs"
    assert clone.endswith("start it with `plugin_load_add = mysql_clone.so`")
    assert user == "the user 'tierstack_backup'@'%' may not make backups. As a superuser, run:"
    assert grant == "GRANT BACKUP_ADMIN, REPLICATION SLAVE ON *.* TO 'tierstack_backup'@'%';"


class Primary:
    """What the stream asks of a primary."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self.uuid, self.logs = SERVER, {"binlog.000001": 500, "binlog.000002": 300}
        self.said: list[str] = []
        self.asked: list[str] = []
        monkeypatch.setattr(server, "primary_facts", lambda: {"server_uuid": self.uuid})
        monkeypatch.setattr(server, "log_sizes", lambda: self.logs)
        monkeypatch.setattr("subprocess.Popen", self._started)
        self.root = root

    def _started(self, command: list[str], **_: object) -> "Primary":
        self.asked.append(command[-1])
        return self

    def poll(self) -> int | None:
        return None

    def stream(self) -> Stream:
        return Stream(Catalog(self.root), {"name": "backups"}, self.said.append)


@pytest.fixture
def primary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Primary:
    return Primary(monkeypatch, tmp_path)


def test_a_stream_begins_at_the_newest_log_and_goes_on_at_the_last_that_is_here(primary: Primary) -> None:
    primary.stream().keep()
    assert primary.asked == ["binlog.000002"]
    assert (primary.root / "unbroken-since").exists()
    (primary.root / "unbroken-since").unlink()
    written(primary.root / ARRIVING / SERVER, log("", [transaction(1, NOON)], closed=False), first=2)
    primary.logs["binlog.000003"] = 200
    primary.stream().keep()
    assert primary.asked == ["binlog.000002"] * 2
    assert not (primary.root / "unbroken-since").exists(), "nothing is missing"
    assert [path.parent.parent.name for path in Catalog(primary.root).logs(SERVER).values()] == [LOGS]


@pytest.mark.parametrize("change", ["another server", "purged"])
def test_where_something_is_missing_a_new_history_begins(primary: Primary, change: str) -> None:
    primary.stream().keep()
    written(primary.root / ARRIVING / SERVER, log("", [transaction(1, NOON)], closed=False), first=2)
    (primary.root / "unbroken-since").unlink()
    if change == "purged":
        primary.logs = {"binlog.000007": 10}
    else:
        primary.uuid = OTHER
    primary.stream().keep()
    history = Catalog(primary.root).history()
    assert history == (f"{SERVER}.2" if change == "purged" else OTHER)
    assert (primary.root / "unbroken-since").exists()
    assert [*Catalog(primary.root).logs(SERVER)] == ["binlog.000002"], "what was here stays"
    assert [*Catalog(primary.root).logs(history or "")] == []


def test_a_log_that_is_another_than_the_one_of_its_name_replaces_nothing(primary: Primary) -> None:
    primary.stream().keep()
    (old,) = written(primary.root / LOGS / SERVER, log("", [transaction(1, NOON)], closed=False), first=2)
    before = old.read_bytes()
    written(primary.root / ARRIVING / SERVER, log("", [transaction(1, NOON + 7), transaction(2, NOON + 8)]), first=2)
    primary.stream().keep()
    assert old.read_bytes() == before
    assert any("is another file than the one that is here" in one for one in primary.said)
    assert Catalog(primary.root).history() == f"{SERVER}.2"


def test_what_had_arrived_is_never_replaced_by_something_shorter(primary: Primary) -> None:
    """The stream, and then the primary, ended while a log came anew."""
    primary.stream().keep()
    whole = log("", [transaction(number, NOON) for number in (1, 2, 3)], closed=False)
    (kept,) = written(primary.root / LOGS / SERVER, whole, first=2)
    written(primary.root / ARRIVING / SERVER, whole[:-400], first=2)
    primary.stream().keep()
    assert kept.read_bytes() == whole
    assert not list((primary.root / ARRIVING / SERVER).iterdir())


def test_logs_are_taken_over_when_they_are_complete_and_a_damaged_one_is_told(primary: Primary) -> None:
    stream = primary.stream()
    stream.keep()
    whole = log("", [transaction(1, NOON)])
    damaged = bytearray(log(f"{SERVER}:1", [transaction(2, NOON)]))
    damaged[-100] ^= 1
    written(primary.root / ARRIVING / SERVER, whole, first=2)
    stream.keep()
    assert not list((primary.root / LOGS / SERVER).iterdir()), "it may still grow"
    written(primary.root / ARRIVING / SERVER, bytes(damaged), b"", first=3)
    stream.keep()
    assert sorted(path.name for path in (primary.root / LOGS / SERVER).iterdir()) == ["binlog.000002", "binlog.000003"]
    assert stream.wrong
    assert stream.wrong[0].startswith("binlog.000003 is damaged at byte ")


@pytest.mark.parametrize(
    ("logs", "behind"),
    [
        ({"binlog.000001": 500, "binlog.000002": 100}, 0),
        ({"binlog.000001": 500, "binlog.000002": 130}, 30),
        ({"binlog.000002": 130, "binlog.000003": 50}, 80),
    ],
)
def test_what_the_stream_is_behind(primary: Primary, logs: dict[str, int], behind: int) -> None:
    stream = primary.stream()
    stream.keep()
    written(primary.root / ARRIVING / SERVER, bytes(100), first=2)
    assert stream.lag(logs) == behind


def answering(*answers: str) -> Callable[[str], str]:
    left = list(answers)
    return lambda _: left.pop(0)


def test_every_table_is_counted_and_read() -> None:
    tables = "SELECT COUNT(*) FROM `a`;\tCHECKSUM TABLE `a` EXTENDED;\nSELECT COUNT(*) FROM `b`;\tCHECKSUM TABLE `b`;\n"
    found = MySQL().contents(answering(tables, "3\n0\n", "app.a\t17\napp.b\t0\n"), "app")
    assert found.rows == [3, 0]
    with pytest.raises(UnreadableError, match=r"nothing for app\.b"):
        MySQL().contents(answering(tables, "3\n0\n", "app.a\t17\napp.b\tNULL\n"), "app")
    assert MySQL().contents(answering(""), "app").rows == []
    assert [MySQL().true(one) for one in ("1", "0", "NULL", "", "3")] == [True, False, False, False, True]
