"""Where things live, and the lock that keeps two set-ups apart."""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WRITTEN = "# Written by toolchain/setup.py."
"""How the environment of a checkout, `.state/env.sh`, begins."""


def cache() -> Path:
    """Shared by all checkouts of this user; everything in it can be made again."""
    if explicit := os.environ.get("TIERSTACK_CACHE"):
        return Path(explicit).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().resolve() / "tierstack"


def state() -> Path:
    """This checkout's own state (stack states, passphrase, generated environment), ignored by git."""
    return ROOT / ".state"


def pulumi_home() -> Path:
    explicit = os.environ.get("PULUMI_HOME")
    return Path(explicit) if explicit else cache() / "pulumi"


def venv() -> Path:
    return ROOT / ".venv"


def say(text: str) -> None:
    """Progress goes to stderr, so that stdout stays what was asked for."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def lock(file: Path) -> Iterator[None]:
    """Hold `file` exclusively; wait, and say so, while another process holds it.

    The kernel drops the lock when its holder dies, so an interrupted set-up never blocks the next one.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            say(f"Another set-up is running (process {handle.read().strip() or 'unknown'}); waiting for it.")
            fcntl.flock(handle, fcntl.LOCK_EX)
        handle.seek(0)
        handle.truncate()
        handle.write(str(os.getpid()))
        handle.flush()
        yield
