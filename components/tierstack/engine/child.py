"""The engine's process, which ends when the command ends.

It has a process group of its own, so that a Ctrl-C at a terminal comes from here, once. At the first one the engine
ends what it is doing and begins nothing more. At a second one it ends at once, and may lose track of what it was doing.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tierstack.engine import processes, signals

AT_ONCE_SECONDS = 20.0
"""How long the engine may take to end at once: it closes its plugins, and gives the stack's lock back."""
_KILL_SECONDS = 5.0
"""How long the system may take to end what is killed."""
_AT_ONCE, _KILLS = 2, 3
"""The interrupts at which it shall end at once, and is killed."""


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
    and it is killed where it has not ended AT_ONCE_SECONDS later; at a third one it is killed."""
    if process.poll() is not None:
        return
    interrupts = 0
    left: list[int] = []
    patience = threading.Timer(AT_ONCE_SECONDS, process.kill)
    patience.daemon = True

    def interrupt(*_: object) -> None:
        nonlocal interrupts, left
        interrupts += 1
        number = interrupts  # the next one may come before this one is done
        if number >= _AT_ONCE:
            # Plugins end by themselves only when they miss the engine; until then they go on beside the next run. They
            # have process groups of their own, and after the engine's end nothing tells whose they were.
            left = processes.descendants(process.pid) or left
        process.send_signal(signal.SIGINT if number < _KILLS else signal.SIGKILL)
        if number == _AT_ONCE:
            patience.start()

    # A handler and no exception, which could come between two lines and leave the process to itself.
    with signals.handled(interrupt):
        with suppress(OSError):  # nobody may be there to read it
            print(
                "interrupted: ending the operations that are under way; press Ctrl-C again to stop at once",
                file=sys.stderr,
                flush=True,
            )
        interrupt()
        process.communicate()  # reads on: a full pipe would stop it
        patience.cancel()
        _kill(left)


def _kill(pids: Sequence[int]) -> None:
    """Kill processes, and wait until they have ended, or the system has had the time for it."""
    until = time.monotonic() + _KILL_SECONDS
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    while any(processes.runs(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.01)
