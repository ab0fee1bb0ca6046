"""The memory of a Docker host: the sum of the containers' hard limits, at rest and during an update. Pure.

Each component tells what its containers reserve, beside what its builder takes the limits from; a test compares this
with what the builders make.
"""

from dataclasses import dataclass

from tierstack.core.memory import Phase, Reserved
from tierstack.stack.plan import Plan

HELPERS_MB = 64
"""MiB for what writes files and certificates into volumes, one after the other: a shell."""


@dataclass(frozen=True)
class HostMemory:
    """MiB that the containers of a stack may use together."""

    rest: int
    """While nothing changes."""
    release: int
    """What a release adds until the one before it has stopped: web containers and most roles run twice."""
    once: int
    """Containers that do one thing during an update: a migration, the database's check, the first look of backups.
    They have ended when the containers of a new release start."""

    @property
    def update(self) -> int:
        """What an update adds."""
        return max(self.release, self.once)

    @property
    def most(self) -> int:
        """At the same time."""
        return self.rest + self.update + HELPERS_MB


def reserved(plan: Plan) -> list[Reserved]:
    """What everything that the stack runs on a Docker host reserves."""
    return [part for one, args in plan.made() if one.section.reserved for part in one.section.reserved(args)]


def host_memory(plan: Plan) -> HostMemory:
    """The limits of everything that the stack runs on a Docker host."""

    def of(*phases: Phase) -> int:
        return sum(one.count * one.memory_mb for one in reserved(plan) if one.phase in phases)

    return HostMemory(of(Phase.ALWAYS, Phase.RELEASE), of(Phase.RELEASE), of(Phase.ONCE))
