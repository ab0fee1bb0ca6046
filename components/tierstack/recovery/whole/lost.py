"""What of a stack can come back, and what comes back empty: read from the state after `holders.make`. Pure."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tierstack.backup_schedule import recovery
from tierstack.backup_schedule.dumps.recovery import DumpsOnDocker
from tierstack.backup_schedule.engine import Source
from tierstack.backup_schedule.restic.recovery import FilesOnDocker
from tierstack.engine.project import UsageError
from tierstack.links import DatabaseEngine
from tierstack.recovery import in_state
from tierstack.recovery.dialects import DIALECTS
from tierstack.recovery.found import DATABASE, FILES

_REDIS, _APP, _SERVER = (f"tierstack:index:{one}" for one in ("RedisCluster", "AppCluster", "DatabaseWithReplicas"))
_VOLUME, _WRITTEN = "docker:index/volume:Volume", "pulumi-python:dynamic/docker:VolumeFiles"
PAGE = "docs/how-to/restore-a-host.md"


@dataclass(frozen=True, kw_only=True)
class LostDatabase:
    """A database whose backups are in a bucket."""

    name: str
    """Name of the component that makes the backups."""
    at: recovery.OnDocker
    volume: str
    """Volume that its primary has its files in."""
    copies: list[str]
    """Volumes of its standbys."""
    image: str
    """Image of the server."""

    @property
    def source(self) -> Source:
        """Where the backups are."""
        return self.at.source

    @property
    def aside(self) -> str:
        """Name of the containers that restore it."""
        return f"{self.at.catalog}-recover"


@dataclass(frozen=True, kw_only=True)
class LostFiles:
    """Files of an application whose backups are in a bucket."""

    name: str
    at: FilesOnDocker

    @property
    def aside(self) -> str:
        """Name of the containers that restore them."""
        return f"{self.at.catalog}-recover"


@dataclass(frozen=True, kw_only=True)
class Lost:
    """A stack."""

    databases: list[LostDatabase]
    files: list[LostFiles]
    empty: list[str]
    """What comes back empty, in words."""
    docker_host: str | None


def lost(held: Sequence[Mapping[str, Any]], stack: str, without: Collection[str]) -> Lost:
    """What the state says of a stack. `without`: backups that shall not come back.

    Raises UsageError with everything that has no backup which outlives a host, and where there is nothing to recover.
    """
    said = {
        name: outputs.get("recovery")
        for kind in (DATABASE, FILES)
        for name, outputs in in_state.components(held, kind).items()
    }
    for name in without:
        in_state.refuse_unknown(stack, "backups", name, said)
    described = {name: _described(stack, name, text) for name, text in said.items() if name not in without}
    if not described:
        raise UsageError(f"{stack} has no backups to recover from: `tierstack up -s {stack}` makes it, empty")
    if wrong := [problem for name, one in described.items() if (problem := _unrecoverable(name, one))]:
        raise UsageError(*wrong)
    volumes = {str(_outputs(one)["name"]) for one in held if one["type"] == _VOLUME and _outputs(one)}
    databases = [
        _database(held, name, one, volumes) for name, one in described.items() if isinstance(one, recovery.OnDocker)
    ]
    files = [LostFiles(name=name, at=one) for name, one in described.items() if isinstance(one, FilesOnDocker)]
    return Lost(
        databases=databases,
        files=files,
        empty=_empty(held, databases, files),
        docker_host=next(iter([*(one.at.docker_host for one in databases), *(one.at.docker_host for one in files)])),
    )


_Described = recovery.OnDocker | recovery.OnKubernetes | FilesOnDocker


def _described(stack: str, name: str, text: object) -> _Described:
    if not isinstance(text, str):
        raise UsageError(f"the state of {stack} says nothing of the backups `{name}`: is the program as it was?")
    described = recovery.parsed(text)
    assert not isinstance(described, DumpsOnDocker)  # `lost` asks for other kinds
    return described


def _unrecoverable(name: str, at: _Described) -> str | None:
    """Why the backups of this name cannot bring anything back onto a new host. None: they can."""
    if isinstance(at, recovery.OnKubernetes):
        return (
            f"`{name}` are backups on Kubernetes, where the configuration says what a database is made from: "
            "docs/how-to/restore-on-kubernetes.md"
        )
    instead = f"To recover the rest, and let this come back empty: --without {name}"
    if isinstance(at, FilesOnDocker):
        if at.bucket:
            return None
        return (
            f"`{name}` keeps its backups in the volume {at.catalog} of the host, which was lost with it. If that "
            f"volume was brought over: {PAGE}. {instead}"
        )
    if at.store is None:
        title = DIALECTS[at.engine].title
        return (
            f"`{name}` keeps its backups of {title} in the volume {at.catalog} of the host, which was lost with it. If "
            f"that volume was brought over: {PAGE}. {instead}"
        )
    if at.engine != DatabaseEngine.POSTGRESQL.value:
        return (
            f"`{name}` backs up {DIALECTS[at.engine].title}, which `tierstack recover` does not bring back yet. Its "
            f"backups are in the bucket: docs/components/backup-schedule.md, MySQL, says how to restore them by hand. "
            f"{instead}"
        )
    if at.server is None or not at.server.endswith("-primary"):
        return (
            f"`{name}` backs up a database that this stack did not make: restore it where it was made, or aside "
            f"(`tierstack restore`). {instead}"
        )
    return None


def _database(
    held: Sequence[Mapping[str, Any]], name: str, at: recovery.OnDocker, volumes: Collection[str]
) -> LostDatabase:
    assert at.server is not None  # see `_unrecoverable`
    prefix = at.server.removesuffix("-primary")
    volume, copy = f"{prefix}-data", re.compile(rf"{re.escape(prefix)}-replica-[0-9]+-data")
    images = [
        _inputs(one)["image"]
        for one in held
        if one["type"] == _WRITTEN and _inputs(one).get("volume") == f"{prefix}-config"
    ]
    if volume not in volumes or not images:
        raise UsageError(f"the volume {volume} of the database that `{name}` backs up is not of this stack")
    copies = sorted(one for one in volumes if copy.fullmatch(one))
    return LostDatabase(name=name, at=at, volume=volume, copies=copies, image=str(images[0]))


def _empty(
    held: Sequence[Mapping[str, Any]], databases: Sequence[LostDatabase], files: Sequence[LostFiles]
) -> list[str]:
    """What comes back empty, because nothing has a backup of it."""
    servers, volumes = {one.volume for one in databases}, {one.at.volume for one in files}
    found = [f"Redis `{name}`: queues, sessions, caches" for name in in_state.components(held, _REDIS)]
    for one in held:
        urn, name = str(one["urn"]), _outputs(one).get("name")
        if one["type"] != _VOLUME:
            continue
        if f"{_SERVER}$" in urn and urn.endswith("-data") and "-replica-" not in urn and name not in servers:
            found.append(f"the database in the volume {name}")
        if f"{_APP}$" in urn and urn.endswith("-uploads") and name not in volumes:
            found.append(f"the uploads in the volume {name}")
    return found


def docker_host(held: Sequence[Mapping[str, Any]]) -> str | None:
    """Address of the daemon that a stack's backups are on. None: that of the environment."""
    for kind in (DATABASE, FILES):
        for outputs in in_state.components(held, kind).values():
            if isinstance(text := outputs.get("recovery"), str):
                described = recovery.parsed(text)
                return None if isinstance(described, recovery.OnKubernetes) else described.docker_host
    return None


def volumes(held: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The volumes of a state: name → the command that makes such a one."""
    found: dict[str, list[str]] = {}
    for one in held:
        if one["type"] == _VOLUME and not one.get("delete") and (given := _outputs(one)):
            marked: Sequence[Mapping[str, str]] = given.get("labels") or []
            labels = [part for one in marked for part in ("--label", f"{one['label']}={one['value']}")]
            driver: Mapping[str, str] = given.get("driverOpts") or {}
            options = [part for key, value in driver.items() for part in ("--opt", f"{key}={value}")]
            found[given["name"]] = ["docker", "volume", "create", *labels, *options, given["name"]]
    return found


def _outputs(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    return resource.get("outputs") or {}


def _inputs(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    return resource.get("inputs") or {}
