"""What a platform makes once and shares between components, kept for the run that made it."""

import weakref
from collections.abc import Callable
from typing import Any, TypeVar, cast

from pulumi.runtime.settings import get_monitor

from tierstack.platform import Platform

T = TypeVar("T")

# Keyed by the engine connection of the run: tests, and a component host that serves several programs, start afresh.
_runs: "weakref.WeakKeyDictionary[Any, dict[Platform, Any]]" = weakref.WeakKeyDictionary()


def once_per_run(make: Callable[[Platform], T], platform: Platform) -> T:
    """`make(platform)`, or what it gave for an equal platform earlier in this run."""
    made = _runs.setdefault(get_monitor(), {})
    if platform not in made:
        made[platform] = make(platform)
    return cast(T, made[platform])
