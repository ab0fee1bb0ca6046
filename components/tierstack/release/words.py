"""What people read of a release (pure): its plan, its steps, and what is refused."""

from collections.abc import Callable, Mapping, Sequence

from tierstack.app_cluster.release_options import AnalysisArgs
from tierstack.release import strategy
from tierstack.release.analysis import percent
from tierstack.release.running import Progress, Running
from tierstack.release.strategy import State

Tell = Callable[[str], None]
_SHOWN = 12
"""Changes that a plan names one by one."""


def weights(served: Mapping[str, int]) -> str:
    """`3f2a 95 %, 77c1 5 %`; the largest first."""
    shown = sorted(((weight, name) for name, weight in served.items()), reverse=True)
    return ", ".join(f"{name} {weight} %" for weight, name in shown) or "no release"


def of_state(state: State) -> str:
    """What a step does."""
    if state.mirror:
        said = "the new release gets copies of requests, and no visitor"
    elif not state.weight:
        said = "the new release starts, and gets no visitor"
    else:
        said = f"the new release gets {state.weight} % of the requests"
    if state.scale < 100:
        said += f", with {state.scale} % of its web containers"
    if state.weight and state.scale == 100 and state.old:
        said += "; the old one stays ready"
    return f"{said}; watched for {state.watch_seconds} s" if state.watch_seconds else said


def plan(
    running: Running,
    states: Sequence[State],
    analysis: AnalysisArgs,
    paths: Sequence[str],
    changes: Sequence[str],
    usual_update_seconds: float | None,
) -> list[str]:
    """What a release will do, and how long it takes at the least. `changes`: of its first update."""
    current = running.current
    said = [f"{running.app}: release {current.name} ({current.image}) is replaced by what the configuration describes"]
    if not states[0].roles or not states[0].old:
        said.append("the migration of the new release runs first, once")
    for number, state in enumerate(states, 1):
        said.append(f"  {number}. {of_state(state)}")
        if state.smoke:
            said.append(f"     smoke tests inside and through the public URL: {', '.join(paths)}")
    said.append(f"  {len(states) + 1}. the old release is removed")
    update = f" of about {usual_update_seconds:.0f} s" if usual_update_seconds else ""
    said.append(f"takes at least {duration(strategy.seconds(states))}, and {len(states) + 1} updates{update}")
    said.append(
        f"taken back when more than {percent(analysis.max_error_rate)} of its requests fail, or they take more than "
        f"{analysis.max_latency_ratio:g} times as long as those of the old release (judged from "
        f"{analysis.min_requests} requests on)"
    )
    shown = [*changes[:_SHOWN], *([f"and {len(changes) - _SHOWN} more"] if len(changes) > _SHOWN else [])]
    return [*said, *(["the first update changes:", *(f"  {one}" for one in shown)] if shown else [])]


def duration(seconds: float) -> str:
    """`90 s`, `12 min`."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def of_progress(progress: Progress) -> str:
    """How far a release is."""
    states = strategy.from_text(progress.plan)
    place, whole = progress.step, len(states) + 1
    at = f", step {place + 1} of {whole} ({states[place].title})" if place < len(states) else ""
    return f"{progress.phase.value}: {progress.strategy}{at}, since {progress.since} by {progress.by}"


def refused(stack: str, running: Running) -> str | None:
    """Why a plain update would do harm. None: it does none."""
    progress = running.under_way
    if progress is None:
        return None
    return (
        f"a release of {running.app} is not finished ({of_progress(progress)}): "
        f"`tierstack release --resume -s {stack}` goes on, `tierstack rollback -s {stack}` takes it back"
    )


def refused_again(stack: str, running: Running, configuration: str) -> str | None:
    """Why the configuration is not simply applied: it describes what was taken back. None: it does not."""
    progress = running.taken_back
    if progress is None or progress.configuration != configuration:
        return None
    why = f" ({progress.reason})" if progress.reason else ""
    return (
        f"the configuration describes a release of {running.app} that was taken back{why}, and {running.current.name} "
        f"runs: change it, or try it once more with `tierstack release --again -s {stack}`"
    )
