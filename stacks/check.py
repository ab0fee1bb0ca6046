"""What can be said of a configuration without an engine: every problem, advice, and what it carries."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stacks import images, rules
from stacks.rooms import Rooms
from stacks.settings import read
from tierstack.errors import ArgumentError, Problem
from tierstack.platform import Platform, PlatformKind
from tierstack.tier import Limit


@dataclass(frozen=True)
class Verdict:
    """What can be said of a configuration without an engine."""

    rooms: Rooms | None
    """The arguments of every component; None where the settings cannot be read."""
    problems: list[Problem]
    """Everything that is wrong."""
    advice: list[str]
    """What is allowed, and rarely meant."""
    capacity: list[Limit]
    """What the configuration carries, and what binds first."""


def judge(
    config: Mapping[str, Any],
    secret_keys: frozenset[str],
    stack: str,
    project: str,
    kind: PlatformKind | None = None,
    lookup: Callable[[str | None], images.Lookup] = lambda _: images.unasked,
) -> Verdict:
    """All problems of a configuration, or the arguments that it gives. Registers nothing and raises nothing."""
    try:
        settings = read(config, kind)
        platform = _platform(settings, stack, project)
        settled = images.settled(settings.images, platform.kind, lookup(platform.docker_host))
    except ArgumentError as error:
        return Verdict(None, error.problems, [], [])
    rooms = Rooms(settings, settled, platform)
    problems = rules.secrets_in_clear(settings, secret_keys) + rooms.problems()
    if not problems:
        problems = rules.problems(rooms)
    if problems:
        return Verdict(rooms, problems, [], [])
    return Verdict(rooms, [], rules.advice(rooms), rules.capacity(rooms))


def _platform(settings: Any, stack: str, project: str) -> Platform:
    given = settings.platform.given()
    given.pop("memory_mb", None)
    return Platform(**{"name": f"{project}-{stack}", **given, "environment": stack})
