"""The `tierstack` command: one file for each verb."""

from tierstack.cli.app import main

__all__ = ["main"]
