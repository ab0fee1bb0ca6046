"""`tierstack status`: how the parts of a stack are, and its public address."""

from pathlib import Path

import typer

from tierstack.cli import show
from tierstack.cli.options import Folder, Json, On, Stack
from tierstack.engine.aim import aim
from tierstack.engine.health import Part, is_well_altogether, summary
from tierstack.engine.parts import is_rendered, parts_of
from tierstack.engine.project import UsageError, find
from tierstack.engine.run import engine
from tierstack.engine.target import Target

EXAMPLES = "Examples: [bold]tierstack status -s local[/bold]; [bold]tierstack status -s prod --json[/bold]"

_RENDERED = "{} is rendered: ask what applies its manifests (Argo CD, Flux, `kubectl get`) for its health"


def run(stack: Stack, platform: On = None, json: Json = False, cwd: Folder = Path()) -> None:
    """Show the health of each part and of the public URL. Exit code 1 if a part is not healthy."""
    project = find(cwd)
    found = aim(project, stack, platform, falls_back=False)
    if found.target is Target.RENDER:
        raise UsageError(_RENDERED.format(stack))
    with engine(project, stack, found.config) as pulumi:
        if not pulumi.exists() or not (held := pulumi.resources()):
            raise UsageError(f"{stack} was never brought up from here; `tierstack up -s {stack}` does")
        if is_rendered(held):
            raise UsageError(_RENDERED.format(stack))
        parts = parts_of(held, pulumi.outputs(), found.platform, found.config)
    tell(stack, parts, json=json)
    raise typer.Exit(0 if is_well_altogether(parts) else 1)


def tell(stack: str, parts: list[Part], *, json: bool) -> None:
    """Each part on a line, and how it is altogether."""
    if json:
        result = "healthy" if is_well_altogether(parts) else "unhealthy"
        show.as_json({"stack": stack, "result": result, "parts": [one.as_json() for one in parts]})
        return
    for one in parts:
        show.out.print(line(one))
    show.out.print(f"[bold {'green' if is_well_altogether(parts) else 'red'}]{summary(stack, parts)}[/]")


def line(one: Part) -> str:
    """A part for people."""
    from rich.markup import escape

    colour = "green" if one.is_well else "red"
    since = f" [dim]since {one.since}[/]" if one.since else ""
    why = f"  {escape(one.why)}" if one.why else ""
    return f"  [{colour}]{one.health.value:<10}[/] {escape(one.name)}{since}{why}"
