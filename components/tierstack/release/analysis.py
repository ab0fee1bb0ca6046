"""Whether a release is good (pure): what was counted of it and of the old one, and a verdict in words, with figures."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from tierstack.app_cluster.release_options import AnalysisArgs

LEAST_DIFFERENCE_SECONDS = 0.01
"""Means that differ by less are no reason to take a release back: of answers that take 2 ms, the triple is noise."""


@dataclass(frozen=True)
class Counters:
    """What a proxy has counted of a release since it started."""

    requests: int = 0
    errors: int = 0
    """Answers with a status of 500 and above."""
    seconds: float = 0
    """The time of all answers together."""
    buckets: Mapping[float, int] = field(default_factory=dict[float, int])
    """Answers by the time they took at most, in seconds; each counts all faster ones too."""

    def __add__(self, other: "Counters") -> "Counters":
        bounds = {*self.buckets, *other.buckets}
        return Counters(
            self.requests + other.requests,
            self.errors + other.errors,
            self.seconds + other.seconds,
            {one: self.buckets.get(one, 0) + other.buckets.get(one, 0) for one in bounds},
        )

    def since(self, before: "Counters") -> "Counters":
        """What came after `before`. A proxy that started again counts from 0, so what it has counted is all new."""
        if self.requests < before.requests or self.errors < before.errors:
            return self
        return Counters(
            self.requests - before.requests,
            self.errors - before.errors,
            max(0.0, self.seconds - before.seconds),
            {one: max(0, count - before.buckets.get(one, 0)) for one, count in self.buckets.items()},
        )

    @property
    def error_rate(self) -> float:
        """Share of the answers that are errors, 0 to 1."""
        return self.errors / self.requests if self.requests else 0.0

    @property
    def mean_seconds(self) -> float | None:
        """The mean time of an answer. None: there was none."""
        return self.seconds / self.requests if self.requests else None

    def quantile(self, share: float) -> float | None:
        """The time within which `share` (0 to 1) of the answers came, in seconds, interpolated in its bucket. None: it
        is not known, because nothing was counted, or the answer took longer than the last bound."""
        wanted, below, low = share * self.requests, 0, 0.0
        for bound in sorted(self.buckets):
            count = self.buckets[bound]
            if self.requests and count >= wanted:
                return low if bound == float("inf") else low + (bound - low) * (wanted - below) / max(1, count - below)
            below, low = count, bound
        return None


class Series:
    """What was counted of one release, as it was asked for again and again."""

    def __init__(self) -> None:
        self._last: Counters | None = None
        self._parts: list[tuple[float, Counters]] = []

    def add(self, moment: float, counted: Counters) -> None:
        """What the proxy says at `moment`; the first answer is what all others are compared with."""
        if self._last is not None:
            self._parts.append((moment, counted.since(self._last)))
        self._last = counted

    def within(self, after: float) -> Counters:
        """What came after a moment."""
        found = Counters()
        for moment, part in self._parts:
            if moment > after:
                found += part
        return found


class Finding(Enum):
    """What a verdict says."""

    GOOD = "good"
    BAD = "bad"
    OPEN = "no verdict"


@dataclass(frozen=True)
class Verdict:
    """Whether a release is good, in words."""

    finding: Finding
    text: str


def judge(args: AnalysisArgs, new: Counters, old: Counters | None, *, final: bool) -> Verdict:
    """A verdict of what was counted in the same window.

    `old`: None, or too few requests, where there is nothing to compare the time with; then only errors are judged, and
    the text says so. `final`: at the end of a step. Before it, a release is bad only where chance is no explanation:
    who looks every few seconds sees each limit passed sometime.
    """
    if new.requests < args.min_requests:
        return Verdict(Finding.OPEN, f"no verdict: {new.requests:,} of {args.min_requests:,} requests")
    errors = f"{new.errors:,} of {new.requests:,} requests failed ({percent(new.error_rate)})"
    beside = f", of the old release {percent(old.error_rate)} of {old.requests:,}" if old and old.requests else ""
    if new.error_rate > args.max_error_rate:
        limit = f"the limit is {percent(args.max_error_rate)}"
        if final or least_rate(new.errors, new.requests) > args.max_error_rate:
            return Verdict(Finding.BAD, f"{errors}{beside}; {limit}")
        return Verdict(Finding.OPEN, f"{errors}{beside}; {limit}, which may be chance of so few")
    mine = new.mean_seconds
    theirs = old.mean_seconds if old and old.requests >= args.min_requests else None
    if mine is None or theirs is None:
        return Verdict(
            Finding.GOOD, f"{errors}{beside}; the time was not compared, the old release had too few requests"
        )
    times = f"{milliseconds(mine)} on average, the old release {milliseconds(theirs)}"
    ratio = args.max_latency_ratio * (1 if final else 2)  # the first answers of a container are slow
    if mine > theirs * ratio and mine - theirs > LEAST_DIFFERENCE_SECONDS:
        wrong = f"{times}: {mine / theirs:.1f} times as long over {new.requests:,} requests"
        return Verdict(Finding.BAD, f"{wrong}; the limit is {args.max_latency_ratio:g} times")
    return Verdict(Finding.GOOD, f"{errors}{beside}; {times}")


def least_rate(errors: int, requests: int) -> float:
    """The smallest share of errors, 0 to 1, that explains what was counted, but for one case in twenty: the lower bound
    of Wilson's score interval (E. B. Wilson, 1927)."""
    if not requests:
        return 0.0
    z, rate = 1.645, errors / requests
    middle = rate + z**2 / (2 * requests)
    return (middle - z * math.sqrt(rate * (1 - rate) / requests + z**2 / (4 * requests**2))) / (1 + z**2 / requests)


def percent(share: float) -> str:
    """A share for people: `6.1 %`."""
    return f"{share * 100:.1f} %"


def milliseconds(seconds: float | None) -> str:
    """A time for people: `12.3 ms`; `?` where it is not known."""
    return "?" if seconds is None else f"{seconds * 1000:.1f} ms"
