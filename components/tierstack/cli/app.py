"""The verbs of the command, put together."""

import sys
from typing import Annotated

import typer

import tierstack
from tierstack.cli import certificates, check, dns, down, preview, render, status, topology, up
from tierstack.core.errors import ArgumentError
from tierstack.engine.project import UsageError

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


def _version(asked: bool) -> None:
    if asked:
        print(f"tierstack {tierstack.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """What stands before a verb."""


for verb in (check, up, preview, status, render, down, topology):
    app.command(verb.__name__.rpartition(".")[2], epilog=verb.EXAMPLES)(verb.run)
app.add_typer(dns.app, name="dns")
app.add_typer(certificates.app, name="certificates")


def main() -> None:
    """Run the command; problems are told without a traceback."""
    try:
        app()
    except UsageError as error:
        print(f"tierstack: {error}", file=sys.stderr)
        raise SystemExit(error.code) from None
    except ArgumentError as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from None
