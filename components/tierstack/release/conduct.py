"""What a call of the command does: the lock, what is refused, and which way a release goes on."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any

from tierstack.app_cluster.release_windows import is_open
from tierstack.engine.project import LockedError, UsageError
from tierstack.recovery import signals
from tierstack.release import driver, overlay, strategy, words
from tierstack.release.driver import Request, Result
from tierstack.release.executor import Executor
from tierstack.release.ledger import usual_update_seconds, versions
from tierstack.release.lock import Holder
from tierstack.release.running import Phase, Progress, Running, RunningRelease
from tierstack.release.words import Tell

OUTSIDE_WINDOWS = "outside its windows"
"""The note of a release that was begun at another time than its windows say."""


class Way(Enum):
    """Which way a call goes."""

    NEW = "new"
    """Release what the configuration describes."""
    AGAIN = "again"
    """The same, also where that was taken back."""
    RESUME = "resume"
    """Go on with the release that is under way."""
    ABORT = "abort"
    """Take it back."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What a call would do."""

    lines: Sequence[str]
    running: Running


@contextmanager
def locked(on: Executor, by: str, tell: Tell) -> Generator[None]:
    """Hold the lock. Raises LockedError where another process has it; that of a process that is certainly gone is taken
    over, and told."""
    here = Holder.here(by, on.now())
    while holder := on.lock(here):
        if not holder.is_stale():
            raise LockedError(
                f"another release is made at this moment ({holder.described(on.now())}): wait until it has ended. If "
                "its process is gone: `tierstack release status --unlock`, then the same command again"
            )
        tell(f"the last release was killed ({holder.described(on.now())}): its lock is removed")
        on.unlock()
    try:
        yield
    finally:
        with signals.held_back():
            on.unlock()


def plan(on: Executor, request: Request, way: Way) -> Planned:
    """What a call would do. Raises UsageError with all that refuses it; nothing is changed."""
    running = on.running()
    if way in (Way.RESUME, Way.ABORT):
        return _planned_on(running, way)
    refuse(on, request, running, way)
    states = strategy.states(request.args)
    changes = on.preview(first_update(request, running))
    _refuse_harm(changes, running, states)
    usual = usual_update_seconds(on.entries())
    lines = words.plan(running, states, request.args.analysis, request.paths, changes, usual)
    return Planned(lines=lines, running=running)


def _refuse_harm(changes: Sequence[str], running: Running, states: Sequence[strategy.State]) -> None:
    """Raise UsageError where the first update would replace containers that visitors use, because more than a release
    has changed: the names of releases have hostnames, connections and labels in them."""
    harmed = [one for one in changes if one.startswith(("delete", "replace")) and f"-{running.current.name}" in one]
    if states[0].old and harmed:
        raise UsageError(
            f"the first update would replace what runs ({'; '.join(' '.join(one.split()) for one in harmed[:4])}): the "
            "configuration, or tierstack itself, has changed more than the release. `tierstack up` with the version "
            "that runs first, then release"
        )


def _planned_on(running: Running, way: Way) -> Planned:
    progress = running.under_way
    if progress is None:
        raise UsageError(f"no release of {running.app} is under way")
    if way is Way.ABORT:
        what = f"all requests go back to {progress.old}, in one update"
    else:
        left = strategy.from_text(progress.plan)[progress.step :]
        what = "goes on with: " + "; ".join(words.of_state(one) for one in left)
    return Planned(lines=[f"{running.app}: {words.of_progress(progress)}", what], running=running)


def first_update(request: Request, running: Running) -> overlay.Traffic:
    """The first update of a release, for a preview."""
    states = strategy.states(request.args)
    progress = Progress(id="plan", phase=Phase.UNDER_WAY, plan=strategy.as_text(states))
    full = request.full or running.current.full
    return overlay.of_state(states[0], running.current, request.args, full, progress)


def refuse(on: Executor, request: Request, running: Running, way: Way) -> None:
    """Raise UsageError with everything that keeps a release from being made now."""
    if said := words.refused(request.stack, running):
        raise UsageError(said)
    if way is Way.NEW and (said := words.refused_again(request.stack, running, request.configuration)):
        raise UsageError(said)
    args, wrong = request.args, list[str]()
    if not is_open(args.windows, args.timezone, on.now()) and OUTSIDE_WINDOWS not in request.notes:
        windows = ", ".join(args.windows or [])
        wrong.append(f"releases begin {windows} ({args.timezone}), not now; `--outside-windows` makes one all the same")
    if args.approval and not request.approved_by:
        wrong.append("releases need an approval (`release.approval`): `--approved-by NAME`, which the ledger keeps")
    if args.approval and request.approved_by == request.by:
        wrong.append(f"`--approved-by {request.by}`: who makes a release cannot approve it")
    if drift := on.drifted():
        wrong.append(
            f"the stack is not as its last update has made it: {'; '.join(drift)}. Run `tierstack up` with the version "
            "that runs, to make that again. Where that version itself is broken: `tierstack rollback`, or "
            "`tierstack up` with the new one, which replaces it unwatched"
        )
    if wrong:
        raise UsageError(*wrong)


def carry_out(on: Executor, request: Request, way: Way, tell: Tell) -> Result:
    """Make, go on with, or take back a release, and hold the lock meanwhile. An interrupt leaves it as it is: a second
    call goes on, or takes it back."""
    with locked(on, request.by, tell), signals.ending_as_interrupts():
        running = on.running()
        if settled := driver.settle(on, running):
            tell(f"the last release was cut off; it had {settled}")
        if way is Way.ABORT and running.under_way:
            return driver.take_back(on, request, running, tell, f"taken back by {request.by}")
        if way is Way.RESUME and running.under_way:
            return driver.resume(on, request, running, tell)
        if way in (Way.RESUME, Way.ABORT):
            raise UsageError(f"no release of {running.app} is under way")
        if said := words.refused(request.stack, running):  # another one may have begun it since the plan
            raise UsageError(said)
        return driver.begin(on, request, running, tell)


def version_to(on: Executor, running: Running, to: str | None, keep: int) -> RunningRelease:
    """The version that is meant: `to`, the first letters of a name or an image, else the one before. Raises UsageError,
    with what there is, where there is none or several."""
    found = versions(on.entries(), running.current.name, keep)
    if not found:
        raise UsageError(f"the ledger of {running.app} has no version to go back to")
    shown = ", ".join(f"{one['name']} (until {one['at']}, {one['image']})" for one in found)
    if to is None:
        return driver.of_version(found[0])
    hits = [one for one in found if _is_meant(one, to)]
    if len(hits) != 1:
        raise UsageError(f"--to {to}: {'several versions begin so' if hits else 'no such version'}; there is {shown}")
    return driver.of_version(hits[0])


def _is_meant(kept: Mapping[str, Any], to: str) -> bool:
    """Whether a version of the ledger is the one that `to` begins: its name, or its image with or without `sha256:`."""
    image = str(kept["image"])
    return any(one.startswith(to) for one in (str(kept["name"]), image, image.rpartition("sha256:")[2]))


def roll_back(on: Executor, request: Request, to: str | None, tell: Tell) -> Result:
    """Go back: from a release that is under way to the one before it, else to a version of the ledger."""
    with locked(on, request.by, tell), signals.ending_as_interrupts():
        running = on.running()
        driver.settle(on, running)
        if progress := running.under_way:
            if to is not None and not progress.old.startswith(to):
                raise UsageError(f"a release is under way: it goes back to {progress.old} first, without --to")
            return driver.take_back(on, request, running, tell, f"rolled back by {request.by}")
        return driver.go_back(on, request, running, version_to(on, running, to, request.args.keep), tell)


def rollback_plan(on: Executor, request: Request, to: str | None) -> Planned:
    """What a rollback would do, and what there is to go back to."""
    running = on.running()
    if progress := running.under_way:
        target, what = progress.old, "the release that is under way is taken back"
    else:
        target = version_to(on, running, to, request.args.keep).name
        what = f"{running.current.name} is replaced in one update; no migration runs, the schema stays as it is"
    lines = [f"{running.app}: all requests go to {target}; environment, workers and scheduler go back with it", what]
    there = versions(on.entries(), running.current.name, request.args.keep)
    lines += [f"  there is {one['name']}, which ran until {one['at']} ({one['image']})" for one in there]
    return Planned(lines=lines, running=running)
