"""A container that runs to its end before what depends on it: a migration, an initialisation.

The Docker provider can wait for an exit but does not mind the exit code; here a failure fails the update, with the
end of the log, and nothing that depends on it starts.
"""

import contextlib
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from tierstack.platform.daemon import ImageError, client, pulled, state

_LABELS = {"app.kubernetes.io/managed-by": "tierstack"}
_RERUN = ("image", "command", "triggers", "docker_host")


class _Provider(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        run(props)
        return CreateResult(props["name"], state(props))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        if any(_olds.get(key) != _news.get(key) for key in _RERUN):
            run(_news)
        return UpdateResult(state(_news))

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        return DiffResult(changes=state(_olds) != state(_news))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        from docker.errors import NotFound

        if _props.get("undo"):
            with contextlib.suppress(
                NotFound, ImageError
            ):  # its network or image is gone, and with it what there was to undo
                run({**_props, "command": _props["undo"]})


def run(props: dict[str, Any]) -> str:
    """Run the container that the properties of a RunOnce describe; what it printed on its standard output.

    Raises RuntimeError with the end of its log where it fails or takes too long.
    """
    from docker.errors import NotFound
    from requests.exceptions import RequestException

    daemon = client(props.get("docker_host"))
    with contextlib.suppress(NotFound):  # what an interrupted run left behind
        before = daemon.containers.get(props["name"])
        if not _LABELS.items() <= before.labels.items():
            raise RuntimeError(f"container {props['name']} exists, and tierstack did not make it; remove or rename it")
        before.remove(force=True)
    first, *others = dict.fromkeys(props["networks"])  # two connections may name the same network
    container = daemon.containers.create(
        pulled(daemon, props["image"]),
        command=props["command"][1:],
        entrypoint=props["command"][:1],
        name=props["name"],
        user=props["user"],
        environment=props["environment"],
        network=first,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        read_only=True,
        tmpfs={"/tmp": "rw,noexec,nosuid,size=64m"},
        init=True,
        mem_limit=f"{int(props['memory_mb'])}m",
        volumes={volume: {"bind": path, "mode": "ro"} for path, volume in props["mounts"].items()},
        labels=_LABELS,
    )
    try:
        for network in others:
            daemon.networks.get(network).connect(container)
        container.start()
        try:
            code = container.wait(timeout=int(props["timeout_seconds"]))["StatusCode"]
            failed = f"failed with exit code {code}" if code != 0 else ""
        except RequestException:  # the daemon's answer did not come in time
            failed = f"did not end within {int(props['timeout_seconds'])} s and was stopped"
        if failed:
            tail = container.logs(tail=30).decode(errors="replace").strip()
            raise RuntimeError(f"{props['name']} {failed}; nothing that needs it was started:\n{tail}")
        return container.logs(stdout=True, stderr=False).decode(errors="replace")
    finally:
        container.remove(force=True)


class RunOnce(Resource, module="docker", name="RunOnce"):
    """A container run to its end; runs again when its image, command or triggers change."""

    def __init__(
        self,
        name: str,
        *,
        container_name: str,
        image: pulumi.Input[str],
        command: list[str],
        user: str,
        networks: list[pulumi.Input[str]],
        environment: dict[str, pulumi.Input[str]],
        mounts: dict[str, pulumi.Input[str]],
        triggers: dict[str, pulumi.Input[str]] | None = None,
        memory_mb: int = 256,
        timeout_seconds: int = 900,
        docker_host: str | None = None,
        undo: list[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Run `command` in `image` as `user`, in `networks`, with `mounts` (path → volume, read-only).

        `undo` is run in the same way when the resource is deleted; a failure of it fails the deletion.
        """
        props: dict[str, Any] = {
            "name": container_name,
            "image": image,
            "command": command,
            "user": user,
            "networks": networks,
            "environment": environment,
            "mounts": mounts,
            "triggers": triggers or {},
            "memory_mb": memory_mb,
            "timeout_seconds": timeout_seconds,
            "docker_host": docker_host,
            **({"undo": undo} if undo else {}),
        }
        super().__init__(_Provider(), name, props, opts)
