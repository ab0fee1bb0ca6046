"""`tierstack render`: the manifests of a stack, without any cluster or credentials."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from tierstack.cli import show
from tierstack.cli.options import Folder, Json, Stack
from tierstack.engine.aim import Aim, aim
from tierstack.engine.project import Project, find
from tierstack.engine.rendering import rendered
from tierstack.engine.run import RunFailedError
from tierstack.engine.target import Target

EXAMPLES = "Examples: [bold]tierstack render -s prod[/bold]; [bold]tierstack render -s prod --output deploy/prod[/bold]"


def run(
    stack: Stack,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Default: rendered/STACK.")] = None,
    delete_data: Annotated[
        bool,
        typer.Option("--delete-data", help="Also remove manifests of data that is no longer in the configuration."),
    ] = False,
    json: Json = False,
    cwd: Folder = Path(),
) -> None:
    """Write a stack's Kubernetes manifests, and a kustomization.yaml that applies them in order.

    Files of earlier runs that are no longer made are removed. Manifests of protected data (volumes, databases) are kept
    without --delete-data, because a GitOps tool deletes what leaves the folder; they are named, and the exit code is 1.
    A program that exports no stack is rendered if it makes nothing but Kubernetes objects.
    """
    project = find(cwd)
    found = aim(project, stack, Target.RENDER if project.exported else None)
    write(project, stack, found, output, delete_data=delete_data, json=json)


def write(
    project: Project, stack: str, found: Aim, output: Path | None = None, *, delete_data: bool, json: bool
) -> None:
    """Render, and say what was written. Raises typer.Exit with 1 where data is kept that the configuration no longer
    has, and where the engine fails."""
    try:
        made = rendered(project, stack, found, output, delete_data=delete_data)
    except RunFailedError as error:
        show.failure(stack, error.messages, json=json)
    if json:
        changes = {"kept": made.kept, "gone": made.gone, "refused": made.refused, "before": made.before}
        about = {"stack": stack, "platform": "render", "result": "failed" if made.kept else "succeeded"}
        show.as_json({**about, "directory": str(made.folder), "manifests": made.count, **changes})
    else:
        show.out.print(f"[bold green]{made.count} manifests[/] in {made.shown}")
        for line in made.gone:
            show.err.print(f"[yellow]removed:[/] {line}", markup=True)
        for line in made.refused:
            show.err.print(f"[yellow]the cluster will refuse:[/] {escape(line)}")
        for line in made.before:
            show.err.print(f"[yellow]before you apply:[/] {escape(line)}")
        if made.kept:
            names = "\n".join(f"  {line}" for line in made.kept)
            show.err.print(
                f"These hold data and are no longer in the configuration of {stack}:\n{names}\n"
                f"Their manifests are kept in {made.shown}. To remove them:\n"
                f"  tierstack render --stack {stack} --delete-data",
                markup=False,
            )
    if made.kept:
        raise typer.Exit(1)
