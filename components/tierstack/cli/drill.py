"""`tierstack drill`: a restore that is tried and measured, and the ledger of those before."""

from pathlib import Path
from typing import Any

import click

from tierstack.backup_schedule import ledger
from tierstack.cli import options, show
from tierstack.recovery import drill, dumps_drill, files_drill
from tierstack.recovery.dumps import StoredDumps
from tierstack.recovery.files import StoredFiles
from tierstack.recovery.kubernetes import drill as kubernetes_drill
from tierstack.recovery.kubernetes.found import ClusterBackups
from tierstack.recovery.stacks import backups_of


@click.group(
    invoke_without_command=True,
    short_help="Prove that the backups can be restored, and measure it.",
    epilog=options.examples(
        "tierstack drill -s prod", "tierstack drill -s prod --json", "tierstack drill history -s prod"
    ),
)
@click.option("--stack", "-s", metavar="NAME", help="Name of the stack: the part of Pulumi.NAME.yaml.")
@options.backups
@options.json
@options.cwd
@click.pass_context
def run(context: click.Context, stack: str | None, backups: str | None, json: bool, cwd: Path) -> None:
    """Restore backups aside, now, and tell what a loss would have cost.

    A writer with a clock runs beside the shop; what the backups had received at a moment is restored aside, where
    nobody reaches it; rows, tables and the configured checks are looked at; the result goes into the ledger. The
    running database is read and gets the table tierstack_drill.clock, nothing else. Of backups of files the newest is
    restored, counted, and compared with the files of the application; of dumps the newest, and every table is read.
    Exit code 1 unless it was good.
    """
    if context.invoked_subcommand:
        return
    if stack is None:
        raise click.UsageError("Missing option '--stack' / '-s'.")
    name, found = backups_of(cwd, stack, backups)
    tell = show.progress(json=json)
    if isinstance(found, StoredFiles):
        result = files_drill.run(found, name, tell)
    elif isinstance(found, StoredDumps):
        result = dumps_drill.run(found, name, tell)
    elif isinstance(found, ClusterBackups):
        result = kubernetes_drill.run(found, name, tell)
    else:
        result = drill.run(found, name, tell)
    if json:
        show.as_json({"stack": stack, **result.as_entry()})
    else:
        _tell(result)
    show.end(ok=result.result == ledger.GOOD)


def _tell(result: drill.Result | files_drill.FilesResult | dumps_drill.DumpResult) -> None:
    if result.result == ledger.GOOD and isinstance(result, dumps_drill.DumpResult):
        show.say(
            f"{show.good('good')}: {result.tables} tables with {result.rows:,} rows came back, "
            f"RTO {result.rto_seconds:g} s"
        )
        return
    if result.result == ledger.GOOD and isinstance(result, files_drill.FilesResult):
        show.say(
            f"{show.good('good')}: {result.files:,} files came back, {result.compared} of them compared, "
            f"RTO {result.rto_seconds:g} s"
        )
        return
    if result.result == ledger.GOOD and isinstance(result, drill.Result):
        show.say(
            f"{show.good('good')}: {result.rows_lost} of {result.rows_acknowledged} acknowledged rows lost, "
            f"RPO {result.rpo_seconds:g} s, RTO {result.rto_seconds:g} s"
        )
        return
    show.warn(show.bad(f"{result.result}:"))
    for one in result.why:
        show.warn(f"  {one}")


@run.command("history", epilog=options.examples("tierstack drill history -s prod --json"))
@options.stack
@options.backups
@options.json
@options.cwd
def history(stack: str, backups: str | None, json: bool, cwd: Path) -> None:
    """Show the ledger of drills, the newest last. Exit code 1 if the last was not good, or there is none."""
    _, found = backups_of(cwd, stack, backups)
    drills: list[dict[str, Any]] = found.drills()
    if json:
        show.as_json({"stack": stack, "drills": drills})
    else:
        for line in drill.history(drills) or [f"no drill yet: `tierstack drill -s {stack}` makes one"]:
            show.say(line)
    show.end(ok=bool(drills) and drills[-1]["result"] == ledger.GOOD)
