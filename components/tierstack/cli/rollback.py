"""`tierstack rollback`: back to a version that ran before, in one update."""

from pathlib import Path

import click

from tierstack.cli import options, release, show
from tierstack.release import conduct
from tierstack.release.stacks import opened


@click.command(
    short_help="Go back to a version that ran before, in one update.",
    epilog=options.examples(
        "tierstack rollback -s prod --plan",
        "tierstack rollback -s prod",
        "tierstack rollback -s prod --to 3f2a9c0d1e5b",
    ),
)
@options.stack
@options.app
@click.option(
    "--to", metavar="VERSION", help="Name or image of the version, or how it begins. Default: the one before."
)
@click.option("--plan", is_flag=True, help="Only say what would be done, and what there is to go back to.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@options.json
@options.cwd
def run(stack: str, app: str | None, to: str | None, plan: bool, yes: bool, json: bool, cwd: Path) -> None:
    """Go back to a version that ran before: its image, environment, limits, workers and scheduler.

    A release that is under way is taken back. Else the ledger says what ran before. No migration runs: the schema stays
    as it is. The configuration then still describes the version that was left, so `tierstack up` refuses until it is
    changed. Exit code 1 unless the version runs and answers through the public URL.
    """
    found = opened(cwd, stack, app)
    planned = conduct.rollback_plan(found.on, found.request, to)
    of = {"stack": stack, "app": found.app}
    if not show.agreed("Go back?", planned.lines, of, plan=plan, yes=yes, json=json):
        return
    result = conduct.roll_back(found.on, found.request, to, show.progress(json=json))
    release.tell(found, result, stack, json=json, back=True)
