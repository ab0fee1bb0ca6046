"""Strategies as data (pure): a release is a sequence of states, each of which is one update of the stack."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from tierstack.app_cluster.release_options import ReleaseArgs, ReleaseStep, ReleaseStrategy

_STEPS = (5, 25, 50)
"""Percent that the new release gets in the steps of a canary, where none are given."""


@dataclass(frozen=True, kw_only=True)
class State:
    """What runs, and who gets which requests, while a step of a release lasts."""

    title: str
    """What a person reads: `5 %`."""
    weight: int
    """Percent of the requests that the new release gets; the old one gets the rest."""
    scale: int
    """Percent of its web containers that the new release has: never less than its share of the requests, because it is
    scaled before it gets them."""
    roles: bool
    """Whether the roles (workers, scheduler) are those of the new release. They move with its first visitor: old
    workers do not know the jobs of new code, while new ones must know those of the old."""
    old: bool = True
    """Whether the old release still runs."""
    mirror: bool = False
    """Whether the new release gets copies of requests."""
    smoke: bool = False
    """Whether the smoke tests run in this step."""
    watch_seconds: int = 0
    """How long the new release is watched in this step."""


def states(args: ReleaseArgs) -> list[State]:
    """The states of a release, in their order. What comes after the last one is the plain configuration."""
    last = State(
        title="100 %",
        weight=100,
        scale=100,
        roles=True,
        old=args.strategy is not ReleaseStrategy.ROLLING,
        smoke=args.strategy is ReleaseStrategy.ROLLING,
        watch_seconds=max(args.watch_seconds, args.drain_seconds if args.sticky else 0),
    )
    if args.strategy is ReleaseStrategy.ROLLING:
        return [last]
    if args.strategy is ReleaseStrategy.BLUE_GREEN:
        return [_prepared(100), last]
    if args.strategy is ReleaseStrategy.SHADOW:
        mirror = State(title="copies", weight=0, scale=100, roles=False, mirror=True, watch_seconds=args.watch_seconds)
        return [_prepared(100), mirror, last]
    steps = args.steps or [ReleaseStep(weight=one) for one in _STEPS]
    shares = [
        State(title=f"{one.weight} %", weight=one.weight, scale=one.weight, roles=True, watch_seconds=one.pause_seconds)
        for one in steps
    ]
    return [_prepared(steps[0].weight), *shares, last]


def _prepared(scale: int) -> State:
    return State(title="0 %", weight=0, scale=scale, roles=False, smoke=True)


def replicas(state: State, full: int) -> int | None:
    """The web containers of the new release in a state, of `full`. None: all of them."""
    return None if state.scale >= 100 else max(1, math.ceil(full * state.scale / 100))


def as_text(plan: Sequence[State]) -> str:
    """States as one line of text, which a step keeps: a later call goes on with them, whatever the configuration then
    says."""
    return json.dumps([asdict(one) for one in plan], separators=(",", ":"))


def from_text(text: str) -> list[State]:
    """The states in such a text."""
    return [State(**one) for one in json.loads(text)]


def seconds(plan: Sequence[State]) -> int:
    """How long the steps are watched together, in seconds, at the least; each update adds its own time."""
    return sum(one.watch_seconds for one in plan)
