"""Restores and drills of dumps on a host that is played: which dump is meant, and what is left where one fails."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tierstack.backup_schedule import ledger
from tierstack.backup_schedule.dumps import restore
from tierstack.backup_schedule.dumps.recovery import DumpsOnDocker
from tierstack.backup_schedule.recovery import parsed
from tierstack.backup_schedule.restic.repository import Snapshot
from tierstack.engine.project import UsageError
from tierstack.recovery import drill, dumps, dumps_drill, found
from tierstack.recovery.host import CommandError, Host

pytestmark = pytest.mark.pure
NOW = datetime(2026, 11, 27, 14, 0, tzinfo=UTC)
AT = DumpsOnDocker(
    docker_host=None, agent="shop-dumps-dumps", catalog="shop-dumps-catalog", config="shop-dumps-fetch-config",
    image="sha256:" + "a" * 64, user="26:26", engine="postgresql", server="shop-db-primary", database="app",
    network="shop-storage", ca="shop-ca", jobs={"critical": ["orders"], "all": None},
    checks={"rows": "SELECT true"}, max_minutes=60,
)  # fmt: skip


def dump(name: str, hours: int, character: str = "a") -> dumps.Dump:
    began = NOW - timedelta(hours=hours)
    return dumps.Dump(name, Snapshot(id=character * 64, began=began, size_bytes=100, files=1))


FOUND = [dump("all", 25, "a"), dump("all", 13, "b"), dump("critical", 2, "c"), dump("all", 1, "d")]


@pytest.mark.parametrize(
    ("wanted", "to", "chosen"),
    [
        (None, None, "d"),
        ("all", NOW - timedelta(hours=12), "b"),
        ("critical", None, "c"),
        ("a" * 6, None, "a"),
    ],
)
def test_which_dump_is_meant(wanted: str | None, to: datetime | None, chosen: str) -> None:
    assert dumps.choose(AT, FOUND, wanted, to, NOW).snapshot.id == chosen * 64


@pytest.mark.parametrize(
    ("wanted", "to", "says"),
    [
        ("al", None, "--dump = al: is neither one of `critical`, `all` nor the id of a dump"),
        ("all", NOW + timedelta(hours=1), "is in the future"),
        ("all", NOW - timedelta(days=9), "the oldest dump `all`"),
        ("a" * 8, NOW, "--dump names one by its id"),
    ],
)
def test_no_dump_is_meant(wanted: str, to: datetime | None, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        dumps.choose(AT, FOUND, wanted, to, NOW)


def test_a_plan_lists_the_dumps_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = dumps.planned(dumps.StoredDumps(AT, Docker(None)), "all", None, ("orders",), NOW)
    assert plan.lines(NOW, "aside")[:2] == [
        "restore tables orders of dump `all` dddddddd of 2026-11-27 13:00:00 UTC, 0.0 MiB, aside",
        "missing in it: every write after that moment, 60 min until now",
    ]
    names = ["`all` dddddddd", "`critical` cccccccc", "`all` bbbbbbbb", "`all` aaaaaaaa"]
    assert [line.split(" of ")[0].strip() for line in plan.listing()[1:]] == names
    monkeypatch.setattr(dumps, "_LISTED", 1)
    head, *listed = plan.listing()
    assert (head, len(listed)) == ("dumps, the newest first (3 older ones are not shown):", 1)


def test_the_output_is_read_again() -> None:
    assert parsed(AT.text()) == AT


def test_dumps_are_meant_where_they_are_asked_for() -> None:
    def held(kind: str, name: str, text: str) -> dict[str, Any]:
        return {"type": kind, "urn": f"urn:pulumi:prod::shop::{kind}::{name}", "outputs": {"recovery": text}}

    files = json.dumps({"kind": "kubernetes"})
    state = [held(found.DUMPS, "dumps", AT.text()), held(found.FILES, "files", files)]
    assert found.backups(state, "prod", None, dumps=True) == ("dumps", AT)
    assert found.backups(state, "prod", "dumps") == ("dumps", AT)
    assert found.backups(state[:1], "prod", None) == ("dumps", AT)
    with pytest.raises(UsageError, match="has no dumps"):
        found.backups(state[1:], "prod", None, dumps=True)
    with pytest.raises(UsageError, match=r"several backups: `dumps`, `more`\. Name one"):
        found.backups([*state, held(found.DUMPS, "more", AT.text())], "prod", None, dumps=True)


def test_only_what_a_step_needs_reaches_it() -> None:
    steps = dict(restore.aside_commands(AT, aside="x", server_image="img", dump="d" * 64, tables=("orders",)))
    fetching = " ".join(steps[restore.FETCH])
    assert "--network shop-storage" in fetching
    assert "shop-dumps-fetch-config:/etc/tierstack:ro" in fetching
    assert fetching.endswith("get --dump " + "d" * 64 + " --to /restore --table orders")
    server = " ".join(steps["start a server on it, without a network"])
    assert "--network none" in server
    assert "/etc/tierstack" not in server
    assert "shop-db" not in " ".join(" ".join(one) for one in steps.values())


@dataclass(frozen=True)
class Docker(Host):
    """A host that fails at a step, where it is told to."""

    fails: str = ""
    tables: str = "7\n5\n"
    entries: list[str] = field(default_factory=list[str])
    ran: list[str] = field(default_factory=list[str])

    def run(self, command: Sequence[str], stdin: str | None = None) -> str:
        said = " ".join(command)
        self.ran.append(said)
        if said.endswith(" list"):
            of = [{"job": one.job, **one.snapshot.as_entry()} for one in FOUND]
            return json.dumps({"now": "", "dumps": of})
        if said.endswith("dump.json"):
            return json.dumps({"job": "all", "size_bytes": 100, "tables": ["items", "orders"]})
        if said.endswith(" drills"):
            return ""
        if said.endswith(" record"):
            self.entries.append(stdin or "")
        if "\\gexec" in (stdin or ""):
            return self.tables
        return {"SELECT true": "t\n"}.get(stdin or "", "0\n")

    def follow(self, command: Sequence[str], each: Callable[[str], None]) -> None:
        said = " ".join(command)
        self.ran.append(said)
        each('{"restored_bytes": 50000000, "total_bytes": 100000000}\n')
        if self.fails and self.fails in said:
            raise CommandError("pg_restore: error: it does not fit")

    def succeeds(self, command: Sequence[str]) -> bool:
        self.ran.append(" ".join(command))
        return False


def test_a_restore_tells_what_it_does() -> None:
    told: list[str] = []
    host = Docker(None)
    done = dumps.put_aside(dumps.StoredDumps(AT, host), "x", FOUND[-1], (), "img", told.append)
    assert (done.tables, done.errors) == (["items", "orders"], None)
    assert "  3/7 bring the dump: 48 of 95 MiB" in told
    assert host.ran[-1] == "docker exec x rm -f /restore/dump"


def test_what_came_back_stays_where_the_server_refused_a_part() -> None:
    host = Docker(None, fails="pg_restore")
    done = dumps.put_aside(dumps.StoredDumps(AT, host), "x", FOUND[-1], (), "img", lambda _line: None)
    assert done.errors == "pg_restore: error: it does not fit"
    assert "docker volume rm x" not in host.ran


@pytest.mark.parametrize(("fails", "tables"), [(" get --dump", "7\n5\n"), ("pg_restore", "")])
def test_nothing_is_left_where_no_database_came_out_of_it(fails: str, tables: str) -> None:
    host = Docker(None, fails=fails, tables=tables)
    with pytest.raises(CommandError):
        dumps.put_aside(dumps.StoredDumps(AT, host), "x", FOUND[-1], (), "img", lambda _line: None)
    assert host.ran[-2:] == ["docker rm --force x", "docker volume rm x"]


def test_a_table_that_a_dump_lacks_is_told_as_the_option_is_called() -> None:
    class Lacking(Docker):
        def follow(self, command: Sequence[str], each: Callable[[str], None]) -> None:
            if " get --dump" in " ".join(command):
                raise CommandError("`docker run …` failed with exit code 1: the dump has no table ordes; it has orders")

    with pytest.raises(UsageError, match=r"^--table = ordes: is not in dump `all` .*; it has orders$") as told:
        dumps.put_aside(dumps.StoredDumps(AT, Lacking(None)), "x", FOUND[-1], ("ordes",), "img", lambda _line: None)
    assert told.value.code == 2


def test_a_drill_is_good_where_every_table_is_back() -> None:
    host = Docker(None)
    result = dumps_drill.run(dumps.StoredDumps(AT, host), "dumps", lambda _line: None)
    assert (result.result, result.tables, result.rows, result.source) == (ledger.GOOD, 2, 12, "bucket")
    (entry,) = host.entries
    assert " 2 of 2 tables, 12 rows  RTO " in drill.history([json.loads(entry)])[0]


@pytest.mark.parametrize(
    ("host", "result", "says"),
    [
        (Docker(None, tables="7\n"), ledger.BAD, "1 tables came back, and the dump has 2"),
        (Docker(None, fails="pg_restore"), ledger.BAD, "the server refused a part of the dump"),
        (Docker(None, tables="0\n0\n"), ledger.NOT_VERIFIED, "the dump has no row"),
        (Docker(None, fails=" get --dump"), ledger.NOT_VERIFIED, "it does not fit"),
    ],
)
def test_a_drill_that_proves_nothing_is_not_good(host: Docker, result: str, says: str) -> None:
    made = dumps_drill.run(dumps.StoredDumps(AT, host), "dumps", lambda _line: None)
    assert made.result == result
    assert says in made.why[0]
    assert json.loads(host.entries[0])["result"] == result
