"""A restore in the place of the database: whatever ends it, the data that was there comes back, and no older one."""

import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.recovery.test_drill import AT
from tierstack.backup_schedule import restore
from tierstack.backup_schedule.engine import Source
from tierstack.engine.project import UsageError
from tierstack.recovery import restoring, signals
from tierstack.recovery.found import Backups
from tierstack.recovery.host import CommandError, Host

pytestmark = pytest.mark.pure


@dataclass(frozen=True)
class Volume(Host):
    """A host whose commands work on a directory, the volume of a database, and that fails or is interrupted at one."""

    root: Path = Path()
    at: str = ""
    end: Callable[[], None] = lambda: None
    ran: list[str] = field(default_factory=list[str])

    def run(self, command: Sequence[str], stdin: str | None = None) -> str:
        said = " ".join(command)
        self.ran.append(said)
        if self.at and self.at in said:
            self.end()
        if "{{json .Mounts}}" in said:
            return '[{"Name": "data", "Destination": "/var/lib/postgresql/data"}]'
        if "{{.State.Status}}" in said:
            return "running" if self.ran[-2].endswith("start shop-db-primary") else "exited"
        if "data:/restore" not in said or "--detach" in command:
            return ""
        if " restore --to " in said:
            held = self.root / "pgdata"
            held.mkdir()
            for name in ("base", "restore.conf", "restore_hba.conf"):
                (held / name).write_text("restored")
            (held / "barman_wal").mkdir()
            return ""
        # What follows the image runs in the container.
        inside = [part.replace("/restore/", f"{self.root}/") for part in command[list(command).index("barman") + 1 :]]
        done = subprocess.run(inside, capture_output=True, text=True)
        if done.returncode:
            raise CommandError(done.stderr)
        return done.stdout

    def succeeds(self, command: Sequence[str]) -> bool:
        if command[1] == "inspect":
            return False
        try:
            self.run(command)
        except CommandError:
            return False
        return True


def fails() -> None:
    raise CommandError("no")


def terminated() -> None:
    signal.raise_signal(signal.SIGTERM)


def hung_up() -> None:
    signal.raise_signal(signal.SIGHUP)


def interrupted() -> None:
    signal.raise_signal(signal.SIGINT)


def volume(root: Path, at: str = "", end: Callable[[], None] = fails) -> Volume:
    (root / "pgdata").mkdir()
    (root / "pgdata/base").write_text("live")
    return Volume(None, root=root, at=at, end=end)


def in_place(host: Host, tell: restoring.Tell = lambda _text: None) -> None:
    restoring.put_in_place(Backups(AT, host), "shop-backups-catalog-in-place", None, tell)


def held(root: Path) -> dict[str, str]:
    return {one.name: (one / "base").read_text() for one in root.iterdir()}


def test_what_was_there_stays_beside_what_is_restored(tmp_path: Path) -> None:
    host = volume(tmp_path)
    in_place(host)
    assert held(tmp_path) == {"pgdata": "restored", "pgdata.before": "live"}
    assert host.ran[-1] == "docker start shop-db-primary"


STEPS = [
    "docker stop shop-db-primary",
    "mv -T /restore/pgdata /restore/pgdata.before",
    "agent restore --to",
    "--detach",
]


@pytest.mark.parametrize("end", [fails, interrupted, terminated, hung_up])
@pytest.mark.parametrize("at", [*STEPS, "pg_is_in_recovery", "rm -r "])
def test_the_data_comes_back_and_the_database_starts(tmp_path: Path, at: str, end: Callable[[], None]) -> None:
    ended: list[bool] = []

    def once() -> None:
        if not ended:  # what puts the data back has commands of the same words
            ended.append(True)
            end()

    host, said = volume(tmp_path, at, once), list[str]()
    with pytest.raises((CommandError, KeyboardInterrupt)):
        in_place(host, said.append)
    assert held(tmp_path) == {"pgdata": "live"}
    started = host.ran.index("docker start shop-db-primary")
    removed = host.ran.index("docker rm --force shop-backups-catalog-in-place")
    assert removed < started, "what still writes into the volume ends first"
    assert said[-1] == "  it failed: the old data goes back"


def test_an_earlier_restore_keeps_its_data_and_so_does_the_database(tmp_path: Path) -> None:
    host = volume(tmp_path)
    (tmp_path / "pgdata.before").mkdir()
    (tmp_path / "pgdata.before/base").write_text("earlier")
    with pytest.raises(UsageError, match=r"Nothing was changed.*rm -r /var/lib/postgresql/data/pgdata\.before"):
        in_place(host)
    assert held(tmp_path) == {"pgdata": "live", "pgdata.before": "earlier"}
    assert not [one for one in host.ran if one.startswith(("docker stop", "docker start"))]


def test_a_reader_that_is_gone_does_not_keep_the_data_from_coming_back(tmp_path: Path) -> None:
    def gone(_text: str) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        in_place(volume(tmp_path), gone)
    assert held(tmp_path) == {"pgdata": "live"}


def test_a_database_that_does_not_come_back_is_told_with_the_commands(tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(CommandError):
        in_place(volume(tmp_path, "start shop-db-primary"), said.append)
    assert any("shop-db-primary was not brought back" in one for one in said)
    assert said[-1] == "  by hand: docker start shop-db-primary"


def test_each_step_has_a_name_by_which_it_is_ended() -> None:
    source = Source(catalog="catalog", config="config", image="barman")
    names = {"volume": "data", "container": "db"}
    steps = restore.in_place_commands(source, **names, aside="aside", postgres_image="postgres")
    steps += restore.commands(source, aside="aside", postgres_image="postgres")
    running = [" ".join(command) for _, command in steps if command[1] == "run"]
    assert len(running) > 5
    assert all(" --name aside " in one for one in running)


def test_signals_are_as_before_afterwards_and_one_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.ending_as_interrupts():
            signal.raise_signal(signal.SIGHUP)
            with signals.held_back():
                signal.raise_signal(signal.SIGTERM)
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)
