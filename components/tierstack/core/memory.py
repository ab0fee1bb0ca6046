"""What the containers of a component reserve on a Docker host: each component tells it, a stack adds it up. Pure."""

from dataclasses import dataclass
from enum import Enum


class Phase(Enum):
    """When containers run."""

    ALWAYS = "always"
    """As long as the stack does, one at a time also during an update."""
    RELEASE = "release"
    """As long as the stack does, and twice while a release replaces them."""
    ONCE = "once"
    """To their end, during an update."""


@dataclass(frozen=True)
class Reserved:
    """The hard limit of containers of one kind."""

    memory_mb: int
    """MiB of each."""
    count: int = 1
    phase: Phase = Phase.ALWAYS
