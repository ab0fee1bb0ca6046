"""`tierstack render`: the manifests of a stack, without any cluster or credentials."""

from pathlib import Path

import click

from tierstack.cli import options, show
from tierstack.engine.aim import Aim, aim
from tierstack.engine.project import Project, find
from tierstack.engine.rendering import rendered
from tierstack.engine.run import RunFailedError
from tierstack.engine.target import Target


@click.command(
    short_help="Write a stack's Kubernetes manifests.",
    epilog=options.examples("tierstack render -s prod", "tierstack render -s prod --output deploy/prod"),
)
@options.stack
@click.option("--output", "-o", type=options.a_path(), metavar="DIRECTORY", help="Default: rendered/STACK.")
@click.option(
    "--delete-data", is_flag=True, help="Also remove manifests of data that is no longer in the configuration."
)
@options.json
@options.cwd
def run(stack: str, output: Path | None, delete_data: bool, json: bool, cwd: Path) -> None:
    """Write a stack's Kubernetes manifests, and a kustomization.yaml that applies them in order.

    Files of earlier runs that are no longer made are removed. Manifests of protected data (volumes, databases) are kept
    without --delete-data, because a GitOps tool deletes what leaves the folder; they are named, and the exit code is 1.
    A program that exports no stack is rendered if it makes nothing but Kubernetes objects.
    """
    project = find(cwd)
    found = aim(project, stack, Target.RENDER if project.exported else None)
    write(project, stack, found, output, delete_data=delete_data, json=json)


def write(
    project: Project, stack: str, found: Aim, output: Path | None = None, *, delete_data: bool, json: bool
) -> None:
    """Render, and say what was written. Exit code 1 where data is kept that the configuration no longer has, and where
    the engine fails."""
    try:
        made = rendered(project, stack, found, output, delete_data=delete_data)
    except RunFailedError as error:
        show.failure(stack, error.messages, json=json)
    if json:
        changes = {"kept": made.kept, "gone": made.gone, "refused": made.refused, "before": made.before}
        about = {"stack": stack, "platform": "render", "result": "failed" if made.kept else "succeeded"}
        show.as_json({**about, "directory": str(made.folder), "manifests": made.count, **changes})
    else:
        show.say(f"{show.good(f'{made.count} manifests')} in {made.shown}")
        for line in made.gone:
            show.warn(f"{show.notice('removed:')} {line}")
        for line in made.refused:
            show.warn(f"{show.notice('the cluster will refuse:')} {line}")
        for line in made.before:
            show.warn(f"{show.notice('before you apply:')} {line}")
        if made.kept:
            names = "\n".join(f"  {line}" for line in made.kept)
            show.warn(
                f"These hold data and are no longer in the configuration of {stack}:\n{names}\n"
                f"Their manifests are kept in {made.shown}. To remove them:\n"
                f"  tierstack render --stack {stack} --delete-data"
            )
    if made.kept:
        show.end(ok=False)
