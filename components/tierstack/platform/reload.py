"""A command inside a running container, for servers that read a changed file again without a restart."""

from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from tierstack.platform.daemon import client, state


class _Provider(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        _run(props)
        return CreateResult(props["container"], state(props))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        if _olds.get("triggers") != _news.get("triggers"):
            _run(_news)
        return UpdateResult(state(_news))

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        return DiffResult(changes=state(_olds) != state(_news))


def _run(props: dict[str, Any]) -> None:
    from docker.errors import APIError, NotFound

    name = props["container"]
    try:
        done = client(props.get("docker_host")).containers.get(name).exec_run(props["command"])
    except NotFound:
        return  # it reads the files when it starts
    except APIError as error:
        if error.status_code == 409:  # it does not run, and reads the files when it does
            return
        raise
    if done.exit_code != 0:
        said = done.output.decode(errors="replace").strip()
        raise RuntimeError(f"container {name} did not read its files again (exit code {done.exit_code}): {said}")


class Reload(Resource, module="docker", name="Reload"):
    """A command that is run in a container when `triggers` change; nothing where the container does not run."""

    def __init__(
        self,
        name: str,
        *,
        container: str,
        command: list[str],
        triggers: dict[str, pulumi.Input[str]],
        docker_host: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`container` is a name, not a resource: the reload comes after the files, wherever the container stands."""
        props: dict[str, Any] = {
            "container": container,
            "command": command,
            "triggers": triggers,
            "docker_host": docker_host,
        }
        super().__init__(_Provider(), name, props, opts)
