"""`tierstack database`: the servers of a database on a Docker host, and which of them is the primary."""

from pathlib import Path

import click

from tierstack.cli import options, show
from tierstack.database.standby import state_lines
from tierstack.engine.project import UsageError, find
from tierstack.engine.run import engine
from tierstack.recovery import promoting
from tierstack.recovery.host import Host

_NAME = click.argument("name", required=False, metavar="[NAME]")


@click.group
def run() -> None:
    """Servers of a database on a Docker host, and their promotion."""


def _database(cwd: Path, stack: str, name: str | None) -> tuple[str, promoting.Database]:
    project = find(cwd)
    with engine(project, stack, project.config(stack)) as pulumi:
        chosen, servers = promoting.servers_of(pulumi.held(), stack, name)
    host = Host(servers.docker_host)
    host.check()
    return chosen, promoting.Database(servers, host)


@run.command(
    "status",
    short_help="Show which server is the primary, and how far the standbys are.",
    epilog=options.examples("tierstack database status -s prod", "tierstack database status -s prod db --json"),
)
@_NAME
@options.stack
@options.json
@options.cwd
def status(name: str | None, stack: str, json: bool, cwd: Path) -> None:
    """Show which server is the primary, and how far the standbys are. Exit code 1 where there is not one primary."""
    chosen, database = _database(cwd, stack, name)
    seen = database.look()
    primaries = [one for one in seen if one.primary and one.answers]
    if json:
        servers = [
            {
                "server": one.name,
                "running": one.running,
                "primary": one.primary,
                "streams": one.streams,
                f"lag_{database.engine.unit}": max(0, primaries[0].at - one.at)
                if len(primaries) == 1 and one.answers
                else None,
                "lag_seconds": round(one.lag_seconds, 1) if one.answers else None,
                "fenced_for": one.fenced_for or None,
                "own_transactions": one.own or None,
            }
            for one in seen
        ]
        show.as_json({"stack": stack, "database": chosen, "servers": servers})
    else:
        for line in state_lines(seen, database.engine.unit):
            show.say(line)
    show.end(ok=len(primaries) == 1)


@run.command(
    "promote",
    short_help="Promote a standby to primary, and fence the old one.",
    epilog=options.examples(
        "tierstack database promote -s prod --plan",
        "tierstack database promote -s prod",
        "tierstack database promote -s prod --to replica-2 --accept-loss",
    ),
)
@_NAME
@options.stack
@click.option("--to", metavar="SERVER", help="The standby, by its container. Default: the one that has most.")
@click.option("--accept-loss", is_flag=True, help="Promote a standby that lacks data which was acknowledged.")
@click.option("--plan", is_flag=True, help="Only say what would be done.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@options.json
@options.cwd
def promote(
    name: str | None, stack: str, to: str | None, accept_loss: bool, plan: bool, yes: bool, json: bool, cwd: Path
) -> None:
    """Promote a standby to primary.

    Where the primary runs, it is shut down in order and follows afterwards; nothing is lost, and writes wait for some
    seconds. Where it is gone, the command says what the standby lacks. The old primary cannot come back as a primary.
    A call that was interrupted is finished by a second one.
    """
    chosen, database = _database(cwd, stack, name)
    found = promoting.planned(database, to, accept_loss=accept_loss or plan)
    lines = found.lines()
    of = {"stack": stack, "database": chosen}
    if not show.agreed("Promote?", lines, of, plan=plan, yes=yes, json=json):
        return
    result = promoting.promote(database, found, show.progress(json=json), accept_loss=accept_loss)
    if json:
        show.as_json(promoting.as_entry(stack, chosen, result))
        return
    paused = f", writes waited {result.paused_seconds:g} s" if result.paused_seconds is not None else ""
    show.say(f"{show.good(result.primary)} is the primary: {result.seconds:g} s{paused}, lost: {result.lost.described}")
    for one in result.following:
        show.say(f"  {one} streams from it")
    for one in result.left:
        again = f"tierstack database rejoin -s {stack} {chosen} --server {one} --replace-data"
        show.warn(show.notice(f"  {one} does not follow it. To give up what only it has: {again}"))


@run.command(
    "rejoin",
    short_help="Let a server follow the primary, with the primary's data.",
    epilog=options.examples("tierstack database rejoin -s prod --server primary --replace-data"),
)
@_NAME
@options.stack
@click.option("--server", required=True, metavar="SERVER", help="The server, by its container.")
@click.option("--replace-data", is_flag=True, help="Allow its data to be replaced by that of the primary.")
@options.json
@options.cwd
def rejoin(name: str | None, stack: str, server: str, replace_data: bool, json: bool, cwd: Path) -> None:
    """Let a server follow the primary: it gives up what only it has, and gets what the primary has."""
    chosen, database = _database(cwd, stack, name)
    if not replace_data:
        raise UsageError(f"rejoin replaces the data of {server} by that of the primary. To mean it, add --replace-data")
    seconds = promoting.rejoin(database, server, show.progress(json=json))
    if json:
        show.as_json({"stack": stack, "database": chosen, "result": "rejoined", "server": server, "seconds": seconds})
    else:
        show.say(f"{show.good(server)} streams from the primary: {seconds:g} s")
