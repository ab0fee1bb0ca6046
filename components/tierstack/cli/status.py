"""`tierstack status`: how the parts of a stack are, and its public address."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import typer

from tierstack.cli import show
from tierstack.engine.health import (
    Health,
    Part,
    address_part,
    container_part,
    is_well_altogether,
    may_change,
    summary,
    workload_part,
)
from tierstack.engine.project import Folder, Json, Stack, StackConfig, UsageError, find
from tierstack.engine.resume import UnansweredError, kubectl
from tierstack.engine.run import Engine, engine
from tierstack.engine.target import On, Target, aim
from tierstack.platform import Platform
from tierstack.platform.daemon import client

EXAMPLES = "Examples: [bold]tierstack status -s local[/bold]; [bold]tierstack status -s prod --json[/bold]"

_KINDS = (
    *("deployments.apps", "statefulsets.apps", "jobs.batch"),
    *("clusters.postgresql.cnpg.io", "certificates.cert-manager.io"),
)
_CONTAINER = "docker:index/container:Container"


def run(stack: Stack, platform: On = None, json: Json = False, cwd: Folder = Path()) -> None:
    """Show the health of each part and of the public URL. Exit code 1 if a part is not healthy."""
    project = find(cwd)
    found = aim(project, stack, platform, falls_back=False)
    if found.target is Target.RENDER:
        raise UsageError(f"{stack} is rendered: what applies its manifests knows how it is")
    with engine(project, stack, found.config) as pulumi:
        if not pulumi.exists():
            raise UsageError(f"{stack} was never brought up from here; `tierstack up -s {stack}` does")
        parts = parts_of(pulumi, found.target, found.platform, found.config)
    tell(stack, parts, json=json)
    raise typer.Exit(0 if is_well_altogether(parts) else 1)


def parts_of(pulumi: Engine, target: Target, platform: Platform, config: StackConfig) -> list[Part]:
    """Every part as it is now. Raises UsageError where it cannot be asked."""
    parts = _containers(pulumi, platform) if target is Target.DOCKER else _workloads(pulumi, platform)
    outputs = pulumi.outputs()
    if url := outputs.get("url"):
        parts.append(address_part(str(url), _path(config.values), outputs.get("ca")))
    return parts


def waited(look: Callable[[], list[Part]], seconds: float) -> list[Part]:
    """The parts once none is starting and the public address answers, or as they are after `seconds`."""
    deadline = time.monotonic() + seconds
    while may_change(parts := look()) and time.monotonic() < deadline:
        time.sleep(1)
    return parts


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


def _containers(pulumi: Engine, platform: Platform) -> list[Part]:
    from docker.errors import DockerException

    held = [one for one in pulumi.resources() if one["type"] == _CONTAINER and not one.get("delete")]
    wanted = {
        str(one["id"]): str(cast(dict[str, Any], one.get("outputs") or one.get("inputs") or {}).get("name"))
        for one in held
    }
    if not wanted:
        return []
    try:
        daemon = client(platform.docker_host)
        there = {one.id: one.attrs for one in daemon.containers.list(all=True, ignore_removed=True)}
    except DockerException as error:
        raise UsageError(f"the Docker daemon does not answer: {error}") from None
    return [container_part(name, there.get(id_)) for id_, name in sorted(wanted.items(), key=lambda one: one[1])]


def _workloads(pulumi: Engine, platform: Platform) -> list[Part]:
    import json

    if not any(one["type"].startswith("kubernetes:") and not one.get("delete") for one in pulumi.resources()):
        return []  # nothing of this stack is there: as little is asked as of a Docker daemon
    provider = {"context": platform.context} if platform.context else {}
    try:
        answers = [kubectl(provider, "get", kind, "-n", platform.name, "-o", "json") for kind in _KINDS]
    except UnansweredError as error:
        raise UsageError(f"the cluster does not answer: {error}") from None
    items = [one for said in answers if said.strip() for one in cast(list[dict[str, Any]], json.loads(said)["items"])]
    return [part for one in items if (part := workload_part(one))]


def _path(values: Mapping[str, Any]) -> str:
    """The page that says most about the application, of those that its configuration names."""
    app = values.get("app")
    given = cast(dict[str, Any], app) if isinstance(app, dict) else {}
    return str(given.get("readiness_path") or "/")


def after_update(pulumi: Engine, target: Target, platform: Platform, config: StackConfig) -> list[Part]:
    """The parts some time after an update: what has just been started may need a moment.

    Where nobody answers any more that is one unhealthy part: what the update changed is still to be told.
    """
    try:
        return waited(lambda: parts_of(pulumi, target, platform, config), _SETTLING_SECONDS[target])
    except UsageError as error:
        return [Part("stack", Health.UNHEALTHY, None, f"could not be asked: {error}")]


_SETTLING_SECONDS = {Target.DOCKER: 60, Target.KUBERNETES: 180}
"""How long an update waits for what its own checks have not waited for. On a cluster that is what an autoscaler adds at
once: its pods may need a node, a volume and an image first."""
