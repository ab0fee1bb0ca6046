"""`tierstack release`: a new version comes into production by a strategy, is watched, and taken back where it is
bad."""

from pathlib import Path
from typing import Any

import click

from tierstack.app_cluster.release_options import ReleaseStrategy
from tierstack.cli import migration, options, show
from tierstack.engine.project import UsageError
from tierstack.release import conduct, ledger, words
from tierstack.release.conduct import Way
from tierstack.release.driver import Result
from tierstack.release.executor import StepError
from tierstack.release.stacks import Opened, opened


@click.group(
    invoke_without_command=True,
    short_help="Bring a new version into production, watch it, and take it back where it is bad.",
    epilog=options.examples(
        "tierstack release -s prod --plan",
        "tierstack release -s prod --yes",
        "tierstack release -s prod --strategy blue_green",
        "tierstack release -s prod --resume",
        "tierstack release history -s prod",
    ),
)
@click.option("--stack", "-s", metavar="NAME", help="Name of the stack: the part of Pulumi.NAME.yaml.")
@options.app
@click.option("--strategy", **options.choice(ReleaseStrategy), help="Default: as configured (`release.strategy`).")
@click.option("--plan", is_flag=True, help="Only say what would be done, and how long it takes.")
@click.option("--resume", is_flag=True, help="Go on with the release that is under way.")
@click.option("--abort", is_flag=True, help="Take the release back that is under way.")
@click.option("--again", is_flag=True, help="Release what was taken back once more.")
@click.option("--approved-by", metavar="NAME", help="Who approves it, where `release.approval` asks for it.")
@click.option("--outside-windows", is_flag=True, help="Release now, whatever `release.windows` says.")
@click.option(
    "--migrations",
    multiple=True,
    type=options.a_path(dash=True),
    metavar="SOURCE",
    help="Pending migrations, judged first: SQL files, a directory, or `-` (see `tierstack migration check`).",
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@options.json
@options.cwd
@click.pass_context
def run(
    context: click.Context,
    stack: str | None,
    app: str | None,
    strategy: ReleaseStrategy | None,
    plan: bool,
    resume: bool,
    abort: bool,
    again: bool,
    approved_by: str | None,
    outside_windows: bool,
    migrations: tuple[Path, ...],
    yes: bool,
    json: bool,
    cwd: Path,
) -> None:
    """Bring the version that the configuration describes into production.

    It starts beside the one that runs, is tested inside and through the public URL, gets requests step by step, and is
    watched by what the proxy counts. Where too many of its requests fail, or it is slow, or a step fails, it is taken
    back. A call that was interrupted or killed is ended by --resume or --abort. Exit code 1 unless the new version
    runs.
    """
    if context.invoked_subcommand:
        return
    if stack is None:
        raise click.UsageError("Missing option '--stack' / '-s'.")
    way = _way(resume=resume, abort=abort, again=again)
    if migrations and way in (Way.NEW, Way.AGAIN):
        _refuse_migrations(migrations)
    notes = [conduct.OUTSIDE_WINDOWS] if outside_windows else []
    found = opened(cwd, stack, app, strategy=strategy, approved_by=approved_by, notes=notes)
    planned = conduct.plan(found.on, found.request, way)
    of = {"stack": stack, "app": found.app}
    if not show.agreed("Release?", planned.lines, of, plan=plan, yes=yes, json=json):
        return
    result = conduct.carry_out(found.on, found.request, way, show.progress(json=json))
    tell(found, result, stack, json=json, back=way is Way.ABORT)


def _way(*, resume: bool, abort: bool, again: bool) -> Way:
    given = [way for way, asked in ((Way.RESUME, resume), (Way.ABORT, abort), (Way.AGAIN, again)) if asked]
    if len(given) > 1:
        raise UsageError("--resume, --abort and --again exclude each other")
    return given[0] if given else Way.NEW


def _refuse_migrations(given: tuple[Path, ...]) -> None:
    verdict = migration.judged(given)
    if not verdict.ok:
        lines = [one.diagnostic.line for one in verdict.findings] + [one.line for one in verdict.problems]
        raise UsageError("the migrations would harm the release that runs; see `tierstack migration check`", *lines)


def tell(found: Opened, result: Result, stack: str, *, json: bool, back: bool = False) -> None:
    """How a release ended, or what goes `back` on purpose. Exit code 1 unless it did what was asked for."""
    ok = result.outcome in (ledger.FINISHED, ledger.ROLLED_BACK) or (back and result.outcome == ledger.TAKEN_BACK)
    if json:
        of = {"stack": stack, "app": found.app, "result": result.outcome, "release": result.release}
        why = {"reason": result.reason} if result.reason else {}
        show.as_json({**of, **why, "seconds": result.seconds, "steps": [dict(one) for one in result.steps]})
    elif ok:
        show.say(f"{show.good(result.outcome)}: {result.release} takes all requests")
    else:
        show.warn(f"{show.bad(result.outcome)}: {result.reason}")
        show.warn(f"  {result.release} takes the requests. The ledger: tierstack release history -s {stack}")
    show.end(ok=ok)


@run.command(
    "status", epilog=options.examples("tierstack release status -s prod", "tierstack release status -s prod --json")
)
@options.stack
@options.app
@click.option("--unlock", is_flag=True, help="Remove the lock of a release whose process is gone.")
@options.json
@options.cwd
def status(stack: str, app: str | None, unlock: bool, json: bool, cwd: Path) -> None:
    """Show what runs, what the proxy serves, and how far a release is. Exit code 1 where one is unfinished."""
    found = opened(cwd, stack, app)
    if unlock:
        found.on.unlock()
    running = found.on.running()
    served = _served(found)
    versions = ledger.versions(found.on.entries(), running.current.name, found.request.args.keep)
    progress = running.progress
    ok = running.under_way is None and served == {one.name: one.weight for one in running.releases if one.weight}
    if json:
        releases = [
            {
                "name": one.name,
                "image": one.image,
                "weight": one.weight,
                "current": one.current,
                "replicas": one.replicas,
            }
            for one in running.releases
        ]
        document: dict[str, Any] = {"stack": stack, "app": found.app, "releases": releases, "served": served}
        kept = [{key: one[key] for key in ("name", "image", "at")} for one in versions]
        show.as_json({**document, "progress": progress.as_dict() if progress else None, "versions": kept})
        show.end(ok=ok)
    for one in running.releases:
        roles = ", with workers and scheduler" if one.current else ""
        show.say(f"  {one.name} {one.weight:>3} %  {one.replicas} web containers{roles}  {show.dim(one.image)}")
    show.say(f"  the proxy serves {words.weights(served) if served is not None else '?'}")
    if progress:
        why = f": {progress.reason}" if progress.reason else ""
        show.say(show.notice(f"  {words.of_progress(progress)}{why}"))
    for one in versions:
        show.say(show.dim(f"  to go back to: {one['name']}, until {one['at']} ({one['image']})"))
    show.end(ok=ok)


def _served(found: Opened) -> dict[str, int] | None:
    try:
        return dict(found.on.observe().served)
    except StepError:
        return None


@run.command("history", epilog=options.examples("tierstack release history -s prod --json"))
@options.stack
@options.app
@options.json
@options.cwd
def history(stack: str, app: str | None, json: bool, cwd: Path) -> None:
    """Show the ledger: who released what, when, with which figures, and how it ended; the newest last."""
    entries = opened(cwd, stack, app).on.entries()
    if json:
        show.as_json({"stack": stack, "releases": ledger.releases(entries)})
        return
    for line in ledger.lines(entries) or [f"no release yet: `tierstack release -s {stack}` makes one"]:
        show.say(line)
