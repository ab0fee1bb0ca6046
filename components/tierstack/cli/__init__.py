"""The `tierstack` command: one file for each verb."""

import gc
import sys

__all__ = ["main"]

_INTERRUPTED = 130
"""128 + SIGINT."""
_OBJECTS = 100_000
"""New objects until the garbage collector runs: twice as many as a check makes."""


def main() -> None:
    """Run the command."""
    # What imports make stays; at Python's threshold of 700 the collector would look through it again and again.
    gc.set_threshold(_OBJECTS)
    try:
        from tierstack.cli import deferred

        deferred.install()
        from tierstack.cli import app  # after `install`, which decides what its imports run

        app.main()
    except KeyboardInterrupt:
        changing = {"up", "down", "recover"} & set(sys.argv[1:2])
        if sys.argv[1:2] == ["rollback"]:
            print("interrupted; `tierstack release status` shows which version takes the requests", file=sys.stderr)
            raise SystemExit(_INTERRUPTED) from None
        if sys.argv[1:2] == ["release"]:
            print(
                "interrupted; the release stays where it is: --resume goes on, --abort takes it back", file=sys.stderr
            )
            raise SystemExit(_INTERRUPTED) from None
        left = f"run `tierstack {changing.pop()}` again: it goes on from there" if changing else "nothing was changed"
        print(f"interrupted; {left}", file=sys.stderr)
        raise SystemExit(_INTERRUPTED) from None  # the exit code of a shell
