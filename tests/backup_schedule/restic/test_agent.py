"""The jobs of the agent with a repository in memory: what is noted, whose locks go, and that no two run at a time."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tierstack.backup_schedule.restic import agent, pruning, repository
from tierstack.backup_schedule.restic.repository import AbsentError, IncompleteError, Repository, ResticError, Snapshot

pytestmark = pytest.mark.pure
NOW = datetime(2026, 11, 27, 2, 15, tzinfo=UTC)
SETTINGS: dict[str, Any] = {
    "host": "shop-files", "tag": "files", "schedule": "15 2 * * *", "check_schedule": "45 4 * * 0", "check_parts": 3,
    "exclude": ["*.tmp"], "keep": {"last": 2, "within": 3}, "labels": {}, "store": None,
}  # fmt: skip


class Fake(Repository):
    """restic in memory."""

    ran: list[tuple[str, ...]]
    wrong: dict[str, Exception]
    locks: dict[str, str]

    def run(self, *arguments: str, keep_open: Iterable[int] = (), seconds: float | None = None) -> str:
        self.ran.append(arguments)
        if error := self.wrong.get(arguments[0]):
            raise error
        if arguments[:2] == ("list", "locks"):
            return "\n".join(self.locks)
        if arguments[:2] == ("cat", "lock"):
            return json.dumps({"hostname": self.locks[arguments[2]]})
        return ""

    def snapshots(self) -> list[Snapshot]:
        return [Snapshot(id="a" * 64, began=NOW, size_bytes=10, files=1)]


@pytest.fixture
def restic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Fake]:
    Fake.ran, Fake.wrong, Fake.locks = [], {}, {}
    for module, names in ((agent, ("JOBS", "BUSY")), (pruning, ("DONE",))):
        for name in names:
            monkeypatch.setattr(module, name, tmp_path / name.lower())
    monkeypatch.setattr(repository, "CATALOG", tmp_path)
    monkeypatch.setattr(agent, "CONFIG", tmp_path)
    monkeypatch.setattr(agent, "Repository", Fake)
    monkeypatch.setattr(agent.socket, "gethostname", lambda: "shop-files-restic")
    (tmp_path / "settings.json").write_text(json.dumps(SETTINGS))
    return Fake


def noted() -> dict[str, Any]:
    return agent.read(agent.JOBS)


def test_a_backup_is_noted_and_what_no_rule_keeps_goes(restic: type[Fake]) -> None:
    assert agent.backup() == 0
    assert (noted()["backup_error"], noted()["unreadable"], len(noted()["snapshots"])) == (None, 0, 1)
    (made,) = [one for one in restic.ran if one[0] == "backup"]
    assert made[-1] == "/source"
    assert {"--host", "shop-files", "--tag", "files", "--exclude=/source/.tierstack-*", "--exclude=*.tmp"} <= set(made)
    (forgot,) = [one for one in restic.ran if one[0] == "forget"]
    assert forgot[2:10] == ("--tag", "files", "--group-by", "tags", "--keep-last", "2", "--keep-within", "3d")


def test_a_repository_is_made_only_where_the_store_says_that_there_is_none(restic: type[Fake]) -> None:
    restic.wrong["cat"] = ResticError("x does not answer")
    assert agent.backup() == 1
    assert noted() == {"backup_error": "x does not answer"}
    assert not [one for one in restic.ran if one[0] in ("init", "backup")]
    restic.wrong["cat"] = AbsentError("none")
    assert agent.backup() == 0
    assert [one[0] for one in restic.ran].count("init") == 1


def test_what_could_not_be_read_is_noted_and_the_backup_counts(restic: type[Fake]) -> None:
    restic.wrong["backup"] = IncompleteError(3)
    assert agent.backup() == 0
    assert (noted()["unreadable"], len(noted()["snapshots"])) == (3, 1)


def test_an_error_that_nobody_thought_of_is_told_too(restic: type[Fake]) -> None:
    restic.wrong["backup"] = OSError("No space left on device")
    assert agent.backup() == 1
    assert noted()["backup_error"] == "OSError: No space left on device"


def test_only_locks_of_this_container_are_removed(restic: type[Fake], tmp_path: Path) -> None:
    locks = tmp_path / "restic/locks"
    locks.mkdir(parents=True)
    restic.locks = {"mine": "shop-files-restic", "pruning": "shop-files-prune"}
    for name in restic.locks:
        (locks / name).touch()
    assert agent.backup() == 0
    assert [one.name for one in locks.iterdir()] == ["pruning"]


def test_no_two_jobs_run_at_a_time(restic: type[Fake], capsys: pytest.CaptureFixture[str]) -> None:
    with agent.alone():
        assert agent.backup() == 1
    assert "backup: another job runs" in capsys.readouterr().out
    assert restic.ran == []


def test_each_check_reads_the_next_part_and_damage_is_looked_at_again(restic: type[Fake]) -> None:
    for _ in range(4):
        assert agent.check() == 0
    restic.wrong["check"] = ResticError("pack is damaged")
    for _ in range(2):
        assert agent.check() == 0
        assert noted()["check_error"] == "pack is damaged"
    parts = [one[2] for one in restic.ran if one[0] == "check"]
    assert parts == ["1/3", "2/3", "3/3", "1/3", "2/3", "2/3"]
    del restic.wrong["check"]
    agent.check()
    assert noted()["check_error"] is None


def test_what_prunes_notes_how_it_went(restic: type[Fake]) -> None:
    def fails() -> str:
        raise ResticError("in use")

    assert pruning.record(lambda: "done", lambda _: None)
    good = agent.read(pruning.DONE)
    assert not pruning.record(fails, lambda _: None)
    assert agent.read(pruning.DONE) == {"at": good["at"], "error": "in use"}
    assert pruning.health() == 0
    assert agent.read(pruning.DONE)["at"]
