"""Where a verb writes: looked at before the work begins, so that a wrong path is told at once."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tierstack.engine.usage import LockedError, UsageError


def check_file(path: Path, option: str) -> None:
    """Raise UsageError where a file cannot be written at `path`, which `option` names."""
    parent = path.parent
    if path.is_dir():
        raise UsageError(f"{option} {path} is a directory; name a file in it")
    if not parent.is_dir():
        raise UsageError(f"{option} {path}: the directory {parent} does not exist; make it, or name another one")
    if not os.access(path if path.exists() else parent, os.W_OK):
        raise UsageError(f"{option} {path} is not writable; name a file in a directory of your own")


@contextmanager
def work_directory(final: Path) -> Generator[Path, None, None]:
    """An empty directory beside `final`, for one run at a time; what is left of it is removed, and so are the
    directories above it that were made for it and hold nothing else.

    Raises LockedError while another run holds it, and UsageError where it cannot be made. The lock is on the directory
    itself (flock(2)), so a run that is killed leaves none.
    """
    fresh = final.with_name(f".{final.name}.new")
    above = [one for one in fresh.parents if not one.exists()]
    try:
        fresh.mkdir(parents=True, exist_ok=True)
        held = os.open(fresh, os.O_RDONLY)
    except OSError as error:
        raise UsageError(f"{final} cannot be written: {error.strerror}; name another directory with --output") from None
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(f"another run is writing {final}; wait until it has ended, then try again") from None
        if not _is(held, fresh):
            raise LockedError(f"another run has just written {final}; try again")
        for one in fresh.iterdir():
            shutil.rmtree(one) if one.is_dir() and not one.is_symlink() else one.unlink()
        yield fresh
    finally:
        if _is(held, fresh):  # not where it has taken its place, or another run has made its own
            _remove_if_held(held, fresh)
        os.close(held)
        with contextlib.suppress(OSError):  # the first that holds something ends it
            for one in above:
                one.rmdir()


def _is(held: int, path: Path) -> bool:
    """Whether an open directory is still the one at `path`."""
    try:
        return os.path.samestat(os.fstat(held), path.stat())
    except FileNotFoundError:
        return False


def _remove_if_held(held: int, path: Path) -> None:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    shutil.rmtree(path, ignore_errors=True)
