"""`tierstack compare`: what differs between two environments of one program, and whether that is meant."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import click

from tierstack.cli import options, show
from tierstack.core.errors import ArgumentError
from tierstack.diff.environments import Comparison, Judgement, compared
from tierstack.diff.marks import SECRET
from tierstack.diff.texts import counted, printable
from tierstack.engine.project import SECRET as ENCRYPTED
from tierstack.engine.project import Project, UsageError, find, masked

SURPRISING = 3
"""Exit code where a difference is surprising."""


@click.command(
    short_help="What differs between two environments, and whether that is meant.",
    epilog=options.examples("tierstack compare staging prod", "tierstack compare staging prod --json"),
)
@click.argument("first")
@click.argument("second")
@options.json
@options.cwd
def run(first: str, second: str, json: bool, cwd: Path) -> None:
    """What differs between two environments of one program, and whether that is meant.

    FIRST is the rehearsal of SECOND. Sizes, names and places are expected to differ. Another image, fewer backups, less
    protection, certificates for tests, and variables or secrets that only one of them has, are surprising. It reads the
    configuration files, and needs no engine. Exit code 3: something is surprising.
    """
    if first == second:
        raise UsageError(f"{first} is compared with itself; name two stacks, such as `tierstack compare staging prod`")
    project = find(cwd)
    found = compared(_settings(project, first), _settings(project, second), (first, second))
    if json:
        show.as_json(_document(found, first, second))
    else:
        _tell(found, first, second)
    if found.of(Judgement.SURPRISING):
        raise click.exceptions.Exit(SURPRISING)


def _settings(project: Project, stack: str) -> dict[str, Any]:
    """What a stack is configured with, and what follows from where it runs; encrypted values marked."""
    config = project.config(stack)
    values = dict(config.values)
    if project.exported is not None:
        report = project.check(stack, config)
        if report.platform is None or report.problems:
            raise ArgumentError(f"configuration of stack {stack}", report.problems)
        # Its default reads better than "not set".
        protection = {"data_protection": report.platform.data_protection.value}
        values["platform"] = {**protection, **cast(dict[str, Any], values.get("platform") or {})}
    document = cast(dict[str, Any], config.document.get("config") or {})
    others = {key: masked(document[key])[0] for key in config.other_keys}
    return cast(dict[str, Any], _marked({**values, **others}))


def _marked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _marked(one) for key, one in cast(dict[str, Any], value).items()}
    if isinstance(value, list):
        return [_marked(one) for one in cast(list[Any], value)]
    return SECRET if value == ENCRYPTED else value


def _document(found: Comparison, first: str, second: str) -> dict[str, Any]:
    return {
        "first": first,
        "second": second,
        "surprising": len(found.of(Judgement.SURPRISING)),
        "differences": [{**asdict(one), "judgement": one.judgement.value} for one in found.differences],
        "encrypted": list(found.encrypted),
    }


_STYLES = {Judgement.SURPRISING: show.bad, Judgement.CHECK: show.notice, Judgement.EXPECTED: show.dim}


def _tell(found: Comparison, first: str, second: str) -> None:
    for judgement in Judgement:
        those = found.of(judgement)
        if not those:
            continue
        show.say(f"{_STYLES[judgement](judgement.heading)}")
        for one in those:
            show.say(f"  {printable(one.path)}: {one.first} → {one.second}")
            show.say(show.dim(f"    {one.why}"))
    if found.encrypted:
        names = ", ".join(printable(one) for one in found.encrypted)
        show.say(f"Not compared, because both are encrypted: {names}")
    counts = [f"{len(found.of(one))} {one.heading.lower()}" for one in Judgement]
    differences = counted(len(found.differences), "difference")
    show.say(
        f"{first} → {second}: {differences}: {', '.join(counts)}"
        if found.differences
        else f"{first} and {second} are the same"
    )
