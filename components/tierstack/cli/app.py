"""The verbs of the command, put together."""

import importlib
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

import tierstack
from tierstack.core.errors import ArgumentError
from tierstack.engine.project import UsageError

_VERBS = ("check", "up", "preview", "diff", "status", "render", "down", "topology")
"""Modules with a verb each, in the order of the help."""
_GROUPS = ("dns", "certificates")
"""Modules with several verbs each."""


def command(arguments: Sequence[str] = ()) -> typer.Typer:
    """The command with the verb that `arguments` begins with, or with all of them: each takes a while to import."""
    app = typer.Typer(
        name="tierstack",
        no_args_is_help=True,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
        help="A web shop from one Docker host to Kubernetes, by configuration.\n\n"
        "Run it in a project (a directory with Pulumi.yaml), or name one with -C. "
        "Exit code 0: done; 1: problems, or a change failed; 2: the command was not understood.",
        epilog="Start with: [bold]tierstack check --stack local[/bold], then [bold]tierstack up --stack local[/bold]",
    )
    app.callback()(options)  # without one, Typer would take a verb that is alone for the command itself
    wanted = arguments[0] if arguments and arguments[0] in (*_VERBS, *_GROUPS) else None
    for name in _VERBS:
        if wanted in (None, name):
            verb = _module(name)
            app.command(name, epilog=verb.EXAMPLES)(verb.run)
    for name in _GROUPS:
        if wanted in (None, name):
            app.add_typer(_module(name).app, name=name)
    return app


def main() -> None:
    """Run the command; problems are told without a traceback."""
    try:
        command(sys.argv[1:])()
    except UsageError as error:
        print(f"tierstack: {error}", file=sys.stderr)
        raise SystemExit(error.code) from None
    except ArgumentError as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from None


def _version(asked: bool) -> None:
    if asked:
        print(f"tierstack {tierstack.__version__}")
        raise typer.Exit


def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """What stands before a verb."""


def _module(name: str) -> Any:
    return importlib.import_module(f"tierstack.cli.{name}")
