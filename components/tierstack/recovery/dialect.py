"""In which words a restore and a drill ask a server: what is another one for each engine."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

Ask = Callable[[str], str]
"""Runs statements on a server, and returns what they print."""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What was read of a restored database."""

    rows: list[int]
    """Rows of each table."""
    notes: list[str]
    """What a reader of the result has to know besides."""


class UnreadableError(Exception):
    """A table cannot be read; the message is the server's."""


class Dialect(ABC):
    """One engine."""

    title: str
    """What people call the server."""
    waiting: str
    """What a restore waits for once the server was started, as progress tells it."""
    prepare: str
    """Statements that make an empty table `clock`, write the row 0 into it, and print that."""
    insert: str
    """Statements that write the row `{}`, and print it once it is acknowledged. All rows are printed as
    `id|seconds since 1970`."""
    position: str
    """Statement that prints where the log is: a copy of the log that reaches it has everything that was written."""
    kept: str
    """Statements that print all rows; nothing, where there is no such table."""

    @abstractmethod
    def client(self, container: str, database: str) -> list[str]:
        """The command of a client in a server's container, which reads statements from its standard input."""

    @abstractmethod
    def ready(self, container: str) -> tuple[list[str], str]:
        """A command, and what it prints once the server has replayed everything and takes writes."""

    @abstractmethod
    def contents(self, ask: Ask, database: str) -> Contents:
        """Every table of the database, read from one end to the other. Raises UnreadableError and CommandError."""

    @abstractmethod
    def true(self, answer: str) -> bool:
        """Whether the one value of a SELECT is true."""

    @abstractmethod
    def look(self, container: str, database: str) -> str:
        """The command by which people look at a restored database."""
