"""The verbs of the command, put together."""

import importlib
import sys

import click

from tierstack.core.errors import ArgumentError, nearest
from tierstack.engine.project import UsageError

_VERBS = (
    "check",
    "up",
    "preview",
    "diff",
    "compare",
    "status",
    "release",
    "rollback",
    "render",
    "restore",
    "recover",
    "drill",
    "database",
    "down",
    "topology",
    "rule",
    "migration",
    "dns",
    "certificates",
)
"""Modules with a verb each, or a group of them, in the order of the help."""


class _Verbs(click.Group):
    """The verbs, each imported when it is asked for: together they take a while."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*_VERBS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            guess = nearest(cmd_name, _VERBS)
            if guess and not ctx.resilient_parsing:  # which completes what is typed
                ctx.fail(f"no verb `{cmd_name}`; did you mean `{guess}`?")
            return None
        verb: click.Command = importlib.import_module(f"tierstack.cli.{cmd_name}").run
        return verb


@click.group(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: tierstack check --stack local, then tierstack up --stack local",
)
@click.version_option(package_name="tierstack", message="%(prog)s %(version)s", help="Print the version and exit.")
def command() -> None:
    """A web shop from one Docker host to Kubernetes, by configuration.

    Run it in a project (a directory with Pulumi.yaml), or name one with -C. Exit code 0: done; 1: problems in
    the configuration, or a change failed; 2: the command was not understood; 130: interrupted.
    """


def main() -> None:
    """Run the command; problems are told without a traceback. Raises KeyboardInterrupt where somebody presses
    Ctrl-C."""
    try:
        code: int | None = command.main(prog_name="tierstack", standalone_mode=False)
    except UsageError as error:
        for message in error.messages:
            print(f"tierstack: {message}", file=sys.stderr)
        raise SystemExit(error.code) from None
    except ArgumentError as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from None
    except click.ClickException as error:
        error.show()
        raise SystemExit(error.exit_code) from None
    except click.Abort:
        raise KeyboardInterrupt from None
    raise SystemExit(code or 0)
