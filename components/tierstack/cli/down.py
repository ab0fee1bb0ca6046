"""`tierstack down`: take a stack down, and keep its data unless told otherwise."""

from pathlib import Path
from typing import Any

import click

from tierstack.cli import options, show
from tierstack.cli.show import at_terminal as _at_terminal
from tierstack.engine import resume
from tierstack.engine.project import UnreachableError, UsageError, find
from tierstack.engine.run import Engine, engine
from tierstack.platform import DataProtection, claim
from tierstack.release.ledger_volume import LedgerVolume, volumes_of


@click.command(
    short_help="Remove everything that a stack made, but keep its data.",
    epilog=options.examples("tierstack down -s local", "tierstack down -s local --delete-data --yes"),
)
@options.stack
@click.option("--delete-data", is_flag=True, help="Delete the data too, for good.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@options.json
@options.cwd
def run(stack: str, delete_data: bool, yes: bool, json: bool, cwd: Path) -> None:
    """Remove everything that a stack made, but keep its data: volumes, databases, buckets.

    `--delete-data` deletes the data too and forgets the stack. Where `data_protection` is `retain` it is refused.
    """
    project = find(cwd)
    config = project.config(stack)
    with engine(project, stack, config) as pulumi:
        if not pulumi.exists():
            _done(stack, [], [], "there is nothing to take down", resume.Resumed(), json=json)
            return
        _refuse_taken_over(pulumi, stack)
        if delete_data:
            _refuse_retained(pulumi)
        ledgers = _ledgers(pulumi)
        question = f"Delete everything in {stack}, data too, for good?" if delete_data else f"Take {stack} down?"
        if not yes and not json and _at_terminal() and not click.confirm(question):
            show.end(ok=False)
        resumed = resume.begin(pulumi)
        show.resumed(stack, resumed, json=json)
        if delete_data:
            pulumi.unprotect()
        arguments = [] if delete_data else ["--exclude-protected"]
        flags = ["--yes", "--skip-preview", "--suppress-outputs", "--suppress-progress", *arguments]
        outcome = pulumi.run("destroy", *flags, quiet=json)
        if not outcome.ok and resume.forget_gone(pulumi, outcome.messages):
            outcome = pulumi.run("destroy", *flags, quiet=json)
        if not outcome.ok:
            if json:
                show.failure(stack, outcome.messages, json=True)
            show.end(ok=False)
        resume.finish(pulumi, resumed)
        kept = [_name(one) for one in pulumi.resources() if one.get("protect")]
        if kept:
            _done(stack, [*kept, *map(str, ledgers)], [], "", resumed, json=json)
            return
        pulumi.remove_stack()
        _remove(ledgers)
        _done(stack, [], [str(one) for one in ledgers], "nothing is left of it", resumed, json=json)


def _ledgers(pulumi: Engine) -> list[LedgerVolume]:
    """The ledgers of releases, which the state does not have: they stay and go with its data."""
    from docker.errors import DockerException

    try:
        return volumes_of(pulumi.resources())
    except DockerException as error:
        raise UnreachableError(f"the Docker daemon does not answer: {error}. Nothing was changed") from None


def _remove(ledgers: list[LedgerVolume]) -> None:
    from docker.errors import DockerException

    for one in ledgers:
        try:
            one.remove()
        except DockerException as error:
            raise UsageError(
                f"everything else is down, but {one} could not be deleted: {error}. `docker volume rm {one.name}` does"
            ) from None


def _refuse_taken_over(pulumi: Engine, stack: str) -> None:
    """What another state has taken over is no longer this one's to remove."""
    from docker.errors import DockerException

    for one in pulumi.resources():
        try:
            if one["type"] != claim.TYPE or not claim.is_taken_over(one["outputs"]):
                continue
        except DockerException as error:
            raise UnreachableError(claim.unreachable(one["outputs"].get("docker_host"), str(error))) from None
        show.warn(
            f"{show.bad('refused:')} another state has taken over what {stack} ran on the Docker host "
            f"(platform.name = {one['outputs']['name']}). Nothing was changed.\n"
            f"  To forget this state: {show.bold(f'pulumi stack rm {stack} --force')}\n"
            f"  To take the stack back: {show.bold(f'tierstack up -s {stack} --adopt')}"
        )
        show.end(ok=False)


def _refuse_retained(pulumi: Engine) -> None:
    """Data that is to be retained is never deleted by a command line alone."""
    kept = [one for one in pulumi.resources() if one.get("retainOnDelete")]
    if not kept:
        return
    retain = DataProtection.RETAIN.value
    show.warn(f"{show.bad('refused:')} `data_protection` is `{retain}`, so this data is not deleted:")
    for one in kept:
        show.warn(f"  {_name(one)}")
    show.warn("To delete it, set `platform.data_protection: protect`, run `tierstack up`, then this command again.")
    show.end(ok=False)


def _name(resource: dict[str, Any]) -> str:
    kind = str(resource["type"]).rpartition(":")[2].lower()
    return f"{kind} {resource.get('id') or str(resource['urn']).rpartition('::')[2]}"


def _done(
    stack: str, kept: list[str], deleted: list[str], nothing: str, resumed: resume.Resumed, *, json: bool
) -> None:
    """`deleted`: what no output of the engine has named."""
    if json:
        also = {"deleted": deleted} if deleted else {}
        show.as_json({"stack": stack, "result": "succeeded", **resumed.as_json(), "kept": kept, **also})
        return
    if not kept:
        for one in deleted:
            show.say(f"deleted: {one}")
        show.say(f"{show.good(f'{stack} is down')}: {nothing}")
        return
    show.say(f"\n{show.good(f'{stack} is down.')} Its data is kept:")
    for one in kept:
        show.say(f"  {one}")
    show.say(f"`tierstack up -s {stack}` takes it up again; `tierstack down -s {stack} --delete-data` deletes it.")
