"""Restores and drills of files, without restic: the exchange in place and its way back, what is compared, what counts."""

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tierstack.backup_schedule import ledger
from tierstack.backup_schedule.recovery import parsed
from tierstack.backup_schedule.restic import files, restore
from tierstack.backup_schedule.restic.recovery import FilesOnDocker
from tierstack.backup_schedule.restic.repository import Snapshot
from tierstack.engine.project import UsageError
from tierstack.recovery import drill, found
from tierstack.recovery import files as restoring
from tierstack.recovery.files_drill import FilesResult, judge

pytestmark = pytest.mark.pure

AT = FilesOnDocker(
    docker_host=None, agent="shop-files-restic", catalog="shop-files-catalog", config="shop-files-fetch-config",
    image="restic", volume="shop-web-uploads", user="10001:10001", network="shop-storage-network",
    ca="shop-storage-ca", max_minutes=60, sample=200, bucket=True,
)  # fmt: skip


def tree(root: Path) -> dict[str, str]:
    return {str(one.relative_to(root)): one.read_text() for one in sorted(root.rglob("*")) if one.is_file()}


def fill(root: Path, **contents: str) -> None:
    for name, text in contents.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A volume with an application's files, beside what was restored."""
    (tmp_path / ".tierstack").touch()
    fill(tmp_path, a="changed", folder__b="2", new="3")
    files.reserve(tmp_path)
    (tmp_path / files.INCOMING).mkdir()
    (tmp_path / files.INCOMING / ".tierstack").touch()
    fill(tmp_path / files.INCOMING, a="1", folder__b="2", gone="4")
    return tmp_path


RESTORED = {".tierstack": "", "a": "1", "folder/b": "2", "gone": "4"}
LIVE = {".tierstack": "", "a": "changed", "folder/b": "2", "new": "3"}


def test_the_exchange_keeps_what_was_there(volume: Path) -> None:
    files.swap(volume)
    before = {f"{files.BEFORE}/{name}": text for name, text in LIVE.items() if name != ".tierstack"}
    assert tree(volume) == RESTORED | before
    with pytest.raises(FileExistsError):
        files.reserve(volume)


@pytest.mark.parametrize("at", range(9))
def test_the_way_back_from_wherever_it_stopped(volume: Path, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each change of a name the exchange is killed."""
    rename, calls = Path.rename, [0]

    def killed(self: Path, target: Path) -> Path:
        if calls[0] == at:
            raise KeyboardInterrupt
        calls[0] += 1
        return rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", killed)
        try:
            files.swap(volume)
        except KeyboardInterrupt:
            files_before = tree(volume)
            patched.setattr(Path, "rename", rename)
            files.undo(volume)
            assert tree(volume) == LIVE, files_before
        else:
            assert at >= 6  # three names there, three names back
    assert not (volume / files.SWAPPING).exists()


def test_what_is_compared_is_what_was_not_changed(tmp_path: Path) -> None:
    restored, live = tmp_path / "restored", tmp_path / "live"
    for root in (restored, live):
        fill(root, same="1", other="2", folder__damaged="3")
        (root / "link").symlink_to("same")
        os.mkfifo(root / "pipe")  # nobody writes into it: who reads it waits for ever
    fill(live, other="22")
    (restored / "folder/damaged").write_text("X")
    for name in ("same", "folder/damaged"):
        for root in (restored, live):
            os.utime(root / name, (1, 1))
    assert files.compare(10, restored, live) == {
        "files": 3,
        "size_bytes": 3,
        "comparable": 2,
        "compared": 2,
        "different": ["folder/damaged"],
    }


def result(**changes: Any) -> FilesResult:
    counts: dict[str, Any] = {
        "files": 3,
        "expected_files": 3,
        "size_bytes": 9,
        "expected_bytes": 9,
        "compared": 2,
        "rto_seconds": 4.0,
    }
    made = FilesResult(result="", began_at="", ended_at="", backups="files", **{**counts, **changes})
    judge(made, max_minutes=1)
    return made


@pytest.mark.parametrize(
    ("changes", "verdict", "why"),
    [
        ({}, ledger.GOOD, ""),
        ({"files": 2}, ledger.BAD, "2 files came back, and the backup has 3"),
        ({"size_bytes": 8}, ledger.BAD, "8 bytes came back"),
        ({"different": ["a"]}, ledger.BAD, "differs from that of the application: a"),
        ({"rto_seconds": 61.0}, ledger.BAD, "the restore took 61 s"),
        ({"compared": 0}, ledger.NOT_VERIFIED, "no file could be compared"),
        ({"compared": 0, "files": 0, "expected_files": 0}, ledger.NOT_VERIFIED, "no file could be compared"),
    ],
)
def test_a_drill_that_compared_nothing_has_proven_nothing(changes: dict[str, Any], verdict: str, why: str) -> None:
    made = result(**changes)
    assert made.result == verdict
    assert why in " ".join(made.why)


def test_both_kinds_of_drills_are_lines_of_one_ledger() -> None:
    (line,) = drill.history([{**result().as_entry(), "ended_at": "2026-11-27T04:00:00Z"}])
    assert line == "2026-11-27T04:00:00Z  good          3 of 3 files, compared 2  RTO 4 s"


NOW = datetime(2026, 11, 27, 4, tzinfo=UTC)
SNAPSHOTS = [Snapshot(id=str(day), began=NOW - timedelta(days=day), size_bytes=2**20, files=10) for day in (2, 1)]


def test_the_plan_takes_the_newest_backup_of_the_moment_or_before() -> None:
    assert restoring.planned(None, SNAPSHOTS, [], NOW).snapshot.id == "1"
    plan = restoring.planned(
        NOW - timedelta(hours=30), SNAPSHOTS, [{"result": "good", "size_bytes": 10, "rto_seconds": 5}], NOW
    )
    assert plan.snapshot.id == "2"
    assert plan.lines(NOW, "into the new volume aside") == [
        "restore the backup of 2026-11-25 04:00:00 UTC: 10 files, 1.0 MiB, into the new volume aside",
        "missing in it: every file that was uploaded, changed or deleted after that moment, 48.0 h until now",
        "time: about 145.6 h, by the last good drill",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("to", "listed", "says"),
    [
        (None, [], "there is no backup"),
        (NOW + timedelta(hours=1), SNAPSHOTS, "is in the future"),
        (NOW - timedelta(days=9), SNAPSHOTS, "is before 2026-11-25T04:00:00+00:00, the oldest backup"),
    ],
)
def test_a_moment_without_a_backup_is_refused(to: datetime | None, listed: list[Snapshot], says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(says)):
        restoring.planned(to, listed, [], NOW)


def test_a_restore_has_the_key_that_reads_and_no_way_to_the_files() -> None:
    steps = restore.aside_commands(AT, aside="aside", snapshot="1")
    reading = next(step.command for step in steps if step.what == restore.RESTORE)
    mounted = {reading[at + 1].partition(":")[0] for at, one in enumerate(reading) if one == "-v"}
    assert mounted == {"shop-files-fetch-config", "shop-storage-ca", "aside"}
    others = [step.command for step in steps if step.what != restore.RESTORE and "run" in step.command]
    assert all(one[one.index("--network") + 1] == "none" for one in [*others, restore.compare(AT, aside="aside")])


def test_what_a_command_needs_to_know_survives_the_state() -> None:
    assert parsed(AT.text()) == AT


def held(kind: str, name: str) -> dict[str, Any]:
    return {
        "type": f"tierstack:index:{kind}",
        "urn": f"urn:pulumi:prod::shop::x::{name}",
        "outputs": {"recovery": AT.text()},
    }


def test_backups_of_a_database_are_meant_where_nothing_is_said() -> None:
    both = [held("FileBackups", "files"), held("BackupSchedule", "backups")]
    assert found.backups(both, "prod", None)[0] == "backups"
    assert found.backups(both, "prod", "files") == ("files", AT)
    assert found.backups(both[:1], "prod", None)[0] == "files"
    with pytest.raises(UsageError, match="several backups: `admin-files`, `files`"):
        found.backups([both[0], held("FileBackups", "admin-files")], "prod", None)


def test_progress_is_said_in_mebibytes() -> None:
    assert restoring.share('{"restored_bytes": 1048576, "total_bytes": 10485760}') == "1 of 10 MiB"
    assert restoring.share("anything else") is None
