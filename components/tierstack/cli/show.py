"""How verdicts are told, to people and to machines."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from tierstack.core.diagnostics import Diagnostic, Ignored, Severity
from tierstack.stack.protocol import CheckReport

if TYPE_CHECKING:
    from tierstack.engine.resume import Resumed

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.ADVICE: "dim"}


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


def problems(title: str, found: Sequence[Diagnostic]) -> None:
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
    findings(*found.findings(), out)
    for line in found.advice:
        out.print(f"  [yellow]advice[/] {escape(line)}")


def diagnostics(found: Sequence[Diagnostic], ignored: Sequence[Ignored]) -> dict[str, Any]:
    """What a check found, for machines: the same keys in every command."""
    return {
        "ok": not any(one.severity is Severity.ERROR for one in found),
        "diagnostics": [one.as_dict() for one in found],
        "ignored": [one.as_dict() for one in ignored],
    }


def findings(found: Sequence[Diagnostic], ignored: Sequence[Ignored], console: Console) -> None:
    """Diagnostics, each on its line, and how many are ignored."""
    for one in found:
        style = _STYLES[one.severity]
        console.print(f"[{style}]{one.severity.value:<8}[/] {escape(str(one))}")
    if ignored:
        count = "1 finding is" if len(ignored) == 1 else f"{len(ignored)} findings are"
        rules = ", ".join(dict.fromkeys(one.diagnostic.code for one in ignored))
        console.print(f"[dim]{count} ignored: {escape(rules)}[/]")
