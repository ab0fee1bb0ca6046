"""What the `tierstack` command asks a program for: the stack that it exports. Pure.

A program exports a stack if its main file imports `tierstack.stack`, and binds the name `stack` at the top level:

    from tierstack.stack import Stack

    stack = Stack()

    if __name__ == "__main__":  # the engine runs the program; the command only loads it
        stack.build()

The command loads that file under another name than `__main__` and calls `stack.check`. Any object with that method will
do, so a program can have settings of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tierstack.cluster_addons.required import Needs
from tierstack.core.before import Before
from tierstack.core.diagnostics import Diagnostic, Ignored, declare
from tierstack.core.tier import Limit
from tierstack.core.written import Written
from tierstack.platform import Platform
from tierstack.stack.picture import Topology

declare("unreadable", "The configuration of a stack must be readable.")


@dataclass(frozen=True)
class Configuration:
    """The configuration of one stack, as its file has it."""

    values: Mapping[str, Any]
    """The keys of the project's namespace, without it."""
    secret_keys: frozenset[str]
    """The keys that hold an encrypted value."""
    stack: str
    """Name of the stack."""
    project: str
    """Name of the project."""
    root: Path
    """The project's directory: paths in the configuration are relative to it."""
    other_keys: tuple[str, ...] = ()
    """The keys of other namespaces, in full: `docker:host`."""
    written: Mapping[str, Written] = field(default_factory=dict[str, Written])
    """Values that are no text to YAML, as they stand in the file, by their paths."""
    before: Before = field(default_factory=Before)
    """What the stack has made, where that can be read without an engine."""


class CheckReport(Protocol):
    """What a check without an engine finds."""

    @property
    def problems(self) -> list[Diagnostic]:
        """Everything that is wrong; nothing else needs to hold where it is not empty."""
        ...

    @property
    def capacity(self) -> list[Limit]:
        """What the configuration carries in requests/s, the bottleneck first."""
        ...

    @property
    def notes(self) -> list[str]:
        """What it holds beside that."""
        ...

    @property
    def platform(self) -> Platform | None:
        """Where the stack runs; None where the configuration cannot be read."""
        ...

    @property
    def needs(self) -> Needs | None:
        """What must be in the cluster before an update. None: nothing is asked."""
        ...

    def findings(self) -> tuple[list[Diagnostic], list[Ignored]]:
        """(Warnings and advice, those that the configuration accepts), each at the path of its setting."""
        ...

    def topology(self) -> Topology:
        """What runs, for a picture. Needs a configuration without problems."""
        ...


class ExportedStack(Protocol):
    """What a program binds the name `stack` to."""

    def check(self, configuration: Configuration) -> CheckReport:
        """What can be said of `configuration` without an engine. Registers nothing and raises nothing."""
        ...
