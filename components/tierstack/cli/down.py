"""`tierstack down`: take a stack down, and keep its data unless told otherwise."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tierstack.cli import show
from tierstack.cli.options import Folder, Json, Stack
from tierstack.cli.show import at_terminal as _at_terminal
from tierstack.engine import resume
from tierstack.engine.project import UnreachableError, find
from tierstack.engine.run import Engine, engine
from tierstack.platform import DataProtection, claim

EXAMPLES = "Examples: [bold]tierstack down -s local[/bold]; [bold]tierstack down -s local --delete-data --yes[/bold]"


def run(
    stack: Stack,
    delete_data: Annotated[bool, typer.Option("--delete-data", help="Delete the data too, for good.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
    cwd: Folder = Path(),
) -> None:
    """Remove everything that a stack made, but keep its data: volumes, databases, buckets.

    `--delete-data` deletes the data too and forgets the stack. Where `data_protection` is `retain` it is refused.
    """
    project = find(cwd)
    config = project.config(stack)
    with engine(project, stack, config) as pulumi:
        if not pulumi.exists():
            _done(stack, [], "there is nothing to take down", resume.Resumed(), json=json)
            return
        _refuse_taken_over(pulumi, stack)
        if delete_data:
            _refuse_retained(pulumi)
        question = f"Delete everything in {stack}, data too, for good?" if delete_data else f"Take {stack} down?"
        if not yes and not json and _at_terminal() and not typer.confirm(question):
            raise typer.Exit(1)
        resumed = resume.begin(pulumi)
        show.resumed(stack, resumed, json=json)
        if delete_data:
            pulumi.unprotect()
        arguments = [] if delete_data else ["--exclude-protected"]
        outcome = pulumi.run(
            "destroy", "--yes", "--skip-preview", "--suppress-outputs", "--suppress-progress", *arguments, quiet=json
        )
        if not outcome.ok:
            if json:
                show.failure(stack, outcome.messages, json=True)
            raise typer.Exit(1)
        resume.finish(pulumi, resumed)
        kept = [one for one in pulumi.resources() if one.get("protect")]
        if not kept:
            pulumi.remove_stack()
        _done(stack, [_name(one) for one in kept], "nothing is left of it", resumed, json=json)


def _refuse_taken_over(pulumi: Engine, stack: str) -> None:
    """What another state has taken over is no longer this one's to remove."""
    from docker.errors import DockerException

    for one in pulumi.resources():
        try:
            if one["type"] != claim.TYPE or not claim.is_taken_over(one["outputs"]):
                continue
        except DockerException as error:
            raise UnreachableError(claim.unreachable(one["outputs"].get("docker_host"), str(error))) from None
        show.err.print(
            f"[bold red]refused:[/] another state has taken over what {stack} ran on the Docker host "
            f"(platform.name = {one['outputs']['name']}). Nothing was changed.\n"
            f"  To forget this state: [bold]pulumi stack rm {stack} --force[/]\n"
            f"  To take the stack back: [bold]tierstack up -s {stack} --adopt[/]"
        )
        raise typer.Exit(1)


def _refuse_retained(pulumi: Engine) -> None:
    """Data that is to be retained is never deleted by a command line alone."""
    kept = [one for one in pulumi.resources() if one.get("retainOnDelete")]
    if not kept:
        return
    show.err.print(
        f"[bold red]refused:[/] `data_protection` is `{DataProtection.RETAIN.value}`, so this data is not deleted:"
    )
    for one in kept:
        show.err.print(f"  {_name(one)}", markup=False)
    show.err.print(
        "To delete it, set `platform.data_protection: protect`, run `tierstack up`, then this command again."
    )
    raise typer.Exit(1)


def _name(resource: dict[str, Any]) -> str:
    kind = str(resource["type"]).rpartition(":")[2].lower()
    return f"{kind} {resource.get('id') or str(resource['urn']).rpartition('::')[2]}"


def _done(stack: str, kept: list[str], nothing: str, resumed: resume.Resumed, *, json: bool) -> None:
    if json:
        show.as_json({"stack": stack, "result": "succeeded", **resumed.as_json(), "kept": kept})
        return
    if not kept:
        show.out.print(f"[bold green]{stack} is down[/]: {nothing}")
        return
    show.out.print(f"\n[bold green]{stack} is down.[/] Its data is kept:")
    for one in kept:
        show.out.print(f"  {one}", markup=False)
    show.out.print(
        f"`tierstack up -s {stack}` takes it up again; `tierstack down -s {stack} --delete-data` deletes it."
    )
