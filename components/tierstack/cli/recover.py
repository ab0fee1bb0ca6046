"""`tierstack recover`: a whole stack onto a new Docker host, from its configuration and its bucket."""

import time
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from tierstack.cli import options, show, status, up
from tierstack.engine import parts, resume
from tierstack.engine.aim import Aim, aim
from tierstack.engine.health import is_well_altogether
from tierstack.engine.project import UsageError, find
from tierstack.engine.run import Engine, RunFailedError, engine
from tierstack.engine.target import Target
from tierstack.recovery import restoring
from tierstack.recovery.found import now
from tierstack.recovery.whole.stack import Result, StackRecovery, Verified, Wanted

_MIB = 2**20


@click.command(
    short_help="Recover a whole stack onto a new Docker host, from its bucket.",
    epilog=options.examples(
        "tierstack recover -s prod --plan",
        "tierstack recover -s prod",
        "tierstack recover -s prod --to 2026-01-31T12:00:00Z --yes",
    ),
)
@options.stack
@click.option(
    "--to",
    type=options.Moment(restoring.moment),
    metavar="TIME",
    help="The moment, with its zone. Default: the last write in the bucket.",
)
@click.option("--replace-data", is_flag=True, help="Also replace data that the host has; it is kept beside.")
@click.option(
    "--without", multiple=True, metavar="BACKUPS", help="What these backups are of comes back empty. Repeatable."
)
@click.option("--plan", is_flag=True, help="Only say what would be done.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@options.json
@options.cwd
def run(
    stack: str,
    to: datetime | None,
    replace_data: bool,
    without: tuple[str, ...],
    plan: bool,
    yes: bool,
    json: bool,
    cwd: Path,
) -> None:
    """Recover a whole stack onto a new Docker host, from its configuration and the backups in its bucket.

    It makes volumes and networks, shows a plan, restores databases and files, and then brings the stack up: the
    applications start on restored data, and the backups go on with the same history. Data that the host has is never
    replaced without --replace-data. A run that was interrupted goes on when it is run again.
    """
    project = find(cwd)
    found = aim(project, stack, None, falls_back=False)
    _refuse_elsewhere(found, stack)
    began = time.monotonic()
    with engine(project, stack, found.config) as pulumi:
        is_new = pulumi.create_stack()
        resumed = resume.Resumed() if is_new else resume.begin(pulumi)
        show.resumed(stack, resumed, json=json)
        tell = show.progress(json=json)
        recovery = StackRecovery(pulumi, Wanted(stack=stack, to=to, replace=replace_data, without=without), tell)
        try:
            recovery.make(is_new=is_new)
        except RunFailedError as error:
            show.failure(stack, error.messages, json=json)
        lines = recovery.look()
        asked = time.monotonic()
        if not show.agreed("Recover?", lines, {"stack": stack}, plan=plan, yes=yes, json=json):
            return
        began += time.monotonic() - asked  # the answer of a person is no time of the recovery
        recovery.restore()
        with recovery.step("bring up everything else"):
            outcome = up.update(pulumi, stack, ["--refresh"], delete_data=False, quiet=True)
        if not outcome.ok:
            messages = [*outcome.messages, f"The data is restored. `tierstack recover -s {stack}` goes on from here."]
            show.failure(stack, messages, json=json)
        resume.finish(pulumi, resumed)
        recovery.verify()
        with recovery.step("preview once more"):
            again = pulumi.run("preview", "--suppress-outputs", "--suppress-progress", quiet=True)
        changing = [urn.rpartition("::")[2] for _, urn in again.changing] if again.ok else again.messages
        _tell(pulumi, stack, found, recovery.result, changing, round(time.monotonic() - began, 1), json=json)


def _refuse_elsewhere(found: Aim, stack: str) -> None:
    """Raise UsageError where the stack is not on a Docker host."""
    if found.target in (None, Target.DOCKER):
        return
    raise UsageError(
        f"{stack} is not on a Docker host. On Kubernetes the configuration says what a database is made from, and "
        "`tierstack up` does the rest: docs/how-to/restore-on-kubernetes.md"
    )


def _tell(
    pulumi: Engine, stack: str, found: Aim, result: Result, changing: list[str], seconds: float, *, json: bool
) -> None:
    """What came back, and how the stack is. Exit code 1 where a part is not well, or a table cannot be read."""
    outputs = {key: value for key, value in pulumi.outputs().items() if value is not None}
    seen = parts.after_update(pulumi, found.platform, found.config)
    wrong = [f"{one.name}: {what}" for one in result.verified for what in one.wrong]
    wrong += [f"a preview still has changes: {', '.join(changing)}"] if changing else []
    well = is_well_altogether(seen) and not wrong
    if json:
        show.as_json(
            {
                "stack": stack,
                "result": "recovered" if well else "unhealthy",
                "seconds": seconds,
                "steps": result.steps,
                "databases": [one.as_entry() for one in result.databases],
                "files": [one.as_entry() for one in result.files],
                "empty": result.empty,
                "verified": [asdict(one) for one in result.verified],
                "wrong": wrong,
                "parts": [one.as_json() for one in seen],
            }
        )
        show.end(ok=well)
    for line in (*_figures(result), *(_rows(one) for one in result.verified)):
        show.say(line)
    for one in seen:
        if not one.is_well or one.why:
            show.say(status.line(one))
    for one in wrong:
        show.warn(show.bad(one))
    url = ", ".join(parts.addresses(outputs, found.config))
    shown = f": {show.bold(url)}" if url else ""
    if not well:
        show.say(f"{show.bad(f'{stack} was recovered in {seconds:g} s, and is not well')}{shown}")
        show.end(ok=False)
    show.say(f"{show.good(f'{stack} is recovered')} in {seconds:g} s{shown}")


def _figures(result: Result) -> list[str]:
    """What came back, and how fast."""
    at = now()
    found: list[str] = []
    for one in result.databases:
        newest = (
            f"; the newest segment was {restoring.span(_age(one.mark.newest_at, at))} old" if one.mark.newest_at else ""
        )
        found.append(f"{one.name}: {_speed(one.mark.size_bytes, one.seconds)}{newest}")
    found += [f"{one.name}: {one.files:,} files, {_speed(one.size_bytes, one.seconds)}" for one in result.files]
    return found


def _age(moment: str, at: datetime) -> float:
    return (at - datetime.fromisoformat(moment)).total_seconds()


def _speed(size_bytes: int, seconds: float | None) -> str:
    if seconds is None:
        return f"{size_bytes / _MIB:,.1f} MiB, by an earlier run"
    return f"{size_bytes / _MIB:,.1f} MiB in {seconds:g} s ({size_bytes / _MIB / max(seconds, 0.1):,.1f} MiB/s)"


def _rows(one: Verified) -> str:
    before = f" ({one.rows_in_last_drill:,} in the last good drill)" if one.rows_in_last_drill is not None else ""
    return f"{one.name}: {one.tables} tables, {one.rows or 0:,} rows{before}"
