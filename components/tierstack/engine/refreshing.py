"""A refresh before an update: resources that no longer exist leave the state, and the update creates them again."""

from collections.abc import Callable

from tierstack.engine.project import Project
from tierstack.engine.run import Engine, RunFailedError, engine

_FLAGS = ("--suppress-outputs", "--suppress-progress")


def refresh(project: Project, stack: str, agreed: Callable[[list[str]], bool]) -> bool:
    """Compare the state of a stack with its cluster or host. Returns False, with nothing changed, where somebody who
    sees what is gone does not agree.

    A run of its own, because rules about changes read the state before the engine runs, and the state that a program
    reads is the one from before a refresh in the same run. `agreed` gets the names of what the state has and the
    cluster has not. Raises RunFailedError with what the engine says.
    """
    with engine(project, stack, project.config(stack)) as pulumi:
        if not pulumi.exists():
            return True
        if not agreed(_gone(pulumi)):
            return False
        outcome = pulumi.run("refresh", "--yes", "--skip-preview", *_FLAGS, quiet=True)
    if not outcome.ok:
        raise RunFailedError(outcome.messages)
    return True


def _gone(pulumi: Engine) -> list[str]:
    """The names of what the state has, and nothing else has."""
    outcome = pulumi.run("refresh", "--preview-only", *_FLAGS, quiet=True)
    if not outcome.ok:
        raise RunFailedError(outcome.messages)
    return [urn.rpartition("::")[2] for operation, urn in outcome.steps if operation == "delete"]
