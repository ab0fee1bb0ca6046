"""How verdicts are told, to people and to machines."""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click

from tierstack.core.diagnostics import Diagnostic, Ignored, Severity
from tierstack.stack.protocol import CheckReport

if TYPE_CHECKING:
    from tierstack.engine.resume import Resumed
    from tierstack.engine.volumes import MissingVolume


def say(text: str) -> None:
    """A line on standard output; its styles only where that is a terminal."""
    click.echo(text, color=_color())


def warn(text: str) -> None:
    """A line on standard error."""
    click.echo(text, err=True, color=_color())


def _color() -> bool | None:
    """Whether styles are kept (https://no-color.org). None: where a terminal shows them."""
    return False if os.environ.get("NO_COLOR") else None


def progress(*, json: bool) -> Callable[[str], None]:
    """What tells progress: who reads JSON reads none."""
    return (lambda _text: None) if json else say


def good(text: str) -> str:
    """What went well."""
    return click.style(text, fg="green", bold=True)


def bad(text: str) -> str:
    """What did not."""
    return click.style(text, fg="red", bold=True)


def notice(text: str) -> str:
    """What somebody should look at."""
    return click.style(text, fg="yellow")


def bold(text: str) -> str:
    """What matters in a line."""
    return click.style(text, bold=True)


def dim(text: str) -> str:
    """What matters less than the rest of a line."""
    return click.style(text, dim=True)


_STYLES = {Severity.ERROR: bad, Severity.WARNING: notice, Severity.ADVICE: dim}


def at_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()


def as_json(value: Mapping[str, Any]) -> None:
    """`value` on standard output, for machines."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def agreed(
    question: str, plan_lines: Sequence[str], of: Mapping[str, Any], *, plan: bool, yes: bool, json: bool
) -> bool:
    """Show a plan and ask whether to carry it out. False: only the plan was asked for. Ends the command where the
    answer is no. `of`: what the plan is for, in its JSON."""
    if not json:
        for line in plan_lines:
            say(line)
    elif plan:
        as_json({**of, "result": "planned", "plan": [*plan_lines]})
    if not plan and not yes and not json and at_terminal() and not click.confirm(question):
        end(ok=False)
    return not plan


def end(*, ok: bool) -> NoReturn:
    """End the command with exit code 0 or 1."""
    raise click.exceptions.Exit(0 if ok else 1)


def failed(stack: str | None, messages: Sequence[str]) -> dict[str, Any]:
    """What machines are told of a verb that could not be carried out."""
    return {"stack": stack, "result": "failed", "messages": list(messages)}


def failure(stack: str, messages: Sequence[str], *, json: bool) -> NoReturn:
    """Say why the engine failed, and end with exit code 1."""
    if json:
        as_json(failed(stack, messages))
    else:
        for message in messages:
            warn(message)
    end(ok=False)


def resumed(stack: str, found: "Resumed", *, json: bool) -> None:
    """Say what an interrupted run left; ends the command where it is not possible to go on."""
    if found.error:
        failure(stack, found.error, json=json)
    if found.told and not json:
        warn(notice(f"the last run of {stack} was interrupted while it was"))
        for one, then in found.told:
            warn(f"  {one}: {then}")


def volumes_gone(
    gone: "Sequence[MissingVolume]",
    then: str = "`tierstack up --empty-volumes` makes it anew, empty; until then nothing is compared with the host",
) -> None:
    """Say which volumes of the state somebody removed, and what happens `then`."""
    for one in gone:
        data = "; what it held can come back by `tierstack restore`" if one.is_protected else ""
        warn(f"{notice(f'volume {one.name} is not on the Docker host any more:')} {then}{data}")


def problems(title: str, found: Sequence[Diagnostic]) -> None:
    """Problems on standard error, each on its line."""
    count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
    warn(bad(f"{title}: {count}"))
    for one in found:
        where, said = one.line[: len(one.path)], one.line[len(one.path) :]
        warn(f"  {bold(where)}{said}")
    warn(dim("`tierstack rule CODE` explains the code at the end of a line"))


def verdict(stack: str, found: CheckReport) -> None:
    """A verdict for people."""
    platform = found.platform
    kind = platform.kind.value if platform else "?"
    say(f"{good(f'{stack}: no problems')} {dim(f'({kind})')}")
    for index, limit in enumerate(found.capacity):
        said = f"{limit.name}, {limit.requests_per_second:,.0f} requests/s {dim(f'({limit.formula})')}"
        say(f"  {notice('Bottleneck:')} {said}" if index == 0 else f"  Next: {said}")
    for line in found.notes:
        say(f"  {line}")
    findings(*found.findings())


def diagnostics(found: Sequence[Diagnostic], ignored: Sequence[Ignored]) -> dict[str, Any]:
    """What a check found, for machines: the same keys in every command."""
    return {
        "ok": not any(one.severity is Severity.ERROR for one in found),
        "diagnostics": [one.as_dict() for one in found],
        "ignored": [one.as_dict() for one in ignored],
    }


def findings(found: Sequence[Diagnostic], ignored: Sequence[Ignored], *, err: bool = False) -> None:
    """Diagnostics, each on its line, and how many are ignored. `err`: on standard error."""
    tell = warn if err else say
    for one in found:
        tell(f"{_STYLES[one.severity](f'{one.severity.value:<8}')} {one.line}")
    if ignored:
        count = "1 finding is" if len(ignored) == 1 else f"{len(ignored)} findings are"
        rules = ", ".join(dict.fromkeys(one.diagnostic.code for one in ignored))
        tell(dim(f"{count} ignored: {rules}"))
