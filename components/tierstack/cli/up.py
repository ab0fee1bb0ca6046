"""`tierstack up`: bring a stack up, or bring it to what its configuration now says."""

import dataclasses
from pathlib import Path
from typing import Any

import click

from tierstack.cli import options, render, show, status
from tierstack.cli.show import at_terminal as _at_terminal
from tierstack.engine import parts, preflight, protected, refreshing, resume, volumes
from tierstack.engine.aim import Aim, aim, refuse_if_applied
from tierstack.engine.health import is_well_altogether, summary
from tierstack.engine.interrupted import has_namespace, resources
from tierstack.engine.project import Project, StackConfig, UsageError, find
from tierstack.engine.run import Engine, Outcome, RunFailedError, engine
from tierstack.engine.target import Target
from tierstack.release.stacks import refuse_unfinished

_SHOWN = 8  # names of resources that a line lists


@click.command(
    epilog=options.examples(
        "tierstack up -s local", "tierstack up -s prod --platform kubernetes", "tierstack up -s local --platform render"
    )
)
@options.stack
@options.platform
@click.option("--yes", "-y", is_flag=True, help="Change and delete without asking.")
@click.option("--delete-data", is_flag=True, help="Also delete data that is no longer in the configuration.")
@click.option(
    "--adopt", is_flag=True, help="Take over what another state made under this platform name; keeps its data."
)
@click.option(
    "--empty-volumes",
    is_flag=True,
    help="Make volumes of data that somebody removed from the Docker host anew, empty.",
)
@click.option(
    "--refresh",
    is_flag=True,
    help="Compare the state with the cluster first; what the cluster has lost is made anew. On Docker always so.",
)
@options.json
@options.cwd
def run(
    stack: str,
    platform: Target | None,
    yes: bool,
    delete_data: bool,
    adopt: bool,
    empty_volumes: bool,
    refresh: bool,
    json: bool,
    cwd: Path,
) -> None:
    """Create or update the stack to match its configuration.

    Asks at a terminal before it changes or deletes anything; keeps data unless --delete-data is given. Ends with the
    health of each part, and with exit code 1 if one is not healthy. A stack that was never applied is rendered to
    rendered/STACK if no Docker daemon answers.
    """
    project = find(cwd)
    if refresh:
        _refresh(project, stack, ask=not yes and not json, json=json)
    found = aim(project, stack, platform)
    refuse_if_applied(project, stack, found)
    if found.reason and not json:
        show.warn(
            f"{show.notice(f'{found.reason}:')} Kubernetes manifests are written instead. Nothing is started; "
            f"{stack} was never applied"
        )
    if adopt and found.report is None:
        raise UsageError(
            "--adopt needs a program that exports a stack; set `adopt=True` on the platform for one update"
        )
    if adopt:
        found = dataclasses.replace(found, config=_adopting(found.config))
    if found.target is Target.RENDER:
        render.write(project, stack, found, delete_data=delete_data, json=json)
        return
    if found.target is Target.KUBERNETES and found.report and found.platform:
        unasked = preflight.check(found.report.needs, found.platform, stack)
        if unasked and not json:
            show.warn(f"{show.notice('the cluster was not asked for its operators:')} {unasked}")
    with engine(project, stack, found.config) as pulumi:
        is_new = pulumi.create_stack()
        resumed, held = resume.Resumed(), list[dict[str, Any]]()
        if not is_new:
            deployment = pulumi.deployment()
            held = resources(deployment)
            refuse_unfinished(held, stack, found.config)
            resumed = resume.begin(pulumi, deployment)
        show.resumed(stack, resumed, json=json)
        if found.target is Target.KUBERNETES and found.platform and not adopt:
            preflight.refuse_foreign(found.platform, has_namespace(pulumi.deployment(), found.platform.name))
        # What was removed, stopped or changed by hand is seen only where somebody looks.
        look = ["--refresh"] if not is_new and found.on_docker(pulumi) else []
        if look:
            _remake_volumes(held, found, agreed=empty_volumes, ask=not yes and not json)
        if not yes and not json and _at_terminal():
            _ask(pulumi, stack, look, delete_data=delete_data, adopt=adopt)
        outcome = update(pulumi, stack, look, delete_data=delete_data, quiet=json)
        if not outcome.ok:
            if json:
                show.failure(stack, outcome.messages, json=True)
            show.end(ok=False)
        resume.finish(pulumi, resumed)
        _tell(pulumi, stack, found, outcome, resumed, json=json)


def _refresh(project: Project, stack: str, *, ask: bool, json: bool) -> None:
    """Refresh the state; ends the command where that fails, or the user does not agree."""
    try:
        agreed = refreshing.refresh(project, stack, lambda gone: _agreed(gone, ask=ask))
    except RunFailedError as error:
        show.failure(stack, error.messages, json=json)
    if not agreed:
        show.end(ok=False)


def _remake_volumes(held: list[dict[str, Any]], found: Aim, *, agreed: bool, ask: bool) -> None:
    """Make volumes that were removed anew, and empty: the update fails without them.

    What held data is only made where a user agrees: an application would go on with an empty database, and nobody
    would notice. Raises UsageError where nobody can be asked.
    """
    absent = volumes.missing(held, found.platform)
    if not absent:
        return
    lost = [one.name for one in absent if one.is_protected]
    if lost and not agreed and not (ask and _at_terminal()):
        raise UsageError(
            *(
                f"volume {name}, which held data, is not on the Docker host any more. Nothing was changed. To bring "
                "the data back: docs/runbooks/database-lost.md. To make the volume anew, empty: --empty-volumes"
                for name in lost
            )
        )
    show.volumes_gone(absent, "it is made anew, empty")
    if lost and not agreed and not click.confirm("Make them anew, empty?"):
        show.end(ok=False)
    volumes.make(absent)


def _agreed(gone: list[str], *, ask: bool) -> bool:
    """Whether what is gone may leave the state: in the wrong cluster all of it is, and would be made a second time."""
    if not gone:
        return True
    if ask:
        shown = ", ".join(gone[:_SHOWN]) + (", …" if len(gone) > _SHOWN else "")
        show.warn(f"{show.notice(f'In the state, but not in the cluster ({len(gone)}):')} {shown}")
    return not (ask and _at_terminal()) or click.confirm("Is this the right cluster, and make them anew?")


def _adopting(config: StackConfig) -> StackConfig:
    """The configuration, for one run with `platform.adopt`."""
    platform: dict[str, Any] = config.values.get("platform") or {}
    return dataclasses.replace(config, values={**config.values, "platform": {**platform, "adopt": True}})


def update(pulumi: Engine, stack: str, look: list[str], *, delete_data: bool, quiet: bool) -> Outcome:
    """The update itself. What is protected the engine refuses to delete, at the end of an update that did the rest."""
    flags = ("--yes", "--skip-preview", "--suppress-outputs", "--suppress-progress", *look)
    outcome = pulumi.run("up", *flags, quiet=quiet)
    data = protected.refused(outcome.messages)
    if data and delete_data:
        pulumi.unprotect(data)
        return pulumi.run("up", *flags, quiet=quiet)
    if data:
        outcome.messages.append(protected.explained(stack, data))
        if not quiet:
            show.warn(outcome.messages[-1])
    return outcome


def _ask(pulumi: Engine, stack: str, look: list[str], *, delete_data: bool, adopt: bool) -> None:
    """Show what would change, and ask where that touches something that exists."""
    planned = pulumi.run("preview", "--suppress-outputs", *look, quiet=True)
    data = protected.refused(planned.messages)
    if data and not delete_data:
        planned.messages = [protected.explained(stack, data)]
    if not planned.ok and not (data and delete_data):
        show.failure(stack, planned.messages, json=False)
    if planned.only_creates() and not data and not adopt:
        return
    for urn in data:
        show.say(f"  {show.bad('delete data'.ljust(18))} {urn.rpartition('::')[2]}")
    for operation, urn in planned.changing:
        *_, type_, name = urn.split("::")
        show.say(f"  {operation:<18} {name}  {show.dim(type_.split('$')[-1])}")
    if adopt:
        show.say(f"  {show.bad('remove'.ljust(18))} containers and networks of the other state, if it has any")
    if not click.confirm(f"Make these changes to {stack}?"):
        show.end(ok=False)


def _tell(pulumi: Engine, stack: str, found: Aim, outcome: Outcome, resumed: resume.Resumed, *, json: bool) -> None:
    """What changed, where the stack is, and how its parts are. Exit code 1 where one is not well."""
    outputs = {key: value for key, value in pulumi.outputs().items() if value is not None}
    seen = parts.after_update(pulumi, found.platform, found.config)
    well = is_well_altogether(seen)
    if json:
        result = "succeeded" if well else "unhealthy"
        about = {"stack": stack, "platform": found.shown, "result": result, **resumed.as_json()}
        show.as_json(
            {**about, "changes": outcome.changes, "outputs": outputs, "parts": [one.as_json() for one in seen]}
        )
        show.end(ok=well)
    if parts.is_rendered(pulumi.resources()):
        show.say(f"{show.good(f'{stack} is rendered:')} its manifests are written to files; nothing was started")
        return
    pages = parts.addresses(outputs, found.config)
    urls = list(pages)
    if urls and outputs.get("ca"):
        ca = show.bold(f"pulumi stack output ca -s {stack} > ca.pem")
        show.say(f"\nThe certificate is signed by this stack's local CA. To trust it: {ca}")
        page = pages[urls[0]] or "/"
        show.say(f"  Then: {show.bold(f'curl --cacert ca.pem {urls[0]}{page}')}")
    for one in seen:
        if not one.is_well or one.why:
            show.say(status.line(one))
    url = ", ".join(urls)
    if not well:
        show.say(f"{show.bad(summary(stack, seen))}{f': {url}' if url else ''}")
        show.end(ok=False)
    health = f"{len(seen)} parts, all healthy" if seen else "nothing in it reports its health"
    up = f"{show.good(f'{stack} is up:')} {show.bold(url)}" if url else show.good(f"{stack} is up")
    show.say(f"{up} ({health})")
