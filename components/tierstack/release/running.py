"""What runs of an application (pure): its releases and the progress of a release, as the stack's state says it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

from tierstack.engine.project import UsageError
from tierstack.recovery import in_state

TYPE = "tierstack:index:AppCluster"


class Phase(Enum):
    """How far a release is."""

    UNDER_WAY = "under way"
    TAKEN_BACK = "taken back"
    """By itself, or by `tierstack rollback`: a release runs that the configuration does not describe."""
    FINISHED = "finished"
    """And the release before it runs on without requests."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What the state keeps of a release, beside who gets which requests: written by each update of it."""

    id: str
    """Names it in the ledger."""
    phase: Phase
    step: int = 0
    """Its place in `plan`."""
    plan: str = "[]"
    """All its states, as text."""
    strategy: str = ""
    since: str = ""
    """When it began (ISO 8601, UTC)."""
    by: str = ""
    """Who made it."""
    old: str = ""
    """Name of the release that it takes the place of."""
    new: str = ""
    """Name of the new release; empty until the first update has made it."""
    configuration: str = ""
    """A digest of the configuration that describes the new release."""
    reason: str = ""
    """Why it was taken back, in words."""

    def as_dict(self) -> dict[str, str]:
        """For the configuration of a run, whose values are texts."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        values |= {"phase": self.phase.value, "step": str(self.step)}
        return {name: value for name, value in values.items() if value != ""}

    @staticmethod
    def parsed(values: Mapping[str, Any]) -> "Progress":
        """The progress in a state; keys of a later version are passed over."""
        known = {name: str(value) for name, value in values.items() if name in Progress.__dataclass_fields__}
        step = int(known.pop("step", "0"))
        return Progress(**{**known, "phase": Phase(known["phase"]), "step": step})  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class RunningRelease:
    """A release that runs."""

    name: str
    weight: int
    current: bool
    replicas: int
    description: str
    """All that is needed to make it again, as text."""

    @property
    def described(self) -> Mapping[str, Any]:
        """The same as values."""
        return json.loads(self.description)

    @property
    def image(self) -> str:
        """Its image, by digest."""
        return str(self.described.get("image", "?"))

    @property
    def full(self) -> int:
        """Its web containers where it takes all requests."""
        counts = cast(Mapping[str, int], self.described.get("counts") or {})
        return counts.get("replicas", self.replicas)


@dataclass(frozen=True, kw_only=True)
class Running:
    """What runs of an application."""

    app: str
    """What the names of its objects begin with, after the platform's."""
    url: str
    """Its public address."""
    releases: Sequence[RunningRelease]
    described: str | None
    """Name of the release that the configuration of the last update described, where it runs."""
    progress: Progress | None = None
    gateway: str | None = None
    """The container of the proxy in front of it. None: it is on no Docker host."""

    @property
    def current(self) -> RunningRelease:
        """The release that the application has moved to."""
        return next(one for one in self.releases if one.current)

    @property
    def under_way(self) -> Progress | None:
        """The progress of a release that is neither finished nor taken back."""
        return self.progress if self.progress and self.progress.phase is Phase.UNDER_WAY else None

    @property
    def taken_back(self) -> Progress | None:
        """The progress of a release that was taken back, and whose configuration is still there."""
        return self.progress if self.progress and self.progress.phase is Phase.TAKEN_BACK else None

    def named(self, name: str) -> RunningRelease | None:
        """A release by its name."""
        return next((one for one in self.releases if one.name == name), None)


def parsed(text: str, app: str = "", url: str = "", gateway: str | None = None) -> Running:
    """What the output `releases` of an AppCluster says; the rest is what the state says beside."""
    found = cast(dict[str, Any], json.loads(text))
    releases = [
        RunningRelease(
            name=str(one["name"]),
            weight=int(one["weight"]),
            current=bool(one["current"]),
            replicas=int(one["replicas"]),
            description=json.dumps(one["description"]),
        )
        for one in cast(list[dict[str, Any]], found["releases"])
    ]
    progress = cast(Mapping[str, Any] | None, found.get("progress"))
    return Running(
        app=app,
        url=url,
        gateway=gateway,
        described=found.get("described"),
        releases=releases,
        progress=Progress.parsed(progress) if progress else None,
    )


def app_of(held: Sequence[Mapping[str, Any]], stack: str, name: str | None) -> tuple[str, Running]:
    """Name and releases of the application that is meant: that called `name`, else the only one.

    Raises UsageError where there is none, several, or one that an older version made.
    """
    found = in_state.components(held, TYPE)
    if not found:
        raise UsageError(f"{stack} has no application")
    if name is None and len(found) > 1:
        raise UsageError(f"{stack} has several applications: {in_state.listed(found)}. Name one with --app")
    chosen = name or next(iter(found))
    in_state.refuse_unknown(stack, "application", chosen, found)
    said = found[chosen].get("releases")
    if not isinstance(said, str):
        raise UsageError(f"the state of {stack} says too little of its releases: `tierstack up -s {stack}` first")
    children = [str(one["urn"]).rpartition("::")[2] for one in held if _is_below(one, TYPE, chosen)]
    app = next((one.removesuffix("-route") for one in children if one.endswith("-route")), chosen)
    return chosen, parsed(said, app, str(found[chosen].get("url") or ""), _gateway(held))


_GATEWAY, _CONTAINER = "tierstack:index:Gateway", "docker:index/container:Container"


def _gateway(held: Sequence[Mapping[str, Any]]) -> str | None:
    """The container of the proxy. A Docker host has one: the ports are taken."""
    containers = [one for one in held if one["type"] == _CONTAINER and f"{_GATEWAY}$" in str(one["urn"])]
    names = [
        cast(Mapping[str, Any], one.get("outputs") or {}).get("name") for one in containers if not one.get("delete")
    ]
    return str(names[0]) if names else None


def _is_below(resource: Mapping[str, Any], kind: str, name: str) -> bool:
    parent = str(resource.get("parent") or "")
    return f"{kind}::" in parent and parent.endswith(f"::{name}")
