"""What a component registers, as a list in order (pure): each object with those that must be there before it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tierstack.platform.kubernetes.gitops import Step
from tierstack.platform.kubernetes.manifest import Manifest


@dataclass(frozen=True)
class Planned:
    """One object of a component."""

    name: str
    """Logical name, by which the engine knows it."""
    manifest: Manifest
    after: tuple[str, ...] = ()
    """Logical names of earlier objects of the list that must be there, and ready, before this one."""
    data: bool = False
    """Deleting it deletes what cannot be made again."""
    step: Step | None = None
    """When whoever applies rendered files applies it. None: by its kind, or what the component says for all."""
    timeout: str = "10m"
    """How long an update waits for it to be ready."""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Further options of the engine."""


def in_order(objects: Mapping[str, Manifest]) -> list[Planned]:
    """Objects by logical name of which each needs all that stand before it."""
    names = list(objects)
    return [Planned(name, one, tuple(names[:index])) for index, (name, one) in enumerate(objects.items())]


def manifests(plan: Iterable[Planned]) -> dict[str, Manifest]:
    """The manifests alone, by logical name."""
    return {one.name: one.manifest for one in plan}


def with_labels(plan: Iterable[Planned], labels: Mapping[str, str]) -> list[Planned]:
    """The same objects with `labels`, as far as one has none of its own."""
    return [replace(one, manifest=_labelled(one.manifest, labels)) for one in plan]


def _labelled(manifest: Manifest, labels: Mapping[str, str]) -> Manifest:
    metadata = manifest["metadata"]
    return {**manifest, "metadata": {**metadata, "labels": {**labels, **metadata.get("labels", {})}}}
