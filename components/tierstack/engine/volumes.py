"""Docker volumes that a state has and their host has not: somebody removed them.

The Docker provider fails to refresh such a volume (`Unable to inspect volume`), and with it every update. An empty
volume of the same name and labels lets the update go on: it starts what uses the volume anew, as after a first `up`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from tierstack.engine.interrupted import provider_inputs
from tierstack.engine.project import UnreachableError
from tierstack.platform import Platform, claim
from tierstack.platform.daemon import client

_VOLUME = "docker:index/volume:Volume"


@dataclass(frozen=True)
class MissingVolume:
    """A volume of the state that is not on its host."""

    name: str
    docker_host: str | None
    is_protected: bool
    """Whether it held data."""
    driver: str = "local"
    driver_options: Mapping[str, str] = field(default_factory=dict[str, str])
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


def missing(held: Sequence[Mapping[str, Any]], platform: Platform | None) -> list[MissingVolume]:
    """The volumes among the resources of a state that their host does not have, by name.

    `platform`: whose daemon is that of resources whose provider names none. Raises UnreachableError where a daemon does
    not answer.
    """
    from docker.errors import DockerException

    present = [one for one in held if not one.get("delete") and one["type"] == _VOLUME]
    providers = provider_inputs(held)
    docker_host = platform.docker_host if platform else None
    wanted = [_volume(one, providers.get(str(one.get("provider")), {}).get("host") or docker_host) for one in present]
    absent: list[MissingVolume] = []
    for host in {one.docker_host for one in wanted}:
        try:
            there = {volume.name for volume in client(host).volumes.list()}
        except DockerException as error:
            raise UnreachableError(claim.unanswered(host, str(error))) from None
        absent += [one for one in wanted if one.docker_host == host and one.name not in there]
    return sorted(absent, key=lambda one: one.name)


def refused(messages: Sequence[str]) -> bool:
    """Whether the engine failed because a volume is not there, by what it said."""
    return any("Unable to inspect volume" in one for one in messages)


def make(absent: Sequence[MissingVolume]) -> None:
    """Make them, empty, with the labels that the state has. Raises UnreachableError where a daemon refuses one."""
    from docker.errors import DockerException

    for one in absent:
        options = dict(one.driver_options)
        try:
            client(one.docker_host).volumes.create(one.name, driver=one.driver, driver_opts=options, labels=one.labels)
        except DockerException as error:
            raise UnreachableError(f"volume {one.name} cannot be made: {error}") from None


def _volume(resource: Mapping[str, Any], docker_host: str | None) -> MissingVolume:
    given = cast(dict[str, Any], resource.get("inputs") or {})
    labels = cast(list[dict[str, Any]], given.get("labels") or [])
    return MissingVolume(
        str(resource["id"]),
        docker_host,
        bool(resource.get("protect")),
        str(given.get("driver") or "local"),
        cast(dict[str, str], given.get("driverOpts") or {}),
        {str(one["label"]): str(one["value"]) for one in labels},
    )
