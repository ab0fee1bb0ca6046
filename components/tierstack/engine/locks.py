"""The locks of a backend that keeps files (pure, but for the question which processes run, and the removal).

The engine locks a stack with a file, and an engine that is killed leaves it behind. It is removed only where it is
certain that nobody holds it: on this machine's own disk, made on this machine, by a process that is gone.
"""

import os
import re
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tierstack.engine import processes

_LOCK = re.compile(
    r"^\s*(?P<where>\S.*): created by (?P<user>\S+)@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)$", re.MULTILINE
)
_SLACK_SECONDS = 60
"""How far the clock may have been set since a lock was made."""
_ALL_PROCESSES = "pid:[4026531836]"
"""The first PID namespace of Linux (PROC_PID_INIT_INO of the kernel): only there every process can be seen."""


@dataclass(frozen=True)
class Lock:
    """A lock as the engine describes it."""

    where: str
    """Its address, below the backend's."""
    user: str
    host: str
    pid: int
    since: datetime

    @property
    def file(self) -> Path | None:
        """The lock itself, where the backend is a directory; None where it is a bucket."""
        address = urlsplit(self.where)
        # `file://~` is how `pulumi login --local` names the home directory.
        return Path(unquote(address.netloc + address.path)).expanduser() if address.scheme == "file" else None

    def is_stale(self) -> bool:
        """Whether the process that made it is certainly gone; false where that cannot be known from here."""
        # Machines made from one image have one name; they may share a bucket, but hardly a directory.
        return self.file is not None and self.host == socket.gethostname() and is_gone(self.pid, self.since)

    def remove(self) -> None:
        """Remove this lock and no other: someone else may hold the stack a moment later."""
        assert self.file
        self.file.unlink(missing_ok=True)

    def __str__(self) -> str:
        return f"process {self.pid} of {self.user} on {self.host}, since {self.since:%Y-%m-%d %H:%M:%S %Z}"


def is_gone(pid: int, since: datetime) -> bool:
    """Whether the process of this machine that had a number at a moment is certainly gone."""
    if not _sees_all_processes():
        return False
    started = _started(pid)
    return started is None or started > since.timestamp() + _SLACK_SECONDS


def locks(said: str) -> list[Lock]:
    """The locks that the engine's refusal names; none where `said` is something else."""
    return [
        Lock(one["where"], one["user"], one["host"], int(one["pid"]), datetime.fromisoformat(one["since"]))
        for one in _LOCK.finditer(said)
    ]


def is_refusal(line: str) -> bool:
    """Whether a line of the engine's output belongs to such a refusal."""
    return "the stack is currently locked by" in line or bool(locks(line))


def explained(stack: str, held: Sequence[Lock]) -> str:
    """What to do about locks that may be held."""
    holders = "; ".join(str(lock) for lock in held)
    return (
        f"{stack} is locked by another run ({holders}): wait until it has ended. If it was killed: "
        f"`pulumi cancel --stack {stack}`, then the same command again."
    )


def _sees_all_processes() -> bool:
    try:
        return Path("/proc/self/ns/pid").readlink().name == _ALL_PROCESSES
    except OSError:
        return sys.platform != "linux"


def _started(pid: int) -> float | None:
    """When a process was started, in seconds since 1970; None where there is none. 0: not known."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # it is somebody else's
    known = processes.stat(pid)
    if known[:1] == ["Z"]:  # it has ended, and its parent has not noticed
        return None
    try:
        boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
    except (OSError, StopIteration):
        return 0
    return int(boot.split()[1]) + int(known[19]) / os.sysconf("SC_CLK_TCK") if known else 0
