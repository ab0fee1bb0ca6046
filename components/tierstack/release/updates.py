"""The updates of a release: the engine, with the configuration of one run."""

import secrets
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tierstack.engine import parts, resume
from tierstack.engine.aim import Aim
from tierstack.engine.project import Project, UsageError
from tierstack.engine.run import Engine, Outcome, engine
from tierstack.release import overlay
from tierstack.release.executor import StepError
from tierstack.release.running import Running, app_of

_FLAGS = ("--suppress-outputs", "--suppress-progress")
_SAME = "is the release of the arguments again"
"""What the component says where the configuration describes a release that runs."""


@dataclass
class Updates:
    """The stack of an application, as its updates see it."""

    project: Project
    stack: str
    aim: Aim
    app: str
    """Name of the component."""
    path: list[str]
    """Of its section in the configuration."""
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    """The password with which this process reaches a release by its name, through the public URL."""

    def running(self) -> Running:
        """What the state says."""
        with self._engine(None) as pulumi:
            return app_of(pulumi.held(), self.stack, self.app)[1]

    def ill_parts(self) -> list[str]:
        """The parts of the stack that are not well, a line each."""
        with self._engine(None) as pulumi:
            found = parts.after_update(pulumi, self.aim.platform, self.aim.config)
        return [f"{one.name} {one.why or one.health.value}" for one in found if not one.is_well]

    def preview(self, traffic: overlay.Traffic) -> list[str]:
        """What an update would change. Raises UsageError where there is nothing to release, and StepError where it
        cannot be previewed."""
        with self._engine(traffic) as pulumi:
            outcome = pulumi.run("preview", "--suppress-outputs", quiet=True)
        if outcome.ok:
            return _shown(outcome)
        if any(_SAME in one for one in outcome.messages):
            raise UsageError(
                f"there is nothing to release: the configuration describes what runs of `{self.app}` already"
            )
        raise StepError("the first update of the release cannot be previewed", *outcome.messages)

    def apply(self, traffic: overlay.Traffic | None) -> None:
        """One update. Raises StepError with what the engine says."""
        with self._engine(traffic) as pulumi:
            resumed = resume.begin(pulumi)
            if resumed.error:
                raise StepError("; ".join(resumed.error))
            outcome = pulumi.run("up", "--yes", "--skip-preview", *_FLAGS, quiet=True)
            if not outcome.ok:
                raise StepError(f"the update failed: {_short(outcome.messages)}")
            resume.finish(pulumi, resumed)

    @contextmanager
    def _engine(self, traffic: overlay.Traffic | None) -> Generator[Engine]:
        """The engine with the configuration of one run, the token in it encrypted."""
        config = self.aim.config if traffic is None else overlay.with_traffic(self.aim.config, self.path, traffic)
        with engine(self.project, self.stack, config) as pulumi:
            if traffic is not None and traffic.get("replicas") != 0:  # else nobody asks for a release by its name
                pulumi.set_secret([*self.path, "traffic", "probe_token"], self.token)
            yield pulumi


def _shown(outcome: Outcome) -> list[str]:
    return [f"{operation:<8} {urn.rpartition('::')[2]}" for operation, urn in outcome.changing]


def _short(messages: Sequence[str], most: int = 600) -> str:
    said = "; ".join(" ".join(one.split()) for one in messages) or "the engine said nothing"
    return said if len(said) <= most else f"{said[: most - 1]}…"
