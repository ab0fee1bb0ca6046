"""`tierstack restore` of a database on Kubernetes."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from tierstack.cli import show, up
from tierstack.core.before import Before
from tierstack.engine.project import UsageError, find
from tierstack.engine.run import engine
from tierstack.recovery import restoring
from tierstack.recovery.found import now
from tierstack.recovery.kubernetes import aside as beside
from tierstack.recovery.kubernetes import in_place
from tierstack.recovery.kubernetes.found import ClusterBackups


def put_aside(
    found: ClusterBackups, stack: str, to: datetime | None, aside: str | None, *, plan: bool, yes: bool, json: bool
) -> None:
    """Restore beside the running database."""
    name = aside or found.name("aside")
    beside.refuse_existing(found, name)
    planned = restoring.planned(to, found.status(), found.drills(), now())
    lines = planned.lines(now(), f"into the new Cluster {name} of namespace {found.at.namespace}")
    if not show.agreed("Restore?", lines, {"stack": stack}, plan=plan, yes=yes, json=json):
        return
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


def put_in_place(
    context: click.Context, found: ClusterBackups, stack: str, *, plan: bool, yes: bool, json: bool, cwd: Path
) -> None:
    """Take the database away and let an update make it from its backups, as the configuration says."""
    project = find(cwd)
    config = project.config(stack)
    with engine(project, stack, config) as pulumi:
        made = Before({one["urn"]: _shown(one) for one in pulumi.resources() if not one.get("delete")})
    problems = project.check(stack, config, made).problems
    given = in_place.asked(config.values, problems, stack, found)
    lines = in_place.lines(given, found)
    if not show.agreed("Restore?", lines, {"stack": stack}, plan=plan, yes=yes, json=json):
        return
    in_place.take_away(given, found, show.progress(json=json))
    context.invoke(
        up.run,
        stack=stack,
        platform=None,
        yes=True,
        delete_data=False,
        adopt=False,
        refresh=True,
        json=json,
        cwd=cwd,
    )


def _shown(resource: Mapping[str, Any]) -> dict[str, Any]:
    """A resource of the state, as the rules about changes read it."""
    return {"type": resource["type"], "outputs": resource.get("outputs") or {}}


def refuse_moment(to: datetime | None) -> None:
    """Raise UsageError for a moment that the configuration has to say."""
    if to is not None:
        raise UsageError("--in-place: on Kubernetes the configuration says the moment, as `database.restore.to`")
