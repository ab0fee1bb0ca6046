"""The engine's process ends with the command: one that counts its interrupts stands in for it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.projects import session
from tierstack.engine.child import child

pytestmark = pytest.mark.pure

_ENGINE = r"""
import os, signal, sys
ends, seen = int(sys.argv[1]), 0
if ends != 1 and os.fork() == 0:  # a plugin, which misses the engine only later
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.setpgid(0, 0)
    os.close(1)
    os.close(2)
    signal.pause()
said = os.open("said", os.O_WRONLY)
def interrupted(*_):
    global seen
    seen += 1
    os.write(said, f"interrupt {seen}\n".encode())
    if seen == ends:
        os._exit(7)
signal.signal(signal.SIGINT, interrupted)
os.write(said, f"{os.getpid()}\n".encode())
while True:
    signal.pause()
"""
_COMMAND = """
import os, sys
from pathlib import Path
from tierstack.engine import child
child.AT_ONCE_SECONDS = float(sys.argv[3])
with child.child([sys.executable, *sys.argv[1:3]], Path("."), os.environ) as process:
    for line in process.stdout: pass
"""


@contextmanager
def running(folder: Path, ends: int, at_once_seconds: float = 60) -> Iterator[tuple["subprocess.Popen[str]", IO[str]]]:
    """A command that runs an engine which ends at its interrupt of a number (0: never), and what that engine says."""
    os.mkfifo(folder / "said")
    (folder / "engine.py").write_text(_ENGINE)
    (folder / "command.py").write_text(_COMMAND)
    with (
        subprocess.Popen(
            [sys.executable, "command.py", "engine.py", str(ends), str(at_once_seconds)],
            cwd=folder,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as command,
        (folder / "said").open() as said,
    ):
        yield command, said


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_ends_the_command_interrupts_the_engine_once(number: signal.Signals, tmp_path: Path) -> None:
    """Ctrl-C, which a terminal sends to the whole group; a job that is cancelled; a terminal that is closed."""
    with running(tmp_path, ends=1) as (command, said):
        pid = int(said.readline())
        os.killpg(command.pid, number)
        assert said.read() == "interrupt 1\n"
        assert "press Ctrl-C again to stop at once" in command.communicate()[1]
        assert command.returncode != 0
        assert is_gone(pid)


@pytest.mark.parametrize(("ends", "at_once_seconds"), [(2, 60), (0, 0.2)])
def test_a_second_one_ends_it_at_once(ends: int, at_once_seconds: float, tmp_path: Path) -> None:
    """An engine that goes on even then is killed."""
    with running(tmp_path, ends, at_once_seconds) as (command, said):
        pid = int(said.readline())
        command.send_signal(signal.SIGINT)
        assert said.readline() == "interrupt 1\n"
        assert command.poll() is None
        command.send_signal(signal.SIGINT)
        assert said.read() == "interrupt 2\n"
        command.communicate()
        assert is_gone(pid)
        assert session(command.pid) == []  # what it had started


def test_an_error_ends_it_too(tmp_path: Path) -> None:
    """Such as an output that nobody reads any more."""
    left: list[subprocess.Popen[str]] = []

    def fails() -> None:
        with child(["sleep", "infinity"], tmp_path, os.environ) as process:
            left.append(process)
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        fails()
    assert left[0].returncode == -signal.SIGINT


def test_one_that_ends_by_itself_is_only_read(tmp_path: Path) -> None:
    with child([sys.executable, "-c", "print(1); raise SystemExit(3)"], tmp_path, os.environ) as process:
        said = list(process.stdout or ())
    assert (said, process.returncode) == (["1\n"], 3)
