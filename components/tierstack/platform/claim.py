"""To whom a platform's name belongs on a Docker host: to one state, which its objects must not be taken from.

Docker makes a volume that exists without a word, and a second network of the same name; a second checkout with the same
`platform.name` would so write its passwords into the volumes of a running stack. The owner is an id that lives in the
state and, as a label, on a small volume of the host, `NAME-claim`. Before anything is registered (in a preview too) the
two are compared; where there is no id yet, what the host has is compared with what the state has.
"""

import getpass
import socket
import uuid
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from tierstack.platform import Platform
from tierstack.platform.daemon import client, state

OWNER = "tierstack.dev/owner"
"""Label of the claim's volume: the id that the owner's state has."""
_STACK, _BY = "tierstack.dev/stack", "tierstack.dev/claimed-by"
_PART_OF = "app.kubernetes.io/part-of"
OF_A_RELEASE = {"tierstack.dev/lifetime": "release"}
"""Label of volumes that are made again for each release."""
TYPE = "pulumi-python:dynamic/docker:Claim"


@dataclass(frozen=True, order=True)
class HostObject:
    """A container, network or volume of the host."""

    kind: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict[str, str], compare=False)
    created: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Claimed:
    """What a state and a host say of a platform's name (pure)."""

    platform: str
    objects: Collection[HostObject]
    """Everything on the host."""
    known: Collection[tuple[str, str]]
    """(kind, name) of what the state has on the host."""
    owner: str | None
    """The id in the state; None where it has none."""

    @property
    def marker(self) -> HostObject | None:
        """The volume that says who the owner is."""
        return next((one for one in self.objects if (one.kind, one.name) == ("volume", f"{self.platform}-claim")), None)

    @property
    def is_ours(self) -> bool:
        """Whether the host says that this state is the owner."""
        return bool(self.owner and self.marker and self.marker.labels.get(OWNER) == self.owner)

    def foreign(self) -> list[HostObject]:
        """What bears the platform's name as its label and does not belong to this state."""
        if self.is_ours:
            return []
        named = [one for one in self.objects if one.labels.get(_PART_OF) == self.platform]
        if self.marker:
            return sorted(named)  # somebody else's, whatever this state has known before
        return sorted(one for one in named if (one.kind, one.name) not in self.known)

    def taken(self) -> dict[tuple[str, str], HostObject]:
        """What has a name that this stack might use, and is neither in its state nor labelled as its own."""
        return {
            (one.kind, one.name): one
            for one in self.objects
            if one.labels.get(_PART_OF) != self.platform and (one.kind, one.name) not in self.known
        }

    def refusal(self, foreign: Collection[HostObject]) -> str:
        """What to say of `foreign`: whose it is, and what to do."""
        shown = ", ".join(str(one) for one in list(foreign)[:4])
        more = f" and {len(foreign) - 4} more" if len(foreign) > 4 else ""
        name = self.platform
        lines = [
            f"platform.name = {name!r}: the Docker host has {shown}{more}, "
            f"which {'belong' if len(foreign) > 1 else 'belongs'} to another state. Nothing was changed.",
            f"  owner: {self._owner_of(next(iter(foreign)))}",
            "  If it is another stack: set another `platform.name`.",
            "  If it is this stack from another checkout or machine: use the state that it was made with "
            "(PULUMI_BACKEND_URL), or restore that state.",
            "  If that state is lost: `tierstack up --adopt`, or `platform.adopt: true`. It keeps volumes with data, "
            "and replaces containers, networks, passwords and certificates.",
        ]
        return "\n".join(lines)

    def _owner_of(self, one: HostObject) -> str:
        labels = self.marker.labels if self.marker else one.labels
        said = {_STACK: "stack", _BY: "claimed by", _PART_OF: "part-of", "tierstack.dev/environment": "environment"}
        parts = [f"{word} {labels[key]}" for key, word in said.items() if labels.get(key)]
        since = (self.marker or one).created
        return ", ".join([*parts, *([f"since {since[:19]}"] if since else [])])


def refuse_taken(one: HostObject, subject: str) -> str:
    """What to say of an object without the platform's label that has a name which the component `subject` needs."""
    labels = ", ".join(f"{key}={value}" for key, value in sorted(one.labels.items())) or "none"
    return (
        f"{one} exists on the Docker host, and this stack did not make it (labels: {labels}). "
        f"{subject} needs this name. Remove or rename the {one.kind}, or set another `platform.name`."
    )


def objects_on(docker_host: str | None) -> list[HostObject]:
    """Every container, network and volume of the host. Raises DockerException where the daemon does not answer."""
    api = client(docker_host).api
    running: list[dict[str, Any]] = api.containers(all=True)
    volumes: list[dict[str, Any]] = api.volumes().get("Volumes") or []
    containers = [
        HostObject("container", name.lstrip("/"), one.get("Labels") or {}, _time(one.get("Created")))
        for one in running
        for name in _names(one)
        if name.count("/") == 1  # others are links
    ]
    networks = [
        HostObject("network", one["Name"], one.get("Labels") or {}, one.get("Created", "")) for one in api.networks()
    ]
    named = [HostObject("volume", one["Name"], one.get("Labels") or {}, one.get("CreatedAt", "")) for one in volumes]
    return [*containers, *networks, *named]


def _names(container: dict[str, Any]) -> list[str]:
    return container.get("Names") or []


def _time(seconds: Any) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).isoformat() if isinstance(seconds, int) else ""


def known_objects(resources: Mapping[str, Any]) -> set[tuple[str, str]]:
    """(kind, name) of the Docker objects in a state, given as URN → {"type", "outputs"}."""
    kinds = {f"docker:index/{kind}:{kind.title()}": kind for kind in ("container", "network", "volume")}
    return {(kinds[one["type"]], str(one["outputs"].get("name"))) for one in resources.values() if one["type"] in kinds}


def owner_in(resources: Mapping[str, Any], platform: Platform) -> str | None:
    """The owner's id that a state has for the platform."""
    where = {"name": platform.name, "docker_host": platform.docker_host}
    for one in resources.values():
        if one["type"] == TYPE and all(one["outputs"].get(key) == value for key, value in where.items()):
            return str(one["outputs"]["owner"])
    return None


class _Provider(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        _take(props)
        return CreateResult(f"{props['name']}-claim", state(props))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        _take(_news)
        return UpdateResult(state(_news))

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        moved = [key for key in ("name", "docker_host") if _olds.get(key) != _news.get(key)]
        changed = bool(moved) or _olds.get("owner") != _news.get("owner")
        return DiffResult(changes=changed, replaces=moved, delete_before_replace=False)

    def delete(self, id_: str, _props: dict[str, Any]) -> None:
        daemon = client(_props.get("docker_host"))
        if _label(daemon, id_) == _props["owner"]:
            # Left by a state before the one that took the name over, which never asks for names of other releases. Not
            # removed then: the engine cannot refresh a state whose volumes are missing, and that one may come back.
            labels = {_PART_OF: _props["name"], **OF_A_RELEASE}
            for one in daemon.volumes.list(filters={"label": [f"{key}={value}" for key, value in labels.items()]}):
                one.remove()
            daemon.volumes.get(id_).remove()


def _take(props: dict[str, Any]) -> None:
    daemon, name, owner = client(props.get("docker_host")), props["name"], props["owner"]
    marker = f"{name}-claim"
    if props.get("adopt"):
        _clear(daemon, name)
        if _label(daemon, marker) not in (None, owner):
            daemon.volumes.get(marker).remove()
    who = {_STACK: props["stack"], _BY: f"{getpass.getuser()}@{socket.gethostname()}", OWNER: owner}
    daemon.volumes.create(marker, labels={**props["labels"], **who})
    # Of two that are made at once the daemon keeps the first, and tells nobody.
    if _label(daemon, marker) != owner:
        raise RuntimeError(f"another stack has just taken the platform name {name}; set another `platform.name`")


def _clear(daemon: Any, name: str) -> None:
    """Remove the containers and networks of a platform: they hold no data, and a state cannot take them over."""
    from docker.errors import NotFound

    filters = {"label": f"{_PART_OF}={name}"}
    for one in daemon.containers.list(all=True, filters=filters, ignore_removed=True):
        with suppress(NotFound):
            one.stop(timeout=_STOP_SECONDS)  # a database flushes what it has
            one.remove(force=True)
    for one in daemon.networks.list(filters=filters):
        one.remove()


_STOP_SECONDS = 30


def _label(daemon: Any, marker: str) -> str | None:
    """The owner that the host names; None where it names none."""
    found = [one for one in daemon.volumes.list(filters={"name": marker}) if one.name == marker]
    labels: dict[str, str] = (found[0].attrs.get("Labels") or {}) if found else {}
    return labels.get(OWNER, "") if found else None


def is_taken_over(props: Mapping[str, Any]) -> bool:
    """Whether the host names another owner than a claim in a state, given as its properties."""
    return _label(client(props.get("docker_host")), f"{props['name']}-claim") not in (None, props["owner"])


class Claim(Resource, module="docker", name="Claim"):
    """The right of one state to a platform's name on a Docker host."""

    def __init__(
        self, name: str, platform: Platform, owner: str, stack: str, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Claim `platform.name` for `owner`; with `platform.adopt`, from whoever has it."""
        props: dict[str, Any] = {
            "name": platform.name,
            "owner": owner,
            "stack": stack,
            "labels": platform.labels,
            "adopt": platform.adopt,
            "docker_host": platform.docker_host,
        }
        super().__init__(_Provider(), name, props, opts)


def claim(
    name: str, platform: Platform, resources: Mapping[str, Any] | None, stack: str, opts: pulumi.ResourceOptions
) -> tuple[Claim | None, Claimed | None]:
    """The platform's claim, and what the host says of it; nothing where the state (`resources`) cannot be read, or
    where no daemon answers a preview of a stack that is nowhere yet.

    Raises RunError, before anything is registered, where the name belongs to another state.
    """
    from docker.errors import DockerException

    if resources is None:
        return None, None
    owner, known = owner_in(resources, platform), known_objects(resources)
    try:
        said = Claimed(platform.name, objects_on(platform.docker_host), known, owner)
    except DockerException as error:
        if pulumi.runtime.is_dry_run() and not owner and not known:
            return Claim(name, platform, uuid.uuid4().hex, stack, opts), None
        raise pulumi.RunError(unreachable(platform.docker_host, str(error))) from None
    foreign = said.foreign()
    if foreign and not platform.adopt:
        raise pulumi.RunError(said.refusal(foreign))
    # Another id at each take-over, so that the state that had the name before is told apart.
    owner = owner if owner and said.is_ours else uuid.uuid4().hex
    return Claim(name, platform, owner, stack, opts), said


def unanswered(docker_host: str | None, said: str = "") -> str:
    """That a daemon does not answer."""
    import os

    address = docker_host or os.environ.get("DOCKER_HOST") or "the default socket"
    return f"no Docker daemon answers at {address}{f' ({said[:120]})' if said else ''}"


TO_REACH = "Start Docker, or set `platform.docker_host` or DOCKER_HOST"
"""What to do where no daemon answers."""


def unreachable(docker_host: str | None, said: str = "") -> str:
    """What to say where a daemon does not answer before anything is done."""
    return f"platform.docker_host: {unanswered(docker_host, said)}. Nothing was changed. {TO_REACH}"
