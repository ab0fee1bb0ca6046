"""The rules of how releases come into production (pure)."""

import re

from tierstack.app_cluster.path_rules import PATH
from tierstack.app_cluster.release_options import ExperimentArgs, MirrorArgs, ReleaseArgs, ReleaseStrategy
from tierstack.app_cluster.release_windows import window
from tierstack.core.errors import MISSING, Diagnostic, rule

_SAFE = ("GET", "HEAD", "OPTIONS")
_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_COOKIE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_VALUE = re.compile(r"[A-Za-z0-9._~-]{1,64}")
_MOST_PATHS = 10


# How releases are made --------------------------------------------------------------------------------------------


def release_problems(release: ReleaseArgs) -> list[Diagnostic]:
    """Everything that is wrong with the arguments of releases."""
    found = _strategy(release) + _steps(release) + _smoke_paths(release)
    if release.mirror:
        found += mirror_problems("release.mirror", release.mirror)
    if release.experiment:
        found += experiment_problems("release.experiment", release.experiment)
    return found + _windows(release) + _timezone(release)


@rule(
    "release-strategy",
    "What only one strategy reads is given with that strategy.",
    wrong="app: {release: {strategy: blue_green, steps: [{weight: 10}]}}",
    right="app: {release: {strategy: canary, steps: [{weight: 10}]}}",
)
def _strategy(release: ReleaseArgs) -> list[Diagnostic]:
    given = {"steps": (release.steps, ReleaseStrategy.CANARY), "mirror": (release.mirror, ReleaseStrategy.SHADOW)}
    return [
        Diagnostic(
            f"release.{key}",
            MISSING,
            f"means something only with the strategy `{strategy.value}`, not `{release.strategy.value}`",
            f"remove it, or write `strategy: {strategy.value}`",
        )
        for key, (value, strategy) in given.items()
        if value is not None and release.strategy is not strategy
    ]


@rule(
    "release-steps",
    "The shares of a canary rise from step to step.",
    wrong="app: {release: {steps: [{weight: 50}, {weight: 25}]}}",
    right="app: {release: {steps: [{weight: 25}, {weight: 50}]}}",
)
def _steps(release: ReleaseArgs) -> list[Diagnostic]:
    if release.steps is None:
        return []
    if not release.steps:
        instead = "write steps, such as `[{weight: 25}]`, or leave it out"
        return [Diagnostic("release.steps", [], "is empty", instead)]
    weights = [one.weight for one in release.steps]
    return [
        Diagnostic(
            f"release.steps[{at}].weight",
            weights[at],
            f"is not more than the {weights[at - 1]} percent of the step before",
            "write the steps in rising order",
        )
        for at in range(1, len(weights))
        if weights[at] <= weights[at - 1]
    ]


@rule(
    "smoke-path",
    "Smoke tests ask at most ten paths of plain characters.",
    wrong="app: {release: {smoke_paths: [cart]}}",
    right="app: {release: {smoke_paths: [/, /cart, /api/health]}}",
)
def _smoke_paths(release: ReleaseArgs) -> list[Diagnostic]:
    paths = release.smoke_paths
    if paths is None:
        return []
    if not 1 <= len(paths) <= _MOST_PATHS:
        wrong = f"has {len(paths)} paths"
        return [Diagnostic("release.smoke_paths", MISSING, wrong, f"write 1 to {_MOST_PATHS}, or leave it out")]
    wrong, instead = "is not a path of plain characters that starts with /", "write one such as /cart"
    return [
        Diagnostic(f"release.smoke_paths[{at}]", path, wrong, instead)
        for at, path in enumerate(paths)
        if not PATH.fullmatch(path)
    ]


@rule(
    "release-window",
    "A window for releases is written as days and times.",
    wrong="app: {release: {windows: [weekdays 9-16]}}",
    right='app: {release: {windows: ["Mon-Fri 09:00-16:00"]}}',
)
def _windows(release: ReleaseArgs) -> list[Diagnostic]:
    if release.windows == []:
        return [Diagnostic("release.windows", [], "is empty: no release could begin", "write one, or leave it out")]
    wrong = "is not days and times within one day"
    return [
        Diagnostic(f"release.windows[{at}]", text, wrong, "write it as in `Mon-Fri 09:00-16:00` or `Sat 10:00-24:00`")
        for at, text in enumerate(release.windows or [])
        if window(text) is None
    ]


@rule(
    "release-timezone",
    "The time zone of windows is a name of the IANA database.",
    wrong="app: {release: {timezone: CEST}}",
    right="app: {release: {timezone: Europe/Zurich}}",
)
def _timezone(release: ReleaseArgs) -> list[Diagnostic]:
    if release.timezone == "UTC":
        return []
    from zoneinfo import ZoneInfo  # loads much, and most checks need none

    try:
        ZoneInfo(release.timezone)
    except (LookupError, ValueError, OSError):  # not found, a path, a directory
        wrong, instead = "is not a time zone that this machine knows", "write one such as `Europe/Zurich`, or `UTC`"
        return [Diagnostic("release.timezone", release.timezone, wrong, instead)]
    return []


# What both have ---------------------------------------------------------------------------------------------------


@rule(
    "mirror-method",
    "Only requests that change nothing are copied.",
    "RFC 9110 §9.2.1",
    why="A copy of a POST would write an order twice.",
    wrong="app: {release: {strategy: shadow, mirror: {methods: [GET, POST]}}}",
    right="app: {release: {strategy: shadow, mirror: {methods: [GET]}}}",
)
def mirror_problems(path: str, mirror: MirrorArgs) -> list[Diagnostic]:
    """Whether the copied methods are safe ones."""
    if not mirror.methods:
        return [Diagnostic(f"{path}.methods", [], "is empty", f"write some of {', '.join(_SAFE)}")]
    wrong, instead = "is not a method that changes nothing", f"write some of {', '.join(_SAFE)}"
    return [
        Diagnostic(f"{path}.methods[{at}]", method, wrong, instead)
        for at, method in enumerate(mirror.methods)
        if method not in _SAFE
    ]


@rule(
    "experiment",
    "An experiment is told by one header or one cookie.",
    wrong="app: {release: {experiment: {header: X Beta}}}",
    right="app: {release: {experiment: {header: X-Beta}}}",
)
def experiment_problems(path: str, experiment: ExperimentArgs) -> list[Diagnostic]:
    """Whether it can stand in a rule of the proxy."""
    if (experiment.header is None) == (experiment.cookie is None):
        wrong = "has neither `header` nor `cookie`" if experiment.header is None else "has both `header` and `cookie`"
        return [Diagnostic(path, MISSING, wrong, "give one of the two")]
    judged = (
        ("header", experiment.header, _NAME, "letters, digits and `-`, such as `X-Beta`"),
        ("cookie", experiment.cookie, _COOKIE, "letters, digits, `-` and `_`, such as `beta`"),
        ("value", experiment.value, _VALUE, "letters, digits and `-._~`"),
    )
    return [
        Diagnostic(f"{path}.{key}", value, "has other characters, or more than 64", f"write {instead}")
        for key, value, pattern, instead in judged
        if value is not None and not pattern.fullmatch(value)
    ]
