"""Options that several verbs have."""

import functools
import sys
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from tierstack.cli import show
from tierstack.core.errors import ArgumentError
from tierstack.engine.project import UsageError, find
from tierstack.engine.target import Target

Run = Callable[..., Any]


def examples(*commands: str) -> str:
    """The last lines of a verb's help."""
    lines = "\n".join(f"  {command}" for command in commands)
    return f"\b\n{'Examples' if len(commands) > 1 else 'Example'}:\n{lines}"  # \b keeps the lines as they are


if TYPE_CHECKING:
    _OfAnything = click.ParamType[Any]
else:
    _OfAnything = click.ParamType  # no generic in older versions of click


class Moment(_OfAnything):
    """The type of an option that names a moment. `read` raises ValueError, as a clause."""

    name = "time"

    def __init__(self, read: Callable[[str], Any]) -> None:
        self.read = read

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """What `read` makes of the word, or a usage error."""
        try:
            return self.read(str(value))
        except ValueError as error:
            self.fail(f"{value}: {error}; write one such as 2026-01-31T12:00:00Z", param, ctx)


def a_path(*, dash: bool = False) -> click.Path:
    """The type of an option that names a file or a directory. `dash`: `-` is the standard input."""
    return click.Path(path_type=Path, allow_dash=dash)


def octets(path: Path) -> bytes:
    """What a file holds; `-` is the standard input. Raises UsageError where it cannot be read."""
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as problem:
        raise UsageError(f"{path} cannot be read: {problem.strerror}") from None


def choice(kind: type[Enum]) -> dict[str, Any]:
    """The type of an option that is one of `kind`, whose values are words. click knows enumerations from 8.2 on."""

    def value_of(_context: click.Context, _parameter: click.Parameter, word: str | Enum | None) -> Enum | None:
        return None if word is None else kind(word)

    return {"type": click.Choice([one.value for one in kind], case_sensitive=False), "callback": value_of}


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


app = click.option("--app", metavar="NAME", help="The application, where the stack has several. Default: the only one.")
backups = click.option(
    "--backups", metavar="NAME", help="Name of the backups, where the stack has several. Default: the only ones."
)


def json_of(failed: Callable[[str | None, list[str]], dict[str, Any]]) -> Callable[[Run], Run]:
    """The option `--json`. Who reads JSON gets it also where the verb cannot be carried out: what `failed` makes of the
    stack and of what is wrong."""

    def decorate(run: Run) -> Run:
        @functools.wraps(run)
        def answer(*arguments: Any, **options: Any) -> Any:
            try:
                return run(*arguments, **options)
            except (UsageError, ArgumentError) as error:
                if options["json"]:
                    lines = [one.line for one in error.problems] if isinstance(error, ArgumentError) else error.messages
                    show.as_json(failed(options.get("stack"), lines))
                raise

        return click.option("--json", is_flag=True, help="JSON on standard output, for machines.")(answer)

    return decorate


json = json_of(show.failed)
platform = click.option(
    "--platform",
    **choice(Target),
    help="Where the stack runs. Default: as configured. Only for a program that exports a stack.",
)
