"""A platform that is made up: an application with releases, a proxy that counts, and a process that can be killed at
each of its calls."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tierstack.release import running as state
from tierstack.release.analysis import Counters
from tierstack.release.executor import Observed, StepError
from tierstack.release.lock import Holder

OLD, NEW = "01d01d01d01d", "4e74e74e74e7"
BEGAN = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)


class KilledError(BaseException):
    """The process is gone: nothing of it runs any more."""


def description(name: str) -> str:
    return json.dumps({"format": 1, "image": f"sha256:{name}", "counts": {"replicas": 4}})


def name_of(described: str) -> str:
    return str(json.loads(described)["image"]).removeprefix("sha256:")


@dataclass
class World:
    """What outlives the process."""

    configured: str = NEW
    releases: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"name": OLD, "weight": 100, "current": True, "replicas": 4, "description": description(OLD)}
        ]
    )
    progress: dict[str, str] | None = None
    served: dict[str, int] = field(default_factory=lambda: {OLD: 100})
    lines: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    holder: dict[str, Any] | None = None
    clock: datetime = BEGAN
    counted: dict[str, Counters] = field(default_factory=dict[str, Counters])
    migrations: list[str] = field(default_factory=list[str])
    scheduler: list[str] = field(default_factory=lambda: [OLD])
    """Whose scheduler ran, in order."""

    per_second: float = 100
    errors: Mapping[str, float] = field(default_factory=lambda: {OLD: 0.001, NEW: 0.001})
    mean: Mapping[str, float] = field(default_factory=lambda: {OLD: 0.02, NEW: 0.02})
    wrong_inside: set[str] = field(default_factory=set[str])
    wrong_in_public: set[str] = field(default_factory=set[str])
    dies: set[str] = field(default_factory=set[str])
    away: int = 0
    """How many times the proxy gives no answer."""
    stuck: bool = False
    """Whether the proxy serves what it served before, whatever its file says."""
    fails: dict[int, str] = field(default_factory=dict[int, str])
    """Updates that fail, by their number, and what they say."""
    updates: list[Any] = field(default_factory=list[Any])
    changes: list[str] = field(default_factory=lambda: [f"create   web-{NEW}-1"])
    """What a preview of the first update says."""
    drift: list[str] = field(default_factory=list[str])

    def pass_time(self, seconds: float) -> None:
        self.clock += timedelta(seconds=seconds)
        for name, weight in self.served.items():
            requests = round(self.per_second * seconds * weight / 100)
            rate = self.errors.get(name, 0)
            before = self.counted.get(name, Counters())
            failed = round((before.requests + requests) * rate) - round(before.requests * rate)
            more = Counters(requests, failed, requests * self.mean.get(name, 0.02))
            self.counted[name] = before + more


class Process:
    """The executor of one process, which may be killed at one of its calls."""

    def __init__(self, world: World, ends_at: int | None = None, when: str = "before") -> None:
        """`when`: `before` or `after` the call, or in the `middle` of an update: the proxy has its new file, and the
        state does not know."""
        self.world, self.ends_at, self.when, self.calls = world, ends_at, when, 0
        self.dead = False
        self.moments: list[tuple[int, str]] = []
        """At which it can be killed."""

    def _called(self, when: str = "before") -> None:
        if self.dead:
            raise KilledError
        if when == "before":
            self.calls += 1
        self.moments.append((self.calls, when))
        if self.calls == self.ends_at and when == self.when:
            self.dead = True
            raise KilledError

    def running(self) -> state.Running:
        self._called()
        world = self.world
        document = {
            "releases": [{**one, "description": json.loads(one["description"])} for one in world.releases],
            "described": next((one["name"] for one in world.releases if one["name"] == world.configured), None),
            "progress": world.progress,
        }
        found = state.parsed(json.dumps(document), app="shop", url="https://shop.example")
        self._called("after")
        return found

    def preview(self, traffic: Mapping[str, Any]) -> Sequence[str]:
        self._called()
        return self.world.changes

    def drifted(self) -> Sequence[str]:
        self._called()
        return self.world.drift

    def apply(self, traffic: Mapping[str, Any] | None) -> None:
        self._called()
        world = self.world
        world.updates.append(traffic)
        world.pass_time(10)
        if said := world.fails.get(len(world.updates)):
            raise StepError(said)
        releases = self._releases(traffic)
        assert sum(one["current"] for one in releases) == 1, "never two schedulers, never none"
        if traffic is None or traffic.get("replicas") != 0:
            world.migrations += [world.configured] if world.migrations[-1:] != [world.configured] else []
        if not world.stuck:
            world.served = {one["name"]: one["weight"] for one in releases if one["weight"] > 0}
        assert sum(world.served.values()) > 0
        self._called("middle")
        world.scheduler += [one["name"] for one in releases if one["current"] and one["name"] != world.scheduler[-1]]
        world.releases, world.progress = releases, (traffic or {}).get("progress")
        self._called("after")

    def _releases(self, traffic: Mapping[str, Any] | None) -> list[dict[str, Any]]:
        own = {"name": self.world.configured, "description": description(self.world.configured)}
        if traffic is None:
            return [{**own, "weight": 100, "current": True, "replicas": 4}]
        found = [
            {
                "name": name_of(one["description"]),
                "description": one["description"],
                "weight": one["weight"],
                "current": one["current"],
                "replicas": 4,
            }
            for one in traffic.get("others", [])
        ]
        if traffic.get("replicas") == 0:
            return found
        count = traffic.get("replicas") or 4
        assert count >= traffic["weight"] * 4 / 100, "scaled to its share before it gets it"
        return [*found, {**own, "weight": traffic["weight"], "current": traffic["current"], "replicas": count}]

    def observe(self) -> Observed:
        self._called()
        world = self.world
        ill = {name: "container shop-1 exited with 137" for name in world.dies if world.served.get(name, 0) > 0}
        if world.away > 0:
            world.away -= 1
            raise StepError("the proxy does not answer")
        known = frozenset(world.served if world.stuck else (one["name"] for one in world.releases))
        found = Observed(served=dict(world.served), known=known, counted=dict(world.counted), ill=ill)
        self._called("after")
        return found

    def smoke_inside(self, release: str, path: str) -> str | None:
        self._called()
        return "answers 500" if release in self.world.wrong_inside else None

    def smoke(self, path: str, release: str | None) -> str | None:
        self._called()
        asked = [release] if release else list(self.world.served)
        return "answers 502" if self.world.wrong_in_public & set(asked) else None

    def entries(self) -> list[dict[str, Any]]:
        self._called()
        return list(self.world.lines)

    def record(self, entry: Mapping[str, Any]) -> None:
        self._called()
        self.world.lines.append(dict(entry))
        self._called("after")

    def lock(self, holder: Holder) -> Holder | None:
        self._called()
        if self.world.holder:
            return Holder.parsed(self.world.holder)
        self.world.holder = holder.as_dict()
        self._called("after")
        return None

    def unlock(self) -> None:
        self._called()
        self.world.holder = None

    def now(self) -> datetime:
        return self.world.clock

    def wait(self, seconds: float) -> None:
        self._called()
        self.world.pass_time(seconds)
