"""`tierstack restore` of a database on Kubernetes."""

from datetime import datetime

import click

from tierstack.cli import show
from tierstack.engine.project import UsageError
from tierstack.recovery import restoring
from tierstack.recovery.found import now
from tierstack.recovery.kubernetes import aside as beside
from tierstack.recovery.kubernetes.found import ClusterBackups


def run(
    found: ClusterBackups,
    stack: str,
    to: datetime | None,
    aside: str | None,
    *,
    in_place: bool,
    plan: bool,
    yes: bool,
    json: bool,
) -> None:
    """Restore beside the running database. Raises UsageError for one in its place, which the configuration makes."""
    if in_place:
        raise UsageError(_IN_PLACE)
    name = aside or found.name("aside")
    planned = restoring.planned(to, found.status(), found.drills(), now())
    lines = planned.lines(now(), f"into the new Cluster {name} of namespace {found.at.namespace}")
    if not json:
        for line in lines:
            show.say(line)
    if plan:
        if json:
            show.as_json({"stack": stack, "result": "planned", "plan": lines})
        return
    beside.refuse_existing(found, name)
    if not yes and not json and show.at_terminal() and not click.confirm("Restore?"):
        show.end(ok=False)
    began = now()
    beside.put_aside(found, name, to, show.progress(json=json))
    seconds = round((now() - began).total_seconds(), 1)
    if json:
        show.as_json({"stack": stack, "result": "restored", "plan": lines, "seconds": seconds, "cluster": name})
        return
    show.say(f"{show.good('restored')} in {seconds:g} s: Cluster {show.bold(name)}")
    look = found.kubectl.command("exec", "-it", found.primary(name), "-c", "postgres", "--", "psql", found.at.database)
    show.say(f"  look at it:  {' '.join(look)}")
    show.say(f"  remove it:   {beside.removing(found, name)}")


_IN_PLACE = (
    "--in-place: on Kubernetes the configuration says where a database comes from, so that the next update keeps it. "
    "Write `database.restore` and a new `database.archive.server_name`, delete the Cluster, and run `tierstack up "
    "--refresh` (docs/how-to/restore-on-kubernetes.md, Replace the database)"
)
