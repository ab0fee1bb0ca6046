"""Where a verb acts: on Docker, on a cluster, or on files; and what it does where none of them answers."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tierstack.core.errors import ArgumentError
from tierstack.engine.parts import is_on_docker
from tierstack.engine.project import Project, StackConfig, UnreachableError, UsageError
from tierstack.engine.run import Engine, engine
from tierstack.engine.target import Target, on
from tierstack.platform import Platform, claim, daemon
from tierstack.stack.protocol import CheckReport


@dataclass(frozen=True)
class Aim:
    """Where a verb acts in the end."""

    target: Target | None
    """None: where the program decides, because it exports no stack."""
    config: StackConfig
    """The configuration that makes the program act there."""
    report: CheckReport | None = None
    """What the check of that configuration says. None: the program exports no stack."""
    reason: str | None = None
    """Why it is not what the configuration says; None where it is."""

    @property
    def platform(self) -> Platform | None:
        """The platform of the exported stack. None: only the program knows."""
        return self.report.platform if self.report else None

    def on_docker(self, pulumi: Engine) -> bool:
        """Whether the stack is on a Docker host, where what was changed by hand is seen only by a refresh."""
        return self.target is Target.DOCKER or (self.target is None and is_on_docker(pulumi.resources()))

    @property
    def shown(self) -> str:
        """The target for machines: `docker`, `kubernetes`, `render`; `program` where the program decides."""
        return self.target.value if self.target else "program"


def aim(project: Project, stack: str, asked: Target | None, *, falls_back: bool = True) -> Aim:
    """The target that is asked for, else the one that the configuration names and that answers.

    `falls_back`: where no Docker daemon, or no cluster, is there, manifests are rendered instead; but for a daemon that
    the configuration names. A program that exports no stack decides by itself. Raises ArgumentError with every problem
    of the configuration for that target, UnreachableError, and UsageError where `asked` cannot be had.
    """
    config = project.config(stack)
    if project.exported is None:
        if asked is not None:
            raise UsageError(
                f"--platform {asked.value} needs a program that exports a stack, and the one of {project.name} exports "
                "none. Change the platform in the program, or export a stack (docs/cli.md, Your own program)"
            )
        return Aim(None, config)
    if asked is not None:
        return _aimed(project, stack, asked, on(config, asked, stack), None)
    report = project.check(stack, config)
    if report.platform is None:
        raise ArgumentError(f"configuration of stack {stack}", report.problems)
    if report.platform.renders:
        rendering = on(config, Target.RENDER, stack)
        if rendering == config:
            return _judged(stack, Aim(Target.RENDER, config, report))
        return _aimed(project, stack, Target.RENDER, rendering, None)
    configured = Target(report.platform.kind.value)
    if falls_back and (missing := _ABSENT[configured](report.platform)):
        if configured is Target.DOCKER and report.platform.docker_host:
            raise UnreachableError(f"{missing}. {_INSTEAD[configured].format(stack=stack)}")
        return _rendered_instead(project, stack, on(config, Target.RENDER, stack), missing)
    return _judged(stack, Aim(configured, config, report))


def refuse_if_applied(project: Project, stack: str, found: Aim) -> None:
    """Raise UnreachableError where manifests would be written of a stack that runs somewhere: its certificates,
    files and releases would not be looked after, and nobody would know."""
    if not found.reason:
        return
    with engine(project, stack, found.config) as pulumi:
        applied = [one["type"] for one in pulumi.resources()] if pulumi.exists() else []
    if any(not type_.startswith("pulumi:") for type_ in applied):
        kind = Target.DOCKER if any(type_.startswith("docker:") for type_ in applied) else Target.KUBERNETES
        wrong = f"{found.reason}, and {stack} runs there. Nothing was changed."
        raise UnreachableError(f"{wrong} {_INSTEAD[kind].format(stack=stack)}")


_INSTEAD = {
    Target.DOCKER: f"{claim.TO_REACH}; "
    "to write Kubernetes manifests instead: `tierstack up -s {stack} --platform render`.",
    Target.KUBERNETES: "Set KUBECONFIG; to write manifests instead: `tierstack up -s {stack} --platform render`.",
}


def _aimed(project: Project, stack: str, target: Target, config: StackConfig, reason: str | None) -> Aim:
    return _judged(stack, Aim(target, config, project.check(stack, config), reason))


def _rendered_instead(project: Project, stack: str, config: StackConfig, missing: str) -> Aim:
    """Manifests, because what the configuration names does not answer. Where they cannot be written, that is the first
    thing to know: nobody asked for manifests, whose needs are others (images by digest, an object storage)."""
    found = Aim(Target.RENDER, config, project.check(stack, config), missing)
    if found.report and found.report.problems:
        refuse_if_applied(project, stack, found)
    return _judged(stack, found)


def _judged(stack: str, found: Aim) -> Aim:
    if found.report and (found.report.problems or found.platform is None):
        subject = f"configuration of stack {stack}"
        instead = f"{found.reason}; as Kubernetes manifests, the {subject}" if found.reason else subject
        raise ArgumentError(instead, found.report.problems)
    return found


def _no_docker(platform: Platform) -> str | None:
    if daemon.answers(platform.docker_host):
        return None
    return claim.unanswered(platform.docker_host)


def _no_cluster(_platform: Platform) -> str | None:
    named = os.environ.get("KUBECONFIG", "").split(os.pathsep)
    files = [Path(one) for one in named if one] or [Path.home() / ".kube" / "config"]
    inside = "KUBERNETES_SERVICE_HOST" in os.environ
    return None if inside or any(one.is_file() for one in files) else "no cluster is configured (kubeconfig)"


_ABSENT: dict[Target, Callable[[Platform], str | None]] = {
    Target.DOCKER: _no_docker,
    Target.KUBERNETES: _no_cluster,
}
