"""`tierstack restore`: what the backups have, aside or in the place of the database."""

from datetime import datetime
from pathlib import Path

import click

from tierstack.cli import options, restore_dumps, restore_files, restore_on_kubernetes, show
from tierstack.core.gtids import Gtid
from tierstack.engine.project import UsageError
from tierstack.recovery import restoring
from tierstack.recovery.dumps import StoredDumps
from tierstack.recovery.files import StoredFiles
from tierstack.recovery.found import now
from tierstack.recovery.kubernetes.found import ClusterBackups
from tierstack.recovery.stacks import backups_of

_ONLY_ASIDE = (
    "a dump comes back aside only: leave --in-place out, and copy from there what is needed "
    "(docs/components/database-dumps.md). In the place of the database go base backups and log"
)
_REPLICAS = "its replicas have to be copied anew afterwards (docs/components/backup-schedule.md)"


@click.command(
    short_help="Restore a database or files from backups, aside or in place.",
    epilog=options.examples(
        "tierstack restore -s prod --to 2026-01-31T12:00:00Z",
        "tierstack restore -s prod --plan",
        "tierstack restore -s prod --in-place --replace-data",
        "tierstack restore -s prod --backups files",
        "tierstack restore -s prod --dump all --table orders",
    ),
)
@options.stack
@click.option(
    "--to",
    type=options.Moment(restoring.goal),
    metavar="TIME",
    help="The moment, with its zone; of MySQL also the GTID of the last transaction. Default: the last write received.",
)
@click.option(
    "--aside",
    metavar="NAME",
    help="Name of the new volume and container, or Cluster. Default: <catalog or cluster>-aside.",
)
@click.option(
    "--in-place", is_flag=True, help="In the place of the database, which is stopped meanwhile, or of the files."
)
@click.option("--replace-data", is_flag=True, help="Allow --in-place to replace the current data.")
@click.option("--dump", metavar="NAME", help="Restore a dump: the newest of this name, or the one with this id.")
@click.option(
    "--table", "tables", metavar="NAME", multiple=True, help="Of a dump only this table. Can be given several times."
)
@click.option("--plan", is_flag=True, help="Only say what would be done.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@options.backups
@options.json
@options.cwd
@click.pass_context
def run(
    context: click.Context,
    stack: str,
    to: restoring.To,
    aside: str | None,
    in_place: bool,
    replace_data: bool,
    dump: str | None,
    tables: tuple[str, ...],
    plan: bool,
    yes: bool,
    backups: str | None,
    json: bool,
    cwd: Path,
) -> None:
    """Restore a database to a moment, or the files of an application, from their backups.

    It comes back aside, beside the running database, which goes on: on a Docker host in a new volume, as a container
    without a network; on Kubernetes as a Cluster that only its operator reaches. With --in-place it replaces the
    database. On a Docker host what that held stays beside it, as `pgdata.before` (MySQL: `data.before`); on Kubernetes
    the configuration says where the new database comes from (`database.restore`). Files come back in a new volume, or
    replace the current ones, which stay beside as `.tierstack-before`. A dump comes back aside, whole or some of its
    tables.
    """
    if in_place and aside:
        raise click.UsageError("--aside names what stands beside the database, and --in-place puts it in its place")
    if in_place and not replace_data and not plan:
        raise UsageError("--in-place replaces the current data. To mean it, add --replace-data")
    of_dumps = dump is not None or bool(tables)
    _, found = backups_of(cwd, stack, backups, dumps=of_dumps)
    if isinstance(found, StoredDumps):
        if in_place:
            raise UsageError(_ONLY_ASIDE)
        moment = _moment(to, "a dump")
        restore_dumps.run(found, stack, moment, aside, dump=dump, tables=tables, plan=plan, yes=yes, json=json)
        return
    if of_dumps:
        raise UsageError(f"`{backups}` are no dumps, which --dump and --table are for: name those with --backups")
    if isinstance(found, StoredFiles):
        restore_files.run(found, stack, _moment(to, "restic"), aside, in_place=in_place, plan=plan, yes=yes, json=json)
        return
    if isinstance(found, ClusterBackups):
        moment = _moment(to, "PostgreSQL")
        said: dict[str, bool] = {"plan": plan, "yes": yes, "json": json}
        if in_place:
            restore_on_kubernetes.refuse_moment(moment)
            restore_on_kubernetes.put_in_place(context, found, stack, **said, cwd=cwd)
        else:
            restore_on_kubernetes.put_aside(found, stack, moment, aside, **said)
        return
    if not found.engine.gtids:
        _moment(to, found.dialect.title)
    beside = aside or f"{found.at.catalog}-{'in-place' if in_place else 'aside'}"
    if in_place:
        restoring.refuse_in_place(found, beside)
    else:
        restoring.refuse_existing(found.host, beside)
    planned = restoring.planned(to, found.status(), found.drills(), now())
    into = f"in the place of {found.server}" if in_place else f"into the new volume {beside}"
    lines = planned.lines(now(), into)
    if in_place and found.has_replicas():
        lines.append(_REPLICAS)
    if not show.agreed("Restore?", lines, {"stack": stack}, plan=plan, yes=yes, json=json):
        return
    tell = show.progress(json=json)
    began = now()
    if in_place:
        restoring.put_in_place(found, beside, to, tell)
    else:
        restoring.put_aside(found, beside, to, tell)
    seconds = round((now() - began).total_seconds(), 1)
    name = found.server if in_place else beside
    if json:
        show.as_json({"stack": stack, "result": "restored", "plan": lines, "seconds": seconds, "container": name})
        return
    show.say(f"{show.good('restored')} in {seconds:g} s: container {show.bold(name)}")
    if in_place:
        show.say(
            f"What it held before is kept as `{found.engine.before}` in its volume; remove that when nobody needs it."
        )
        return
    show.say(f"  look at it:  {found.dialect.look(name, found.at.database)}")
    show.say(f"  remove it:   docker rm -f {name} && docker volume rm {name}")


def _moment(to: restoring.To, title: str) -> datetime | None:
    """What is written for a server that knows moments only. Raises UsageError for a transaction of MySQL."""
    if isinstance(to, Gtid):
        raise UsageError(f"--to = {to}: is a GTID, which {title} has not; write a moment")
    return to
