"""How many containers of each kind an application has: those given, else those of the tier (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass

from tierstack.app_cluster.options import RoleArgs
from tierstack.core.tier import AppSize

WORKER = "worker"
"""The role whose counts the tier gives."""


@dataclass(frozen=True, kw_only=True)
class RoleCounts:
    """How many processes of a role run."""

    count: int
    """At rest."""
    max_count: int
    """Where its autoscaler is at its ceiling; the same where it has none."""

    @property
    def scaled(self) -> bool:
        """Whether an autoscaler decides, on a platform that has one."""
        return 0 < self.count < self.max_count


@dataclass(frozen=True, kw_only=True)
class AppCounts:
    """Counts and sizes of an application, settled."""

    replicas: int
    max_replicas: int
    children: int
    """Requests that a web container answers at a time."""
    child_memory_mb: int
    roles: dict[str, RoleCounts]

    @property
    def background(self) -> int:
        """Processes of all roles at rest."""
        return sum(one.count for one in self.roles.values())

    @property
    def max_background(self) -> int:
        """Processes of all roles where every autoscaler is at its ceiling."""
        return sum(one.max_count for one in self.roles.values())


def role_counts(roles: Mapping[str, RoleArgs] | None, size: AppSize) -> dict[str, RoleCounts]:
    """The counts of each role: those given, else those of the tier."""
    return {name: _counts(name, role, size) for name, role in (roles or {}).items()}


def _counts(name: str, role: RoleArgs, size: AppSize) -> RoleCounts:
    sized = name == WORKER and not role.single
    rest, most = (size.workers, size.max_workers) if sized else (1, 1)
    count = rest if role.count is None else role.count
    if role.max_count is not None:
        return RoleCounts(count=count, max_count=role.max_count)
    return RoleCounts(count=count, max_count=max(count, most) if sized and count else count)
