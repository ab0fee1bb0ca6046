"""The `tierstack` command: one file for each verb."""

import sys
from typing import NoReturn

__all__ = ["main"]

_INTERRUPTED = 130
"""128 + SIGINT."""


def main() -> None:
    """Run the command."""
    try:
        from tierstack.cli import deferred

        deferred.install()
        from tierstack.cli import app  # after `install`, which decides what its imports run

        app.main()
    except KeyboardInterrupt:
        _interrupted()
    except SystemExit as ended:
        if ended.code == _INTERRUPTED:  # Typer has caught it, and says nothing
            _interrupted()
        raise


def _interrupted() -> NoReturn:
    """Say what an interrupted command leaves; the exit code is that of a shell."""
    changing = {"up", "down"} & set(sys.argv[1:2])
    left = f"run `tierstack {changing.pop()}` again: it goes on from there" if changing else "nothing was changed"
    print(f"interrupted; {left}", file=sys.stderr)
    raise SystemExit(_INTERRUPTED) from None
