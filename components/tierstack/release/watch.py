"""The watch of a step: what the proxy serves, and what it counts, until there is a verdict."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tierstack.app_cluster.release_options import ReleaseArgs
from tierstack.release import words
from tierstack.release.analysis import Counters, Finding, Series, Verdict, judge
from tierstack.release.executor import Executor, Observed, StepError
from tierstack.release.strategy import State

POLL_SECONDS = 5.0
"""How often the proxy is asked."""
AWAY_SECONDS = 60.0
"""How long the proxy may give no answer."""
READ_BACK_SECONDS = 20.0
"""How long the proxy may take to serve what its file says."""


def look(on: Executor) -> Observed:
    """What the proxy says. One that does not answer is asked again for a while: a daemon that is started again takes
    some seconds, and a release needs not end for that."""
    began = on.now()
    while True:
        try:
            return on.observe()
        except StepError:
            if (on.now() - began).total_seconds() >= AWAY_SECONDS:
                raise
        on.wait(1)


def read_back(on: Executor, weights: Mapping[str, int]) -> None:
    """Wait until the proxy itself says that it serves `weights`, and knows a way to each of them, also to one of weight
    0. Raises StepError where it serves others."""
    wanted = {name: weight for name, weight in weights.items() if weight > 0}
    began = on.now()
    while True:
        seen = look(on)
        if dict(seen.served) == wanted and seen.known.issuperset(weights):
            return
        if (on.now() - began).total_seconds() >= READ_BACK_SECONDS:
            raise StepError(f"the proxy serves {words.weights(seen.served)}, not {words.weights(weights)}")
        on.wait(0.5)


class Watch:
    """What was counted of the new and of the old release during all steps of an attempt."""

    def __init__(self, on: Executor, args: ReleaseArgs, old: str, tell: words.Tell) -> None:
        self.on, self.args, self.old, self.tell = on, args, old, tell
        self._series: dict[str, Series] = {}
        self._baseline: Counters | None = None
        self._seen: Counters = Counters()
        self._ill: dict[str, str] = {}

    def until_judged(self, state: State, new: str) -> Verdict:
        """Watch a step to its end, or to the moment when the release is bad."""
        began = self.on.now()
        while True:
            seen = self._look()
            passed = (self.on.now() - began).total_seconds()
            in_use = state.weight > 0 or state.mirror
            verdict = self._verdict(seen, began, new, in_use=in_use, final=passed >= state.watch_seconds)
            if verdict.finding is Finding.BAD or (
                passed >= state.watch_seconds and not self._soon(verdict, passed, state)
            ):
                return verdict
            left = max(0.0, state.watch_seconds - passed)
            self.tell(f"  {state.title}, {left:.0f} s left: {verdict.text}")
            self.on.wait(min(POLL_SECONDS, left) or POLL_SECONDS)

    def figures(self, new: str) -> dict[str, Any]:
        """What the last window said of the new release, for the ledger."""
        found = self._seen
        return {
            "release": new,
            "requests": found.requests,
            "errors": found.errors,
            "mean_ms": _ms(found.mean_seconds),
            "p95_ms": _ms(found.quantile(0.95)),
        }

    def _look(self) -> Observed:
        seen, moment = look(self.on), self.on.now().timestamp()
        for name, counted in seen.counted.items():
            self._series.setdefault(name, Series()).add(moment, counted)
        return seen

    def _verdict(self, seen: Observed, began: datetime, new: str, *, in_use: bool, final: bool) -> Verdict:
        # Once can be a container that is just being looked at; twice is not.
        ill, self._ill = self._ill, dict(seen.ill)
        if new in ill and new in self._ill:
            return Verdict(Finding.BAD, f"the new release is not well: {self._ill[new]}")
        analysis = self.args.analysis
        after = max(began.timestamp(), self.on.now().timestamp() - analysis.window_seconds)
        mine, theirs = self._within(new, after), self._within(self.old, after)
        self._seen = mine
        if not in_use:
            return Verdict(Finding.OPEN, "takes no requests yet")
        if theirs.requests >= analysis.min_requests:
            self._baseline = theirs
        return judge(analysis, mine, self._baseline, final=final)

    def _within(self, name: str, after: float) -> Counters:
        found = self._series.get(name)
        return found.within(after) if found else Counters()

    def _soon(self, verdict: Verdict, passed: float, state: State) -> bool:
        """Whether requests come so fast that there is a verdict before the window ends. Else the release goes on
        without one: a site that nobody visits must get its releases too."""
        analysis = self.args.analysis
        if verdict.finding is not Finding.OPEN or not state.watch_seconds or passed >= analysis.window_seconds:
            return False
        return self._seen.requests / max(passed, 1.0) * analysis.window_seconds >= analysis.min_requests


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
