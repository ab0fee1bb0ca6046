"""From the name of a stack to its application, and to what carries out its releases."""

import dataclasses
import getpass
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tierstack.app_cluster.options import HealthArgs
from tierstack.app_cluster.release_options import ReleaseArgs, ReleaseStrategy
from tierstack.core.arguments import load
from tierstack.engine.aim import aim
from tierstack.engine.project import StackConfig, UsageError, find
from tierstack.engine.run import engine
from tierstack.engine.target import Target
from tierstack.recovery import in_state
from tierstack.recovery.host import Host
from tierstack.release import overlay, words
from tierstack.release.docker import OnDocker
from tierstack.release.driver import Request
from tierstack.release.executor import Executor
from tierstack.release.running import TYPE, Running, app_of, parsed
from tierstack.release.updates import Updates


@dataclass(frozen=True)
class Opened:
    """An application whose releases can be made from here."""

    app: str
    on: Executor
    request: Request


def opened(
    cwd: Path,
    stack: str,
    app: str | None,
    *,
    strategy: ReleaseStrategy | None = None,
    approved_by: str | None = None,
    notes: Sequence[str] = (),
) -> Opened:
    """The application `app` of a stack, or its only one. `strategy`: another one than the configuration names.

    Raises ArgumentError with every problem of the configuration, and UsageError where releases cannot be made.
    """
    project = find(cwd)
    if project.exported is None:
        raise UsageError(
            f"releases need a program that exports a stack, and the one of {project.name} exports none "
            "(docs/cli.md, Your own program)"
        )
    found = aim(project, stack, None, falls_back=False)
    if said := _elsewhere(stack, found.target):
        raise UsageError(said)
    if found.platform is None:
        raise UsageError(f"the configuration of {stack} names no platform; releases are made on a Docker host")
    with engine(project, stack, found.config) as pulumi:
        held, ca = pulumi.held(), pulumi.outputs().get("ca")
    chosen, running = app_of(held, stack, app)
    _refuse_others(held, stack, chosen)
    path = overlay.section_of(found.config.values, chosen)
    args = overlay.release_args(found.config, path)
    updates = Updates(project, stack, found, chosen, path)
    if running.gateway is None:
        raise UsageError(f"the state of {stack} has no proxy in front of `{chosen}`: `tierstack up -s {stack}` first")
    host = Host(found.platform.docker_host)
    host.check()
    pem = ca if isinstance(ca, str) and ca.startswith("-----BEGIN ") else None
    request = Request(
        stack=stack,
        by=who(),
        args=_with_strategy(args, strategy),
        configuration=overlay.digest(found.config, path),
        paths=smoke_paths(args, found.config, path),
        full=_replicas(found.config, path),
        approved_by=approved_by,
        notes=notes,
    )
    return Opened(chosen, OnDocker(updates, host, found.platform.name, running, pem), request)


def _elsewhere(stack: str, target: Target | None) -> str | None:
    """Why releases of a stack cannot be made, and what to do instead. None: it is on a Docker host."""
    runs, rolls = {
        Target.RENDER: ("is rendered to manifests", f"`tierstack render -s {stack}`, and what applies the manifests"),
        Target.KUBERNETES: ("runs on Kubernetes", f"`tierstack up -s {stack}`"),
    }.get(target or Target.DOCKER, ("", ""))
    if not runs:
        return None
    return (
        f"{stack} {runs}; strategies, watching and `tierstack rollback` are for a Docker host only. Put the new image "
        f"into the configuration: {rolls} rolls the Deployment. To go back, do the same with the image from before "
        "(docs/releases.md)"
    )


def refuse_unfinished(held: Sequence[Mapping[str, Any]], stack: str, config: StackConfig) -> None:
    """Raise UsageError where a plain update would end a release half way, or apply what was taken back."""
    for name, running in _applications(held).items():
        if said := words.refused(stack, running):
            raise UsageError(said)
        if running.taken_back is None:
            continue
        try:
            configuration = overlay.digest(config, overlay.section_of(config.values, name))
        except UsageError:
            continue  # a program of its own, or an application that goes
        if said := words.refused_again(stack, running, configuration):
            raise UsageError(said)


def _refuse_others(held: Sequence[Mapping[str, Any]], stack: str, app: str) -> None:
    """An update is one of the whole stack: it would end the release of another application."""
    for name, running in _applications(held).items():
        progress = running.under_way or running.taken_back
        if name != app and progress:
            raise UsageError(
                f"the release of `{name}` is {progress.phase.value}, and an update of {stack} would end it: "
                f"finish it first (`tierstack release status -s {stack} --app {name}`)"
            )


def _applications(held: Sequence[Mapping[str, Any]]) -> dict[str, Running]:
    said = {name: outputs.get("releases") for name, outputs in in_state.components(held, TYPE).items()}
    return {name: parsed(one, name) for name, one in said.items() if isinstance(one, str)}


def smoke_paths(args: ReleaseArgs, config: StackConfig, path: list[str]) -> list[str]:
    """What smoke tests ask for: what the arguments say, else the start page and the pages of health."""
    if args.smoke_paths is not None:
        return list(args.smoke_paths)
    health = cast(HealthArgs, load(HealthArgs, overlay.section(config.values, path).get("health") or {})[0])
    return list(dict.fromkeys(one for one in ("/", health.path, health.readiness_path) if one))


def _replicas(config: StackConfig, path: list[str]) -> int | None:
    given = overlay.section(config.values, path).get("replicas")
    return given if isinstance(given, int) else None


def _with_strategy(args: ReleaseArgs, strategy: ReleaseStrategy | None) -> ReleaseArgs:
    """The arguments with another strategy, and without what only the first one reads."""
    if strategy is None or strategy is args.strategy:
        return args
    return dataclasses.replace(args, strategy=strategy, steps=None, mirror=None)


def who() -> str:
    """Who makes a release: the user and the machine."""
    return f"{getpass.getuser()}@{socket.gethostname()}"
