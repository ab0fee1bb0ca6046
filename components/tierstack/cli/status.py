"""`tierstack status`: how the parts of a stack are, and its public address."""

from pathlib import Path

import click

from tierstack.cli import options, show
from tierstack.engine.aim import aim
from tierstack.engine.health import Part, is_well_altogether, summary
from tierstack.engine.parts import is_rendered, parts_of
from tierstack.engine.project import UsageError, find
from tierstack.engine.run import engine
from tierstack.engine.target import Target

_RENDERED = "{} is rendered: ask what applies its manifests (Argo CD, Flux, `kubectl get`) for its health"


@click.command(epilog=options.examples("tierstack status -s local", "tierstack status -s prod --json"))
@options.stack
@options.platform
@options.json
@options.cwd
def run(stack: str, platform: Target | None, json: bool, cwd: Path) -> None:
    """Show the health of each part and of the public URL. Exit code 1 if a part is not healthy."""
    project = find(cwd)
    found = aim(project, stack, platform, falls_back=False)
    if found.target is Target.RENDER:
        raise UsageError(_RENDERED.format(stack))
    with engine(project, stack, found.config) as pulumi:
        held = pulumi.held()
        if is_rendered(held):
            raise UsageError(_RENDERED.format(stack))
        parts = parts_of(held, pulumi.outputs(), found.platform, found.config)
    tell(stack, parts, json=json)
    show.end(ok=is_well_altogether(parts))


def tell(stack: str, parts: list[Part], *, json: bool) -> None:
    """Each part on a line, and how it is altogether."""
    if json:
        result = "healthy" if is_well_altogether(parts) else "unhealthy"
        show.as_json({"stack": stack, "result": result, "parts": [one.as_json() for one in parts]})
        return
    for one in parts:
        show.say(line(one))
    style = show.good if is_well_altogether(parts) else show.bad
    show.say(style(summary(stack, parts)))


def line(one: Part) -> str:
    """A part for people."""
    style = show.good if one.is_well else show.bad
    since = f" {show.dim(f'since {one.since}')}" if one.since else ""
    why = f"  {one.why}" if one.why else ""
    return f"  {style(f'{one.health.value:<10}')} {one.name}{since}{why}"
