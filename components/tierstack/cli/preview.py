"""`tierstack preview`: what `up` would change."""

from pathlib import Path

import click

from tierstack.cli import options, show
from tierstack.engine import preflight, volumes
from tierstack.engine.aim import aim, refuse_if_applied
from tierstack.engine.interrupted import has_namespace
from tierstack.engine.project import find
from tierstack.engine.run import engine
from tierstack.engine.target import Target


@click.command(epilog=options.examples("tierstack preview -s local", "tierstack preview -s prod --diff"))
@options.stack
@options.platform
@click.option("--diff", is_flag=True, help="Show every property that changes.")
@options.json
@options.cwd
def run(stack: str, platform: Target | None, diff: bool, json: bool, cwd: Path) -> None:
    """Show what `up` would change, and change nothing.

    On a Docker host the stack is first compared with what is there. A rendered stack needs no cluster or credentials.
    """
    project = find(cwd)
    found = aim(project, stack, platform)
    refuse_if_applied(project, stack, found)
    if found.reason and not json:
        show.warn(f"{show.notice(f'{found.reason}:')} this is the preview of the manifests")
    flags, look = ["--suppress-progress", *(["--diff"] if diff else [])], list[str]()
    with engine(project, stack, found.config, throwaway=found.target is Target.RENDER) as pulumi:
        if found.target is Target.RENDER:
            pulumi.create_stack()
        elif found.target is Target.KUBERNETES and found.platform:
            preflight.refuse_foreign(found.platform, has_namespace(pulumi.deployment(), found.platform.name))
        elif found.on_docker(pulumi):
            look = ["--refresh"]
        outcome = pulumi.run("preview", *flags, *look, quiet=json)
        if outcome.no_stack:  # it is made only now, because most previews are of a stack that exists
            pulumi.create_stack()
            outcome = pulumi.run("preview", *flags, quiet=json)
        if look and volumes.refused(outcome.messages):
            show.volumes_gone(volumes.missing(pulumi.resources(), found.platform))
            outcome = pulumi.run("preview", *flags, quiet=json)
    if json:
        result = "succeeded" if outcome.ok else "failed"
        steps = [{"operation": operation, "urn": urn} for operation, urn in outcome.changing]
        about = {"stack": stack, "platform": found.shown, "result": result, "messages": outcome.messages}
        show.as_json({**about, "changes": outcome.changes, "steps": steps})
    show.end(ok=outcome.ok)
