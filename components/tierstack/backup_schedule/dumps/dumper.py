"""What a dump program is to the agent. `postgresql.py` and `mysql.py` answer it.

The agent in the container runs this very file. It imports the standard library only.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence


class DumpError(Exception):
    """There is no dump, or it is not whole; the message is one line for people."""


class Inspector(ABC):
    """Looks at a dump while it is written."""

    @abstractmethod
    def feed(self, chunk: bytes) -> None:
        """The next part of it."""

    @abstractmethod
    def end(self) -> set[str]:
        """The tables that are in it, as `Dumper.tables` names them. Raises DumpError where it is not whole."""


class Dumper(ABC):
    """One engine."""

    extension: str
    """What the name of a dump ends with."""

    @abstractmethod
    def check(self) -> None:
        """Raise DumpError where the server does not answer, or is of another version than the programs."""

    @abstractmethod
    def tables(self, chosen: Sequence[str] | None) -> set[str]:
        """The tables whose rows the database has now, of those that are chosen. Raises DumpError where one of these is
        not there."""

    @abstractmethod
    def command(self, chosen: Sequence[str] | None) -> list[str]:
        """The program that writes a dump to its standard output. No secret is in it."""

    @abstractmethod
    def inspector(self) -> Inspector:
        """What looks at the dump that is being written."""

    @abstractmethod
    def whole(self, stream: Iterable[bytes]) -> None:
        """Read a dump from one end to the other. Raises DumpError where it could not be restored."""


def cause(said: str) -> str:
    """The lines of a program that say why it failed, as one: its errors, else its last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line.lower() or "Got error" in line or "detail:" in line]
    return " ".join(" ".join(errors[:3] or lines[-1:]).split())[:400] or "it said nothing"
