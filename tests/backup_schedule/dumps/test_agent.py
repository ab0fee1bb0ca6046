"""The jobs of the agent with a repository in memory: what is noted, what is no dump, and what is read back."""

import json
from collections.abc import Generator, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tierstack.backup_schedule.dumps import agent, dumping
from tierstack.backup_schedule.dumps.dumper import Dumper, DumpError, Inspector
from tierstack.backup_schedule.restic import agent as of_restic
from tierstack.backup_schedule.restic import pruning, repository
from tierstack.backup_schedule.restic.repository import IncompleteError, Repository, ResticError, Snapshot

pytestmark = pytest.mark.pure
NOW = datetime(2026, 11, 27, 1, 0, tzinfo=UTC)
KEPT = {"last": 2, "within": 3}
SETTINGS: dict[str, Any] = {
    "host": "shop-dumps", "tag": "dumps", "engine": "mysql", "database": "app", "check_schedule": "45 4 * * *",
    "jobs": {
        "all": {"schedule": "0 1,13 * * *", "tables": None, "keep": KEPT},
        "critical": {"schedule": "0 * * * *", "tables": ["orders"], "keep": KEPT},
    },
    "check_parts": 2, "lock_seconds": 5, "longest_minutes": 60, "labels": {}, "store": None,
}  # fmt: skip


class Fake(Repository):
    """restic in memory."""

    ran: list[tuple[str, ...]]
    wrong: Exception | None
    held: list[Snapshot]
    found: dict[str, Any]

    def run(self, *arguments: str, keep_open: Iterable[int] = (), seconds: float | None = None) -> str:
        self.ran.append(arguments)
        if arguments[0] == "backup":
            dumping.FOUND.write_text(json.dumps(self.found))
            if self.wrong:
                raise self.wrong
            size = self.found.get("size_bytes", 0)
            self.held.append(Snapshot(id="a" * 64, began=NOW, size_bytes=size, files=1))
        return ""

    def snapshots(self) -> list[Snapshot]:
        return list(self.held)

    def dumped(self, identifier: str, file: str) -> Generator[bytes]:
        yield b"content"


class Server(Dumper):
    """A database in memory."""

    extension = "sql"
    held: set[str]
    unreadable: str | None

    def check(self) -> None:
        pass

    def tables(self, chosen: Any) -> set[str]:
        return self.held

    def command(self, chosen: Any) -> list[str]:
        return []

    def inspector(self) -> Inspector:
        raise NotImplementedError

    def whole(self, stream: Iterable[bytes]) -> None:
        assert b"".join(stream) == b"content"
        if self.unreadable:
            raise DumpError(self.unreadable)


@pytest.fixture
def restic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Fake]:
    Fake.ran, Fake.wrong, Fake.held, Fake.found = [], None, [], {"tables": 2, "size_bytes": 10, "seconds": 0.1}
    Server.held, Server.unreadable = {"orders"}, None
    monkeypatch.setattr(of_restic, "BUSY", tmp_path / "busy")
    monkeypatch.setattr(agent, "JOBS", tmp_path / "jobs.json")
    monkeypatch.setattr(pruning, "DONE", tmp_path / "pruned.json")
    monkeypatch.setattr(dumping, "FOUND", tmp_path / "found.json")
    monkeypatch.setattr(repository, "CATALOG", tmp_path)
    monkeypatch.setattr(of_restic, "CONFIG", tmp_path)
    monkeypatch.setattr(agent, "Repository", Fake)
    monkeypatch.setattr(agent, "dumper_of", lambda _given: Server())
    (tmp_path / "settings.json").write_text(json.dumps(SETTINGS))
    return Fake


def noted(name: str = "all") -> dict[str, Any]:
    return agent.read(agent.JOBS)["jobs"][name]


def test_a_dump_is_made_by_a_program_of_restic_and_noted(restic: type[Fake]) -> None:
    assert agent.dump("all") == 0
    (command,) = [one for one in restic.ran if one[0] == "backup"]
    assert command[command.index("--tag") + 1] == "dump-all"
    assert command[command.index("--stdin-filename") + 1] == "/app.sql"
    assert command[command.index("--stdin-from-command") + 1] == "--"
    assert command[-2:] == ("tierstack.backup_schedule.dumps.dumping", "all")
    assert (noted()["error"], noted()["tables"], len(noted()["snapshots"])) == (None, 2, 1)
    forget = next(one for one in restic.ran if one[0] == "forget")
    assert forget[forget.index("--tag") : forget.index("--tag") + 2] == ("--tag", "dump-all")


@pytest.mark.parametrize(
    ("wrong", "found", "says"),
    [
        (ResticError("unable to save snapshot: command failed: exit status 1"), {"error": "permission denied"},
         "permission denied"),
        (ResticError("s3:… does not answer: timeout"), {"error": "the repository took no more"},
         "s3:… does not answer: timeout"),
        (IncompleteError(1), {"tables": 0}, "the program wrote nothing"),
        (None, {"tables": 2, "size_bytes": 0, "seconds": 1}, "the repository does not have the dump that was written"),
    ],
)  # fmt: skip
def test_why_it_failed_is_told_and_the_dumps_before_stay_known(
    restic: type[Fake], wrong: Exception | None, found: dict[str, Any], says: str
) -> None:
    agent.dump("all")
    restic.wrong, restic.found = wrong, found
    assert agent.dump("all") == 1
    assert noted()["error"] == says
    assert len(noted()["snapshots"]) >= 1


def test_a_snapshot_without_a_file_is_no_dump() -> None:
    """restic keeps one where a program ends well and writes nothing (exit code 3)."""
    empty = Snapshot(id="b" * 64, began=NOW, size_bytes=0, files=0)
    whole = Snapshot(id="a" * 64, began=NOW, size_bytes=10, files=1)
    assert agent.complete([empty, whole]) == [whole]


def test_a_dump_of_tables_waits_for_the_first_migrations_and_never_after_a_dump(restic: type[Fake]) -> None:
    Server.held = set()
    assert agent.dump("critical") == 1
    assert noted("critical") == {"error": None, "waiting": True}
    assert not [one for one in restic.ran if one[0] == "backup"]
    restic.held = [Snapshot(id="a" * 64, began=NOW, size_bytes=10, files=1)]
    assert agent.dump("critical") == 0, "an emptied database is told by the program, and hides nothing"


def test_a_check_reads_every_newest_dump_back(restic: type[Fake]) -> None:
    agent.dump("all")
    assert agent.check() == 0
    assert next(one for one in restic.ran if one[0] == "check")[1:3] == ("--read-data-subset", "1/2")
    Server.unreadable = "the dump has no end"
    assert agent.check() == 1
    assert agent.read(agent.JOBS)["check_error"] == f"dump all {'a' * 8}: the dump has no end"
    assert len(noted()["snapshots"]) == 1


def test_one_job_at_a_time(restic: type[Fake]) -> None:
    with agent.alone():
        assert agent.dump("all") == 1
        assert agent.check() == 1
    assert restic.ran == []


def test_every_dump_is_pruned_by_its_own_rules() -> None:
    assert pruning.policies(SETTINGS) == {"dump-all": KEPT, "dump-critical": KEPT}
    assert pruning.policies({"tag": "files", "keep": KEPT}) == {"files": KEPT}
