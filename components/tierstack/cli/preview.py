"""`tierstack preview`: what `up` would change."""

from pathlib import Path
from typing import Annotated

import typer

from tierstack.cli import show
from tierstack.cli.options import Folder, Json, On, Stack
from tierstack.engine import preflight
from tierstack.engine.aim import aim, refuse_if_applied
from tierstack.engine.interrupted import has_namespace
from tierstack.engine.project import find
from tierstack.engine.run import engine
from tierstack.engine.target import Target

EXAMPLES = "Examples: [bold]tierstack preview -s local[/bold]; [bold]tierstack preview -s prod --diff[/bold]"


def run(
    stack: Stack,
    platform: On = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show every property that changes.")] = False,
    json: Json = False,
    cwd: Folder = Path(),
) -> None:
    """Show what `up` would change, and change nothing.

    On a Docker host the stack is first compared with what is there. A rendered stack needs no cluster or credentials.
    """
    project = find(cwd)
    found = aim(project, stack, platform)
    refuse_if_applied(project, stack, found)
    if found.reason and not json:
        show.err.print(f"[yellow]{found.reason}:[/] this is the preview of the manifests")
    arguments = ["--diff"] if diff else []
    with engine(project, stack, found.config, throwaway=found.target is Target.RENDER) as pulumi:
        is_new = pulumi.create_stack()
        if found.target is Target.KUBERNETES and found.platform:
            preflight.refuse_foreign(found.platform, has_namespace(pulumi.deployment(), found.platform.name))
        if not is_new and found.on_docker(pulumi):
            arguments.append("--refresh")
        outcome = pulumi.run("preview", "--suppress-progress", *arguments, quiet=json)
    if json:
        result = "succeeded" if outcome.ok else "failed"
        steps = [{"operation": operation, "urn": urn} for operation, urn in outcome.changing]
        about = {"stack": stack, "platform": found.shown, "result": result, "messages": outcome.messages}
        show.as_json({**about, "changes": outcome.changes, "steps": steps})
    raise typer.Exit(0 if outcome.ok else 1)
