"""`tierstack up`: bring a stack up, or bring it to what its configuration now says."""

from pathlib import Path
from typing import Annotated

import typer

from tierstack.cli import preflight, protected, render, resume, show
from tierstack.cli.engine import Engine, Outcome, engine
from tierstack.cli.project import Folder, Json, Stack, find
from tierstack.cli.show import at_terminal as _at_terminal
from tierstack.cli.target import On, Target, aim

EXAMPLES = (
    "Examples: [bold]tierstack up -s local[/bold]; [bold]tierstack up -s prod --platform kubernetes[/bold]; "
    "[bold]tierstack up -s local --platform render[/bold]"
)


def run(
    stack: Stack,
    platform: On = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Change and delete without asking.")] = False,
    delete_data: Annotated[
        bool, typer.Option("--delete-data", help="Delete data, too, that the configuration does without.")
    ] = False,
    json: Json = False,
    cwd: Folder = Path(),
) -> None:
    """Make what is there what the configuration says.

    Asks before it changes or deletes what exists, where a terminal can be asked; data is kept without --delete-data.
    Where the configured Docker daemon does not answer, manifests are rendered to rendered/STACK instead.
    """
    project = find(cwd)
    found = aim(project, stack, platform)
    if found.reason and not json:
        show.err.print(f"[yellow]{found.reason}:[/] Kubernetes manifests are written instead")
    if found.target is Target.RENDER:
        made = render.rendered(project, stack, found, delete_data=delete_data, quiet=json)
        render.tell(made, stack, json=json)
        return
    if found.target is Target.KUBERNETES:
        unasked = preflight.check(found.verdict.needs, found.platform, stack)
        if unasked and not json:
            show.err.print(f"[yellow]the cluster was not asked for its operators:[/] {unasked}")
    with engine(project, stack, found.config) as pulumi:
        resumed = resume.Resumed() if pulumi.create_stack() else resume.begin(pulumi)
        resume.tell(stack, resumed, json=json)
        if not yes and not json and _at_terminal():
            _ask(pulumi, stack, delete_data=delete_data)
        outcome = _update(pulumi, stack, delete_data=delete_data, quiet=json)
        if not outcome.ok:
            if json:
                render.fail(stack, outcome, json=True)
            raise typer.Exit(1)
        resume.finish(pulumi, resumed)
        _tell(pulumi, stack, found.target, outcome, resumed, json=json)


def _update(pulumi: Engine, stack: str, *, delete_data: bool, quiet: bool) -> Outcome:
    """The update itself. What is protected the engine refuses to delete, at the end of an update that did the rest."""
    flags = ("--yes", "--skip-preview", "--suppress-outputs", "--suppress-progress")
    outcome = pulumi.run("up", *flags, quiet=quiet)
    data = protected.refused(outcome.messages)
    if data and delete_data:
        pulumi.unprotect(data)
        return pulumi.run("up", *flags, quiet=quiet)
    if data:
        outcome.messages.append(protected.explained(stack, data))
        if not quiet:
            show.err.print(outcome.messages[-1], markup=False)
    return outcome


def _ask(pulumi: Engine, stack: str, *, delete_data: bool) -> None:
    """Show what would change, and ask where that touches something that exists."""
    planned = pulumi.run("preview", "--suppress-outputs", quiet=True)
    data = protected.refused(planned.messages)
    if data and not delete_data:
        planned.messages = [protected.explained(stack, data)]
    if not planned.ok and not (data and delete_data):
        render.fail(stack, planned, json=False)
    if planned.only_creates() and not data:
        return
    for urn in data:
        show.out.print(f"  [bold red]delete data[/]        {urn.rpartition('::')[2]}")
    for operation, urn in planned.steps:
        if operation != "same":
            show.out.print(f"  {operation:<18} {urn.rpartition('::')[2]}  [dim]{urn.split('::')[-2].split('$')[-1]}[/]")
    if not typer.confirm(f"Make these changes to {stack}?"):
        raise typer.Exit(1)


def _tell(pulumi: Engine, stack: str, target: Target, outcome: Outcome, resumed: resume.Resumed, *, json: bool) -> None:
    outputs = {key: value for key, value in pulumi.outputs().items() if value is not None}
    if json:
        about = {"stack": stack, "platform": target.value, "result": "succeeded", **resumed.as_json()}
        show.as_json({**about, "changes": outcome.changes, "outputs": outputs})
        return
    if url := outputs.get("url"):
        show.out.print(f"\n[bold green]{stack} is up:[/] [bold]{url}[/]")
        if outputs.get("ca"):
            ca = f"pulumi stack output ca -s {stack} > ca.pem"
            show.out.print(f"  Its certificate is of a CA of its own. To trust it: [bold]{ca}[/]")
            show.out.print(f"  Then: [bold]curl --cacert ca.pem {url}/api/health[/]")
