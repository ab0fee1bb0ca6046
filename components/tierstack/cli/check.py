"""`tierstack check`: every problem of a configuration, without an engine."""

from pathlib import Path
from typing import Any

import click

from tierstack.cli import options, show
from tierstack.core.diagnostics import MISSING, Diagnostic
from tierstack.engine.project import find
from tierstack.engine.target import Target, on

_NOTHING: dict[str, list[str]] = {"capacity": [], "notes": []}


def _unreadable(stack: str | None, messages: list[str]) -> dict[str, Any]:
    """The answer for machines where there is nothing to check."""
    problem = Diagnostic(f"stack {stack}", MISSING, "\n".join(messages), "", "unreadable")
    return {"stack": stack, "platform": None, **show.diagnostics([problem], []), **_NOTHING}


@click.command(
    short_help="All problems of a stack's configuration, and what it carries.",
    epilog=options.examples("tierstack check -s prod", "tierstack check -s local --platform kubernetes --json"),
)
@options.stack
@options.platform
@options.json_of(_unreadable)
@options.cwd
def run(stack: str, platform: Target | None, json: bool, cwd: Path) -> None:
    """All problems of a stack's configuration, and what it carries. Needs no engine and no credentials.

    Uses the network only where `dns.live_dns` is true: it then asks the name servers of this machine, each question
    once, and names those that had no answer.
    """
    project = find(cwd)
    config = project.config(stack)
    found = project.check(stack, on(config, platform, stack) if platform else config)
    warnings, ignored = found.findings()
    if json:
        show.as_json(
            {
                "stack": stack,
                "platform": found.platform.kind.value if found.platform else None,
                **show.diagnostics([*found.problems, *warnings], ignored),
                "capacity": [
                    {"name": one.name, "requests_per_second": round(one.requests_per_second), "formula": one.formula}
                    for one in found.capacity
                ],
                "notes": found.notes,
            }
        )
    elif found.problems:
        show.problems(f"configuration of stack {stack}", found.problems)
        show.findings(warnings, ignored, err=True)
    else:
        show.verdict(stack, found)
    show.end(ok=not found.problems)
