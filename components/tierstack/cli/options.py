"""Options that several verbs have."""

from pathlib import Path
from typing import Annotated

import typer

from tierstack.engine.project import UsageError, find
from tierstack.engine.target import Target


def _stacks(context: typer.Context, incomplete: str) -> list[str]:
    """The stacks of the project, for the completion of a shell; none where there is no project."""
    try:
        names = find(Path(context.params.get("cwd") or ".")).stacks()
    except UsageError:
        return []
    return [one for one in names if one.startswith(incomplete)]


Stack = Annotated[
    str,
    typer.Option("--stack", "-s", help="Name of the stack: the part of Pulumi.NAME.yaml.", autocompletion=_stacks),
]
Folder = Annotated[Path, typer.Option("--cwd", "-C", help="A directory in the project.")]
Json = Annotated[bool, typer.Option("--json", help="JSON on standard output, for machines.")]
On = Annotated[
    Target | None,
    typer.Option(
        "--platform",
        help="Where the stack runs. Default: as configured. Only for a program that exports a stack.",
        show_default=False,
    ),
]
