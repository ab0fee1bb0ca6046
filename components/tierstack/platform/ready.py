"""Whether a container does what it was started for: it runs, and is healthy where it has a health check.

The Docker provider can wait for health itself, but where that fails it keeps the container as made, and the next
update calls it fine without looking. A resource that exists only once the container was well fails every update until
it is, and says why.
"""

import time
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from tierstack.platform.daemon import client, state

NOT_WELL = "(not well when it was last looked at)"
"""What the state holds in place of a container's id after a refresh that found it unhealthy or stopped."""
_ENDS = 10
"""Ends after which a container is waited for no longer: each start is like the one before. The daemon doubles its pause
before each (0.1 s at first), so these take about 100 s where the container ends at once."""
_PERIOD = 100_000
"""Microseconds in which a container may use its share of a core (CFS period): the kernel's default."""
_STOP_SECONDS = 10
"""How long a stop may take where the container says nothing: Docker's own default."""


def verdict(state: dict[str, Any]) -> str | None:
    """What keeps a container with this `State` (of `docker inspect`) from being ready, or None if it is."""
    if not state.get("Running") or state.get("Restarting"):
        return f"is {state.get('Status')}, its last exit code was {state.get('ExitCode')}"
    health = state.get("Health", {})
    if health.get("Status") in (None, "none", "healthy"):
        return None
    log: list[dict[str, Any]] = health.get("Log") or []
    last = f": {log[-1]['Output'].strip()[-300:] or 'no output'} (exit code {log[-1]['ExitCode']})" if log else ""
    return f"is {health['Status']}{last}"


class _Provider(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        _wait(props)
        return CreateResult(props["name"], state(props))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        _wait(_news, restart=_olds.get("container") == NOT_WELL)
        return UpdateResult(state(_news))

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        return DiffResult(changes=any(_olds.get(key) != _news.get(key) for key in ("container", "cpu_limit")))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        from docker.errors import NotFound

        try:
            attrs = client(props.get("docker_host")).containers.get(props["container"]).attrs
        except NotFound:
            return ReadResult("", {})
        # A container that is not well counts as one that was never waited for: the next update does.
        return ReadResult(id_, {**state(props), **({"container": NOT_WELL} if verdict(attrs["State"]) else {})})


def _wait(props: dict[str, Any], *, restart: bool = False) -> None:
    """Wait until the container is ready. `restart`: it was found unhealthy, and what it read when it started may have
    been put right by this update; a container that hangs is helped as well."""
    from docker.errors import NotFound

    name, seconds = props["name"], int(props["wait_seconds"])
    try:
        container = client(props.get("docker_host")).containers.get(props["container"])
        if limit := props.get("cpu_limit"):
            container.update(cpu_period=_PERIOD, cpu_quota=round(float(limit) * _PERIOD))
        if container.status == "created":  # its start failed (a port in use), and the provider does not try again
            container.start()
            container.reload()
        elif restart and container.attrs["State"].get("Health", {}).get("Status") == "unhealthy":
            container.restart(timeout=container.attrs["Config"].get("StopTimeout") or _STOP_SECONDS)
            container.reload()
        begun, restarts = time.monotonic(), container.attrs.get("RestartCount", 0)
        while (wrong := verdict(container.attrs["State"])) and time.monotonic() < begun + seconds:
            if (ended := container.attrs.get("RestartCount", 0) - restarts) >= _ENDS:
                wrong += f", and it has ended {ended} times"
                break
            time.sleep(0.2)
            container.reload()
        took = round(time.monotonic() - begun)
    except NotFound:
        # Removed by another hand, or by a daemon that failed half-way: the provider looks only when it refreshes.
        raise RuntimeError(f"container {name} is not on the host; run `pulumi refresh`, then update again") from None
    if wrong:
        tail = container.logs(tail=20).decode(errors="replace").strip()
        raise RuntimeError(
            f"container {name} {wrong}, after {took} s; the end of its log:\n{tail or '(empty)'}\n"
            "Mend the cause and update again, which waits anew; on a host that is too busy the same update may do."
        )


class Ready(Resource, module="docker", name="Ready"):
    """Made once its container runs and is healthy; waited for again when the container is another one."""

    def __init__(
        self,
        name: str,
        *,
        container: pulumi.Input[str],
        container_name: str,
        wait_seconds: int,
        cpu_limit: float | None = None,
        docker_host: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Wait up to `wait_seconds` for the container with the id `container`, else fail the update. It may use
        `cpu_limit` cores from then on; None: all."""
        props: dict[str, Any] = {
            "container": container,
            "name": container_name,
            "wait_seconds": wait_seconds,
            "docker_host": docker_host,
            **({"cpu_limit": cpu_limit} if cpu_limit is not None else {}),
        }
        super().__init__(_Provider(), name, props, opts)
