"""The `tierstack` command: one file for each verb."""

__all__ = ["main"]


def main() -> None:
    """Run the command."""
    from tierstack.cli import deferred

    deferred.install()
    from tierstack.cli import app  # after `install`, which decides what its imports run

    app.main()
