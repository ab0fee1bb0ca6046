"""What a run that was killed leaves in the state (pure): the operations that were under way.

Nobody knows whether those happened. An engine that goes on from there takes a half-done change for an undone one, and
clashes with the objects that it made itself.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

from tierstack.platform import claim

OURS = {"app.kubernetes.io/managed-by": "tierstack"}
"""The label of everything that tierstack makes, on a cluster and on a Docker host."""
_CONTAINER, _NETWORK, _VOLUME = (f"docker:index/{name.lower()}:{name}" for name in ("Container", "Network", "Volume"))
_DYNAMIC = "pulumi-python:dynamic/"
_REPEATABLE = (
    *("random:", "tls:", "pulumi:providers:"),  # they exist in the state only
    *("docker:index/remoteImage:", f"{_DYNAMIC}docker:", f"{_DYNAMIC}tierstack:"),  # they mind what is there
)


class Then(Enum):
    """What became of an operation that was under way; the value is for machines."""

    LOOKED_UP = "looked-up"
    ADOPTED = "adopted"
    KEPT_IF_WANTED = "kept-if-wanted"
    NOT_MADE = "not-made"
    NOT_OURS = "not-ours"
    REPEATED = "repeated"
    REMOVED = "removed"
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return _SAID[self]


_SAID = {
    Then.LOOKED_UP: "looked up again",
    Then.ADOPTED: "it is there, and taken over",
    Then.KEPT_IF_WANTED: "it is there, to replace another: kept if it is still wanted",
    Then.NOT_MADE: "it was not made",
    Then.NOT_OURS: "it was not made; the object of that name is somebody else's",
    Then.REPEATED: "`up` makes it again",
    Then.REMOVED: "the half-made one is removed, and `up` makes it again",
    Then.UNKNOWN: "how it ended is not known: see whether it is there, or there twice, after `up`",
}


@dataclass(frozen=True, order=True)
class Object:
    """The identity of a Kubernetes object."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @property
    def address(self) -> list[str]:
        """As kubectl is told: `Deployment.v1.apps web -n shop`."""
        group, _, version = self.api_version.rpartition("/")
        kind = f"{self.kind}.{version}.{group}" if group else self.kind
        return [kind, self.name, *(["-n", self.namespace] if self.namespace else [])]

    @property
    def id(self) -> str:
        """As the provider names it."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def object_of(resource: Mapping[str, Any]) -> Object | None:
    """The Kubernetes object that a resource is; None where it is something else, or the API server names it."""
    inputs: Mapping[str, Any] = resource.get("inputs") or {}
    metadata = inputs.get("metadata")
    if not str(resource["type"]).startswith("kubernetes:") or not isinstance(metadata, dict):
        return None
    named = cast(dict[str, Any], metadata)
    values = (inputs.get("apiVersion"), inputs.get("kind"), named.get("namespace", ""), named.get("name"))
    if not all(isinstance(value, str) for value in values):
        return None
    return Object(*cast(tuple[str, str, str, str], values))


@dataclass(frozen=True)
class Pending:
    """An operation that was under way when a run ended."""

    doing: str
    """`creating`, `updating`, `deleting`, `reading` or `importing`."""
    resource: dict[str, Any]
    """The resource as the state has it; a created one without id and outputs."""
    provider: Mapping[str, Any]
    """Inputs of its provider: where it acts. Empty: as the environment says."""

    @property
    def creates(self) -> bool:
        """Whether it was a creation, which the engine remembers until somebody says how it ended."""
        return self.doing == "creating"

    @property
    def urn(self) -> str:
        """Of the resource."""
        return str(self.resource["urn"])

    @property
    def inputs(self) -> dict[str, Any]:
        """Of the resource; secrets stay encrypted."""
        return self.resource.get("inputs") or {}

    @property
    def object(self) -> Object | None:
        """The Kubernetes object that it is about."""
        return object_of(self.resource)

    @property
    def type(self) -> str:
        """Type token of the resource."""
        return str(self.resource["type"])

    @property
    def volume(self) -> str | None:
        """Name of the Docker volume that it is about."""
        return self.inputs.get("name") if self.type == _VOLUME else None

    @property
    def leftovers(self) -> tuple[str, dict[str, Any]] | None:
        """What a Docker daemon may hold of it that is in the way of making it again, or would stay for good:
        `containers`, `networks` or `volumes`, and filters of the daemon's API that fit nothing else. None: nothing."""
        name = {"name": f"^{re.escape(str(self.inputs.get('name')))}$"}
        if self.type in (_CONTAINER, _NETWORK) and self.creates and self.is_ours:
            kind = "containers" if self.type == _CONTAINER else "networks"
            return kind, {**name, "label": [f"{key}={value}" for key, value in self.labels.items()]}
        if self.type == claim.TYPE and self.creates:
            return "volumes", {"label": [f"{claim.OWNER}={self.inputs.get('owner')}"]}
        if self.type == f"{_DYNAMIC}docker:RunOnce":
            return "containers", {**name, "label": [f"{key}={value}" for key, value in OURS.items()]}
        if self.type == f"{_DYNAMIC}docker:VolumeFiles":
            from tierstack.platform.files import WRITES  # its module needs Pulumi, which takes long to import

            return "containers", {"label": [f"{WRITES}={self.inputs.get('volume')}"]}
        return None

    @property
    def docker_host(self) -> str | None:
        """The daemon that holds it. None: the environment's."""
        return self.provider.get("host") or self.inputs.get("docker_host")

    @property
    def labels(self) -> dict[str, str]:
        """Labels that it was to have."""
        if self.type.startswith("docker:"):
            given = cast(list[dict[str, str]], self.inputs.get("labels") or [])
            return {one["label"]: one["value"] for one in given}
        return cast(dict[str, str], self.inputs["metadata"].get("labels") or {}) if self.object else {}

    @property
    def is_ours(self) -> bool:
        """Whether what there is can be told by its labels to be a component's of this library."""
        return OURS.items() <= self.labels.items()

    @property
    def is_repeatable(self) -> bool:
        """Whether it can be made again, whatever is there already."""
        rendered = bool(self.object) and "renderYamlToDirectory" in self.provider
        return rendered or self.type.startswith(_REPEATABLE)

    @property
    def is_protected(self) -> bool:
        """Whether it is data, which is never deleted here."""
        return bool(self.resource.get("protect"))

    def __str__(self) -> str:
        kind = self.object.kind if self.object else self.type.rpartition(":")[2]
        return f"{self.doing} {kind} {self.urn.rpartition('::')[2]}"


def resources(deployment: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The resources of an exported state."""
    return cast(list[dict[str, Any]], deployment.get("resources") or [])


def pending(deployment: Mapping[str, Any]) -> list[Pending]:
    """The operations under way in an exported state, the same one once."""
    providers = provider_inputs(resources(deployment))
    found: dict[tuple[str, str, Object | None], Pending] = {}
    for one in cast(list[dict[str, Any]], deployment.get("pending_operations") or []):
        item = _pending(one["type"], one["resource"], providers)
        found.setdefault((item.doing, item.urn, item.object), item)
    return list(found.values())


def known(deployment: Mapping[str, Any]) -> set[str]:
    """URNs of the resources that the state holds."""
    return {str(one["urn"]) for one in resources(deployment)}


def objects(deployment: Mapping[str, Any]) -> set[Object]:
    """The Kubernetes objects that the state holds."""
    return {found for one in resources(deployment) if (found := object_of(one))}


def has_namespace(deployment: Mapping[str, Any], name: str) -> bool:
    """Whether the state has the namespace, or was about to."""
    under_way = [one.object for one in pending(deployment)]
    return any(one and (one.kind, one.name) == ("Namespace", name) for one in [*objects(deployment), *under_way])


def adopted_object(item: Pending, field_manager: str) -> dict[str, Any]:
    """The resource of a Kubernetes object that was made, as the state would hold it; a refresh completes it.

    `field_manager`: the name under which it was applied. Under another one the API server would refuse the next
    update, because the fields belong to somebody else.
    """
    made = item.object
    assert made
    own = {"__fieldManager": field_manager, "__initialApiVersion": made.api_version, "__inputs": item.inputs}
    return {**item.resource, "id": made.id, "outputs": {**item.inputs, **own}}


def adopted_volume(item: Pending) -> dict[str, Any]:
    """The resource of a Docker volume that was made, as the state would hold it; a refresh completes it."""
    return {**item.resource, "id": item.volume, "outputs": item.inputs}


def to_be_deleted(made: dict[str, Any]) -> dict[str, Any]:
    """A resource that is deleted at the end of an update, but by the command itself and only where nothing uses it.

    The engine deletes what was replaced by its name. Where the replacement was interrupted and is then taken back, that
    is the name of what the update has just put in order.
    """
    return {**made, "delete": True, "retainOnDelete": True}


def retired(deployment: Mapping[str, Any]) -> list[Pending]:
    """Our Kubernetes objects that were replaced and are still to be deleted; none that is data."""
    providers = provider_inputs(resources(deployment))
    found = [_pending("deleting", one, providers) for one in resources(deployment) if one.get("delete")]
    return [one for one in found if one.object and one.is_ours and not one.is_repeatable and not one.is_protected]


def settled(deployment: Mapping[str, Any], adopt: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The state with the resources of `adopt` at its end, nothing under way, and what was replaced left to `finish`."""
    replaced = [one.resource for one in retired(deployment)]
    kept = [to_be_deleted(one) if one in replaced else one for one in resources(deployment)]
    return {**deployment, "resources": [*kept, *adopt], "pending_operations": []}


def provider_inputs(held: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Inputs of the providers among resources, by what a resource calls its own."""
    return {f"{one['urn']}::{one.get('id')}": one.get("inputs") or {} for one in held}


def _pending(doing: str, resource: dict[str, Any], providers: Mapping[str, dict[str, Any]]) -> Pending:
    return Pending(doing, resource, providers.get(resource.get("provider", ""), {}))
