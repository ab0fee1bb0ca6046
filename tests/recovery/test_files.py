"""Restores and drills of files on a host that is a directory: whatever ends them, the files are as they were."""

import json
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.backup_schedule.restic.test_files import AT, fill, tree
from tierstack.backup_schedule import ledger
from tierstack.backup_schedule.restic import files
from tierstack.backup_schedule.restic.repository import Snapshot
from tierstack.engine.project import UsageError
from tierstack.recovery import files as restoring
from tierstack.recovery import files_drill
from tierstack.recovery.host import CommandError, Host

pytestmark = pytest.mark.pure

SNAPSHOT = Snapshot(id="a" * 64, began=datetime(2026, 11, 27, 2, 15, tzinfo=UTC), size_bytes=2, files=2)
LIVE = {".tierstack": "", "kept": "now", "new": "now"}


@dataclass(frozen=True)
class Volume(Host):
    """A host whose commands work on a directory, the volume of the files, and that ends at one of them."""

    root: Path = Path()
    at: str = ""
    end: Callable[[], None] = lambda: None
    ran: list[str] = field(default_factory=list[str])
    entries: list[str] = field(default_factory=list[str])
    compared: dict[str, Any] = field(default_factory=dict[str, Any])

    def run(self, command: Sequence[str], stdin: str | None = None) -> str:
        said = " ".join(command)
        self.ran.append(said)
        if self.at and self.at in said:
            self.end()
        verb = next((one for one in ("reserve", "swap", "undo") if said.endswith(f".files {one}")), None)
        if verb:
            try:
                {"reserve": files.reserve, "swap": files.swap, "undo": files.undo}[verb](self.root)
            except FileExistsError:
                raise CommandError("FileExistsError: [Errno 17] File exists") from None
        if said.endswith(" list"):
            return json.dumps({"snapshots": [SNAPSHOT.as_entry()]})
        if " restore --snapshot " in said and files.INCOMING in said:
            (self.root / files.INCOMING).mkdir()
            fill(self.root / files.INCOMING, kept="then", gone="then")
        if " compare " in said:
            return json.dumps(self.compared)
        if said.endswith(" record"):
            self.entries.append(stdin or "")
        return ""

    def follow(self, command: Sequence[str], each: Callable[[str], None]) -> None:
        each(self.run(command))

    def succeeds(self, command: Sequence[str]) -> bool:
        if command[1] == "inspect":
            return False
        with suppress(CommandError):
            self.run(command)
            return True
        return False


def fails() -> None:
    raise CommandError("no")


def volume(root: Path, at: str = "", end: Callable[[], None] = fails, **more: Any) -> Volume:
    root.mkdir()
    (root / ".tierstack").touch()
    fill(root, kept="now", new="now")
    return Volume(None, root=root, at=at, end=end, **more)


def in_place(host: Host) -> None:
    restoring.put_in_place(restoring.StoredFiles(AT, host), "aside", SNAPSHOT, lambda _: None)


def test_what_was_there_stays_beside_what_is_restored(tmp_path: Path) -> None:
    host = volume(tmp_path / "v")
    in_place(host)
    assert tree(host.root) == {
        ".tierstack": "", "kept": "then", "gone": "then",
        f"{files.BEFORE}/kept": "now", f"{files.BEFORE}/new": "now",
    }  # fmt: skip
    with pytest.raises(UsageError, match=r"holds `\.tierstack-before`, the files that an earlier restore replaced"):
        in_place(host)
    assert tree(host.root)["kept"] == "then"


@pytest.mark.parametrize("at", ["restore --snapshot", "files swap"])
@pytest.mark.parametrize(
    "end", [fails, lambda: signal.raise_signal(signal.SIGTERM), lambda: signal.raise_signal(signal.SIGINT)]
)
def test_whatever_ends_it_the_files_are_as_they_were(tmp_path: Path, at: str, end: Callable[[], None]) -> None:
    host = volume(tmp_path / "v", at, end)
    with pytest.raises((CommandError, KeyboardInterrupt)):
        in_place(host)
    assert tree(host.root) == LIVE


def test_a_way_back_that_fails_is_told_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    host = volume(tmp_path / "v", "files undo")
    monkeypatch.setattr(files, "swap", lambda _: fails())
    with pytest.raises(CommandError):
        restoring.put_in_place(restoring.StoredFiles(AT, host), "aside", SNAPSHOT, said.append)
    assert any("were not brought back" in one for one in said)
    assert said[-1].endswith("tierstack.backup_schedule.restic.files undo")


def test_what_stood_aside_goes_where_a_restore_is_interrupted(tmp_path: Path) -> None:
    host = volume(tmp_path / "v", "restore --snapshot", lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        restoring.put_aside(restoring.StoredFiles(AT, host), "aside", SNAPSHOT, lambda _: None)
    assert host.ran[-2:] == ["docker rm --force aside", "docker volume rm aside"]


def drill(host: Volume) -> dict[str, Any]:
    files_drill.run(restoring.StoredFiles(AT, host), "files", lambda _: None)
    (entry,) = host.entries
    return json.loads(entry)


COMPARED = {"files": 2, "size_bytes": 2, "comparable": 2, "compared": 2, "different": []}


def test_a_drill_is_recorded_whatever_it_finds(tmp_path: Path) -> None:
    good = drill(volume(tmp_path / "good", compared=COMPARED))
    assert (good["result"], good["snapshot"], good["source"]) == (ledger.GOOD, SNAPSHOT.id, "bucket")
    bad = drill(volume(tmp_path / "bad", compared={**COMPARED, "files": 1}))
    assert (bad["result"], bad["why"]) == (ledger.BAD, ["1 files came back, and the backup has 2"])
    unable = drill(volume(tmp_path / "unable", "restore --snapshot"))
    assert (unable["result"], unable["why"]) == (ledger.NOT_VERIFIED, ["no"])


def test_a_command_is_followed_line_by_line_and_its_end_is_told() -> None:
    lines: list[str] = []
    Host(None).follow(["sh", "-c", "echo one; echo two >&2"], lines.append)
    assert lines == ["one\n", "two\n"]
    with pytest.raises(CommandError, match="failed with exit code 3: why"):
        Host(None).follow(["sh", "-c", "echo why; exit 3"], lines.append)


def test_what_makes_a_restore_in_place_impossible_is_asked_before_its_plan(tmp_path: Path) -> None:
    """A volume that holds what an earlier restore replaced is told without anything being changed."""
    host = volume(tmp_path / "v")
    with pytest.raises(UsageError, match=r"holds `\.tierstack-before`"):
        restoring.refuse_in_place(restoring.StoredFiles(AT, host), "aside")
    assert tree(tmp_path / "v") == LIVE
    free = volume(tmp_path / "w", at=" test -e ")
    restoring.refuse_in_place(restoring.StoredFiles(AT, free), "aside")


def test_a_file_is_copied_back_as_the_owner_of_the_files() -> None:
    for command in (restoring.copy_one(AT, "aside", "2026/a.jpg"), restoring.copy_all(AT, "aside")):
        said = " ".join(command)
        assert "--user 10001:10001" in said
        assert "-v aside:/from:ro -v shop-web-uploads:/to" in said
