"""How verdicts are told, to people and to machines."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from tierstack.core.errors import HIDDEN, MISSING, Problem
from tierstack.stack.protocol import CheckReport

if TYPE_CHECKING:
    from tierstack.engine.resume import Resumed

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def at_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()


def as_json(value: Mapping[str, Any]) -> None:
    """`value` on standard output, for machines."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def failure(stack: str, messages: Sequence[str], *, json: bool) -> NoReturn:
    """Say why the engine failed, and end with exit code 1."""
    if json:
        as_json({"stack": stack, "result": "failed", "messages": list(messages)})
    else:
        for message in messages:
            err.print(message, markup=False)
    raise typer.Exit(1)


def resumed(stack: str, found: "Resumed", *, json: bool) -> None:
    """Say what an interrupted run left; raises typer.Exit where it is not possible to go on."""
    if found.error:
        failure(stack, found.error, json=json)
    if found.told and not json:
        err.print(f"[yellow]the last run of {stack} was interrupted while it was[/]")
        for one, then in found.told:
            err.print(f"  {one}: {then}", markup=False)


def problem_dict(problem: Problem) -> dict[str, Any]:
    """A problem for machines; a hidden or missing value is null."""
    value = None if problem.value in (MISSING, HIDDEN) else problem.value
    plain: Any = value if type(value) in (str, int, float, bool, list, dict, type(None)) else str(value)
    return {"path": problem.path, "value": plain, "wrong": problem.wrong, "instead": problem.instead}


def problems(title: str, found: list[Problem]) -> None:
    """Problems on standard error, each on its line."""
    count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
    err.print(f"[bold red]{escape(title)}: {count}[/]")
    for one in found:
        where, said = str(one)[: len(one.path)], str(one)[len(one.path) :]
        err.print(f"  [bold]{escape(where)}[/]{escape(said)}")


def verdict(stack: str, found: CheckReport) -> None:
    """A verdict for people."""
    platform = found.platform
    kind = platform.kind.value if platform else "?"
    out.print(f"[bold green]{escape(stack)}: no problems[/] [dim]({kind})[/]")
    for index, limit in enumerate(found.capacity):
        said = f"{limit.name}, {limit.requests_per_second:,.0f} requests/s [dim]({escape(limit.formula)})[/]"
        out.print(f"  [yellow]Bottleneck:[/] {said}" if index == 0 else f"  Next: {said}")
    for line in found.notes:
        out.print(f"  {escape(line)}")
    warnings(found.warnings(), out)
    for line in found.advice:
        out.print(f"  [yellow]advice[/] {escape(line)}")


def warnings(found: list[dict[str, str]], console: Console) -> None:
    """Warnings about DNS records, each on its line, and how many are ignored."""
    for one in found:
        if "reason" not in one:
            said = f"{one['subject']}: {one['message']}; {one['fix']} [{one['code']}, {one['source']}]"
            console.print(f"  [yellow]warning[/] [bold]{escape(one['path'])}[/]: {escape(said)}")
    if ignored := sum("reason" in one for one in found):
        console.print(f"  [dim]{ignored} DNS finding{'' if ignored == 1 else 's'} ignored by `dns.ignore`[/]")
