"""The conformance probe as a resource: a container that tries what a store can do; the result stays in the state."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from tierstack.object_storage import conformance
from tierstack.platform import run_once
from tierstack.platform.daemon import state

_AGAIN = ("image", "triggers", "docker_host", "wanted", "endpoint")
"""A change of these probes again."""


class _Provider(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(props["name"], {**state(props), "capabilities": _probed(props)})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        return UpdateResult({**state(_news), "capabilities": _probed(_news)})

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        return DiffResult(changes=any(_olds.get(key) != _news.get(key) for key in _AGAIN))


def _probed(props: Mapping[str, Any]) -> str:
    """What the container found, as JSON. Raises RuntimeError where what is asked for is not there."""
    printed = run_once.run(dict(props))
    found: dict[str, str] = json.loads(printed.strip().splitlines()[-1])
    if lacking := conformance.missing(list(props["wanted"]), found):
        raise RuntimeError(report(props["wanted"], lacking, props["location"]))
    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return json.dumps({"endpoint": props["endpoint"], "probed_at": at, "findings": found})


def report(wanted: Mapping[str, str], lacking: Mapping[str, str], location: str) -> str:
    """What to say of a store that cannot do what is asked: a line for each capability."""
    lines = [f"{location} failed its conformance probe; nothing that needs it was started:"]
    texts = {one.name: one.text for one in conformance.CAPABILITIES}
    lines += [f"- `{wanted[name]}` needs that {texts[name]}: {why}" for name, why in lacking.items()]
    return "\n".join(lines)


class Probe(Resource, module="docker", name="StoreProbe"):
    """A store that was tried; tried again when its image, keys or settings change."""

    capabilities: pulumi.Output[str]
    """What was found, as JSON: endpoint, moment and a finding for each capability."""

    def __init__(
        self,
        name: str,
        *,
        container_name: str,
        image: pulumi.Input[str],
        command: list[str],
        user: str,
        network: pulumi.Input[str],
        environment: dict[str, str],
        mounts: dict[str, pulumi.Input[str]],
        triggers: dict[str, pulumi.Input[str]],
        memory_mb: int,
        timeout_seconds: int,
        wanted: Mapping[str, str],
        endpoint: str | None,
        location: str,
        docker_host: str | None,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Run the probe as `RunOnce` runs containers. `wanted`: capability → the argument that asks for it; the update
        fails where one is missing."""
        props: dict[str, Any] = {
            "name": container_name,
            "image": image,
            "command": command,
            "user": user,
            "networks": [network],
            "environment": environment,
            "mounts": mounts,
            "triggers": triggers,
            "memory_mb": memory_mb,
            "timeout_seconds": timeout_seconds,
            "wanted": dict(wanted),
            "endpoint": endpoint,
            "location": location,
            "docker_host": docker_host,
            "capabilities": None,
        }
        super().__init__(_Provider(), name, props, opts)
