"""What a driver of releases asks of a platform, and what goes wrong there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from tierstack.engine.project import UsageError
from tierstack.release.analysis import Counters
from tierstack.release.ledger import Entry
from tierstack.release.lock import Holder
from tierstack.release.overlay import Traffic
from tierstack.release.running import Running


class StepError(UsageError):
    """A step of a release failed; its text says what, with the figures."""

    code = 1


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What the proxy and the platform say at one moment."""

    served: Mapping[str, int]
    """The weights that the proxy itself says it serves, by the names of releases; those above 0."""
    known: frozenset[str] = frozenset()
    """The releases that it knows a way to, whatever their weights are."""
    counted: Mapping[str, Counters] = field(default_factory=dict[str, Counters])
    """What it has counted since it started, by the names of releases."""
    ill: Mapping[str, str] = field(default_factory=dict[str, str])
    """What is not well of a release, by its name: a container that died."""


class Executor(Protocol):
    """One application on its platform. Every method may be cut off by a kill, and called again by another process."""

    def running(self) -> Running:
        """What the stack's state says that runs."""
        ...

    def preview(self, traffic: Traffic) -> Sequence[str]:
        """What an update with `traffic` would change, a line each. Raises StepError where it cannot be."""
        ...

    def drifted(self) -> Sequence[str]:
        """What of the stack is not as its last update has made it, a line each."""
        ...

    def apply(self, traffic: Traffic | None) -> None:
        """One update with `traffic`, which ends when what it describes is served and healthy. None: with the plain
        configuration. Raises StepError."""
        ...

    def observe(self) -> Observed:
        """What is served and counted. Raises StepError where nobody answers."""
        ...

    def smoke_inside(self, release: str, path: str) -> str | None:
        """Ask a release for a path from inside, past the proxy. None: it answered below 400; else what is wrong."""
        ...

    def smoke(self, path: str, release: str | None) -> str | None:
        """Ask the public URL for a path: of `release`, whatever its weight is, or as a visitor. None: it answered below
        400; else what is wrong."""
        ...

    def entries(self) -> Sequence[dict[str, Any]]:
        """The ledger, the oldest line first."""
        ...

    def record(self, entry: Entry) -> None:
        """Append to the ledger; it is kept when this returns."""
        ...

    def lock(self, holder: Holder) -> Holder | None:
        """Take the lock. Who has it, where somebody has."""
        ...

    def unlock(self) -> None:
        """Give the lock back, whoever has it."""
        ...

    def now(self) -> datetime:
        """The time, with its zone."""
        ...

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        ...
