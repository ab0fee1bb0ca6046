"""Options that several verbs have."""

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from tierstack.engine.project import UsageError, find
from tierstack.engine.target import Target


def examples(*commands: str) -> str:
    """The last lines of a verb's help."""
    lines = "\n".join(f"  {command}" for command in commands)
    return f"\b\n{'Examples' if len(commands) > 1 else 'Example'}:\n{lines}"  # \b keeps the lines as they are


def a_path(*, dash: bool = False) -> click.Path:
    """The type of an option that names a file or a directory. `dash`: `-` is the standard input."""
    return click.Path(path_type=Path, allow_dash=dash)


def _stacks(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The stacks of the project, for the completion of a shell; none where there is no project."""
    try:
        names = find(Path(context.params.get("cwd") or ".")).stacks()
    except UsageError:
        return []
    return [CompletionItem(one) for one in names if one.startswith(incomplete)]


stack = click.option(
    "--stack",
    "-s",
    required=True,
    metavar="NAME",
    shell_complete=_stacks,
    help="Name of the stack: the part of Pulumi.NAME.yaml.",
)
cwd = click.option(
    "--cwd", "-C", type=a_path(), default=Path(), metavar="DIRECTORY", help="A directory in the project."
)
json = click.option("--json", is_flag=True, help="JSON on standard output, for machines.")
platform = click.option(
    "--platform",
    type=click.Choice(Target, case_sensitive=False),
    help="Where the stack runs. Default: as configured. Only for a program that exports a stack.",
)
