"""The driver of a release: steps, each of which is one update of the stack that also records it.

A driver that is killed leaves a step in the stack's state. The next call goes on from it, or takes the release back.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tierstack.app_cluster.release_options import ReleaseArgs
from tierstack.release import ledger, overlay, strategy, words
from tierstack.release.analysis import Finding
from tierstack.release.executor import Executor, StepError
from tierstack.release.ledger import Entry
from tierstack.release.running import Phase, Progress, Running, RunningRelease
from tierstack.release.strategy import State
from tierstack.release.watch import Watch, read_back
from tierstack.release.words import Tell


@dataclass(frozen=True, kw_only=True)
class Request:
    """What somebody asks for."""

    stack: str
    by: str
    args: ReleaseArgs
    configuration: str
    """A digest of what the configuration describes."""
    paths: Sequence[str]
    """What smoke tests ask for."""
    full: int | None = None
    """Web containers of the new release where it takes all requests. None: as many as the old one has."""
    approved_by: str | None = None
    notes: Sequence[str] = ()
    """What is allowed for this release, for the ledger."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a release ended."""

    outcome: str
    """As in the ledger: `finished`, `taken back`, `rolled back`, `failed`."""
    release: str
    """Name of the release that takes the requests now, as the proxy says; `?` where it does not answer."""
    reason: str = ""
    seconds: float | None = None
    """From the finding to the moment when the old release had all requests, where it was taken back."""
    steps: list[Entry] = field(default_factory=list[Entry])


def begin(on: Executor, request: Request, running: Running, tell: Tell) -> Result:
    """Bring the release that the configuration describes into production."""
    plan, old, at = strategy.states(request.args), running.current, on.now()
    progress = Progress(
        id=name_for(at),
        phase=Phase.UNDER_WAY,
        plan=strategy.as_text(plan),
        strategy=request.args.strategy.value,
        since=stamp(at),
        by=request.by,
        old=old.name,
        configuration=request.configuration,
    )
    on.record(
        ledger.began(
            progress.id,
            at=progress.since,
            by=request.by,
            kind="release",
            strategy=progress.strategy,
            old=version(old),
            approved_by=request.approved_by,
            notes=request.notes,
        )
    )
    return _Attempt(on, request, tell, old, progress, plan).go(0)


def resume(on: Executor, request: Request, running: Running, tell: Tell) -> Result:
    """Go on with the release that is under way, from the step that the state has: that one is made once more."""
    progress = running.under_way
    assert progress
    plan = strategy.from_text(progress.plan)
    old = _old(on, running, progress)
    tell(f"going on with {plan[progress.step].title} ({progress.strategy}, begun {progress.since} by {progress.by})")
    return _Attempt(on, request, tell, old, progress, plan).go(progress.step)


def take_back(on: Executor, request: Request, running: Running, tell: Tell, reason: str) -> Result:
    """Take the release back that is under way."""
    progress = running.under_way
    assert progress
    attempt = _Attempt(on, request, tell, _old(on, running, progress), progress, strategy.from_text(progress.plan))
    return attempt.take_back(reason)


def settle(on: Executor, running: Running) -> str | None:
    """Write the end of a release whose driver was killed after its last update, or before its first. What was
    written."""
    left = ledger.unended(on.entries())
    if left is None or running.under_way:
        return None
    name, at = str(left["id"]), stamp(on.now())
    back = running.taken_back
    if back and back.id == name:
        outcome = ledger.ROLLED_BACK if left.get("kind") == "rollback" else ledger.TAKEN_BACK
        on.record(ledger.ended(name, at=at, outcome=outcome, new=version(running.current), reason=back.reason))
        return outcome
    if left.get("kind") == "release" and left["old"]["name"] != running.current.name:
        on.record(ledger.ended(name, at=at, outcome=ledger.FINISHED, new=version(running.current)))
        return ledger.FINISHED
    on.record(ledger.ended(name, at=at, outcome=ledger.INTERRUPTED, new=version(running.current)))
    return ledger.INTERRUPTED


def go_back(on: Executor, request: Request, running: Running, to: RunningRelease, tell: Tell) -> Result:
    """Go back to a version that ran before, in one update."""
    at, present = on.now(), running.current
    progress = Progress(
        id=name_for(at),
        phase=Phase.TAKEN_BACK,
        strategy="rollback",
        since=stamp(at),
        by=request.by,
        old=to.name,
        new=present.name,
        configuration=request.configuration,
        reason=f"rolled back by {request.by}",
    )
    on.record(
        ledger.began(
            progress.id,
            at=progress.since,
            by=request.by,
            kind="rollback",
            strategy="rollback",
            old=version(present),
            approved_by=request.approved_by,
            notes=request.notes,
        )
    )
    return _Back(on, request, tell, to, progress, ledger.ROLLED_BACK).go("")


@dataclass
class _Attempt:
    on: Executor
    request: Request
    tell: Tell
    old: RunningRelease
    progress: Progress
    plan: Sequence[State]
    steps: list[Entry] = field(default_factory=list[Entry])

    def go(self, first: int) -> Result:
        """The steps from `first` on, and the end. What fails takes the release back."""
        watch = Watch(self.on, self.request.args, self.old.name, self.tell)
        try:
            for place in range(first, len(self.plan)):
                self._step(place, watch)
        except StepError as error:
            return self.take_back(str(error))
        return self._finish()

    def _step(self, place: int, watch: Watch) -> None:
        state, began = self.plan[place], self.on.now()
        self.progress = replace(self.progress, step=place)
        self.tell(f"{place + 1}/{len(self.plan) + 1} {words.of_state(state)}")
        full = self.request.full or self.old.full
        self.on.apply(overlay.of_state(state, self.old, self.request.args, full, self.progress))
        updated = (self.on.now() - began).total_seconds()
        if not self.progress.new:
            self.progress = replace(self.progress, new=self._new_name())
        new, old = self.progress.new, self.old.name
        weights = {new: state.weight, **({old: 100 - state.weight} if state.old else {})}
        read_back(self.on, weights)
        self.tell(f"  served: {words.weights(weights)}, as the proxy says")
        if state.smoke:
            self._smoke(new)
        verdict = watch.until_judged(state, new)
        if verdict.finding is Finding.BAD:
            raise StepError(verdict.text)
        seconds = (self.on.now() - began).total_seconds()
        entry = ledger.step(
            self.progress.id,
            at=stamp(self.on.now()),
            title=state.title,
            weight=state.weight,
            seconds=seconds,
            verdict=verdict.text,
            figures={"update_seconds": round(updated, 1), **watch.figures(new)},
        )
        self.on.record(entry)
        self.steps.append(entry)

    def _new_name(self) -> str:
        """The release that the first update has made: the one that is not the old one."""
        name = self.on.running().described
        if name is None or name == self.old.name:
            raise StepError("the update made no release beside the old one")
        return name

    def _smoke(self, new: str) -> None:
        """Ask the new release inside, then through the public URL: containers can be healthy where no route works."""
        for path in self.request.paths:
            if wrong := self.on.smoke_inside(new, path):
                raise StepError(f"smoke test inside, {path}: {wrong}")
        for path in self.request.paths:
            if wrong := self.on.smoke(path, new):
                raise StepError(f"smoke test through the public URL, {path}: {wrong}; inside it answered")
        self.tell(f"  smoke tests: {', '.join(self.request.paths)}, inside and through the public URL")

    def _finish(self) -> Result:
        """The plain configuration: the old release goes, and a preview has nothing to do; unless it is to be kept."""
        keeps = self.request.args.keep_running and self.plan[-1].old
        what = "goes on running without requests" if keeps else "is removed"
        self.tell(f"{len(self.plan) + 1}/{len(self.plan) + 1} finish: the old release {what}")
        finished = replace(self.progress, phase=Phase.FINISHED, step=len(self.plan))
        try:
            self.on.apply(overlay.with_old(self.old, finished) if keeps else None)
            read_back(self.on, {self.progress.new: 100})
            self._as_a_visitor()
        except StepError as error:
            return self.take_back(f"at the finish: {error}")
        current = self.on.running().current
        end = ledger.ended(self.progress.id, at=stamp(self.on.now()), outcome=ledger.FINISHED, new=version(current))
        self.on.record(end)
        return Result(outcome=ledger.FINISHED, release=current.name, steps=self.steps)

    def _as_a_visitor(self) -> None:
        for path in self.request.paths:
            if wrong := self.on.smoke(path, None):
                raise StepError(f"{path} through the public URL: {wrong}")

    def take_back(self, reason: str) -> Result:
        """All requests to the old release, in one update."""
        self.tell(f"taken back: {reason}")
        progress = replace(self.progress, phase=Phase.TAKEN_BACK, reason=reason)
        result = _Back(self.on, self.request, self.tell, self.old, progress, ledger.TAKEN_BACK).go(reason)
        return replace(result, steps=self.steps)


@dataclass
class _Back:
    """One update that gives all requests to a release of before."""

    on: Executor
    request: Request
    tell: Tell
    to: RunningRelease
    progress: Progress
    outcome: str

    def go(self, reason: str) -> Result:
        began = self.on.now()
        try:
            self.on.apply(overlay.of_old(self.to, self.progress))
            read_back(self.on, {self.to.name: 100})
            seconds = (self.on.now() - began).total_seconds()
            wrong = [f"{path}: {said}" for path in self.request.paths if (said := self.on.smoke(path, None))]
        except StepError as error:
            return self._failed(reason, str(error))
        if wrong:
            return self._failed(reason, f"{self.to.name} takes all requests, and fails: {'; '.join(wrong)}")
        self.tell(f"  {self.to.name} takes all requests again: {seconds:.1f} s; {', '.join(self.request.paths)} answer")
        end = ledger.ended(
            self.progress.id,
            at=stamp(self.on.now()),
            outcome=self.outcome,
            new=version(self.to),
            reason=reason,
            seconds=seconds,
        )
        self.on.record(end)
        return Result(outcome=self.outcome, release=self.to.name, reason=reason, seconds=seconds)

    def _failed(self, reason: str, wrong: str) -> Result:
        """The end of what could not be taken back: what truly runs."""
        try:
            served = words.weights(self.on.observe().served)
        except StepError:
            served = "?"
        said = f"{reason}; it was not taken back: {wrong}" if reason else wrong
        self.on.record(
            ledger.ended(
                self.progress.id, at=stamp(self.on.now()), outcome=ledger.FAILED, new=None, reason=said, served=served
            )
        )
        return Result(outcome=ledger.FAILED, release=served, reason=said)


def _old(on: Executor, running: Running, progress: Progress) -> RunningRelease:
    """The release that one under way takes the place of: it runs beside it, or the ledger describes it."""
    if found := running.named(progress.old):
        return found
    for one in on.entries():
        if one["event"] == ledger.BEGAN and one["id"] == progress.id:
            return of_version(one["old"])
    raise StepError(f"neither the state nor the ledger describes {progress.old}, which ran before")


def version(release: RunningRelease) -> dict[str, Any]:
    """A release as the ledger keeps it: enough to make it again."""
    return {"name": release.name, "image": release.image, "description": release.description}


def of_version(kept: Entry) -> RunningRelease:
    """A release that the ledger keeps."""
    return RunningRelease(name=kept["name"], weight=0, current=False, replicas=0, description=kept["description"])


def name_for(moment: datetime) -> str:
    """What names a release in the ledger: its time, and digits, because two may begin in a second."""
    return f"{moment:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def stamp(moment: datetime) -> str:
    """A time as the ledger has it."""
    return moment.isoformat(timespec="seconds")
