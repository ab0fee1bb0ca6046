"""The memory of a Docker host: the sum of the containers' hard limits, at rest and during a release. Pure.

Each sum is of the functions that the builders take their limits from; a test compares it with what they make.
"""

from dataclasses import dataclass

from tierstack.app_cluster import processes
from tierstack.database import sizing
from tierstack.redis_cluster import node
from tierstack.stack.plan import Plan

HELPERS_MB = 64
"""MiB for what writes files and certificates into volumes, one after the other: a shell."""


@dataclass(frozen=True)
class HostMemory:
    """MiB that the containers of a stack may use together."""

    rest: int
    """While nothing changes."""
    release: int
    """What a release adds until the one before it has stopped: web containers and workers run twice."""

    @property
    def most(self) -> int:
        """At the same time."""
        return self.rest + self.release + HELPERS_MB


def host_memory(plan: Plan) -> HostMemory:
    """The limits of everything that the stack runs on a Docker host."""
    app, size, backups, policy = plan.app, plan.database.size(), plan.backups, plan.mta_sts
    released = processes.release_memory_mb(app)
    rest = [
        released,
        app.worker_memory_mb if app.scheduler_command else 0,
        (1 + size.replicas) * size.memory_mb,
        sizing.pooler_memory_mb(size),
        node.container_memory_mb(plan.redis.size.memory_mb),
        plan.gateway.memory_mb,
        backups.memory_mb if backups else 0,
        policy.memory_mb if policy else 0,
    ]
    # The migration has ended when the web containers of the new release start.
    migration = app.worker_memory_mb if app.migrate_command else 0
    return HostMemory(rest=sum(rest), release=max(released, migration))
