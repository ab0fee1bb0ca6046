"""The engine's process, which ends when the command ends.

It has a process group of its own, so that a Ctrl-C at a terminal comes from here, once. At the first one the engine
ends what it is doing and begins nothing more. At a second one it ends at once, and may lose track of what it was doing.
"""

import signal
import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tierstack.engine import signals

AT_ONCE_SECONDS = 20.0
"""How long the engine may take to end at once: it closes its plugins, and gives the stack's lock back."""


@contextmanager
def child(command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> Generator["subprocess.Popen[str]"]:
    """A process that is gone when the block ends. Where a signal or an error ends the block, the process is asked to
    end first: see `stop`. `stdout` has both its outputs. SIGTERM and SIGHUP raise KeyboardInterrupt, too."""
    with signals.ending_as_interrupts():
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            process_group=0,
        )
        try:
            yield process
            process.wait()
        except BaseException:
            stop(process)
            raise


def stop(process: "subprocess.Popen[str]") -> None:
    """Interrupt a process and wait until it has ended, however long that takes. A further Ctrl-C interrupts it again,
    and it is killed where it has not ended AT_ONCE_SECONDS later."""
    if process.poll() is not None:
        return
    with suppress(OSError):  # nobody may be there to read it
        print(
            "interrupted: ending the operations that are under way; press Ctrl-C again to stop at once",
            file=sys.stderr,
            flush=True,
        )
    for number, seconds in _ends():
        process.send_signal(number)
        try:
            process.communicate(timeout=seconds)  # reads on: a full pipe would stop it
            return
        except (KeyboardInterrupt, subprocess.TimeoutExpired):
            continue


def _ends() -> Iterator[tuple[signal.Signals, float | None]]:
    yield signal.SIGINT, None
    yield signal.SIGINT, AT_ONCE_SECONDS
    while True:
        yield signal.SIGKILL, None
