"""What a stack has made so far, as its state has it, and what is alike in the rules about changes. Pure.

A rule about a change compares what a component made with what its arguments now say, before anything is registered:
the server would refuse the change in the middle of an update, or do it and lose what the data is reached by.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from tierstack.core.diagnostics import Diagnostic, declare, declared
from tierstack.core.quantities import GIB, quantity

declare(
    "volume-shrinks",
    "A volume cannot become smaller.",
    "Kubernetes: Persistent Volumes; CloudNativePG: Storage",
    why="No storage can do it in place: the API server or the operator refuses the update, after half of it is done.",
    wrong="storage_gb: 20 where the volume has 50",
    right="storage_gb: 50",
)


@dataclass(frozen=True)
class Before:
    """The resources of a stack's state."""

    resources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    """URN → {"type", "outputs"}. Empty: nothing was made, or nobody could read it."""

    def component(self, cls: str, name: str) -> Mapping[str, Any] | None:
        """The outputs of a component, by its class and name. None: there is none, or several that a name alone does not
        tell apart."""
        found = [
            one
            for urn, one in self.resources.items()
            if one["type"] == f"tierstack:index:{cls}" and urn.endswith(f"::{name}")
        ]
        return found[0]["outputs"] if len(found) == 1 else None

    def manifest(self, kind: str, namespace: str, name: str) -> Mapping[str, Any] | None:
        """An object of a cluster. None: there is none."""
        for one in self.resources.values():
            outputs = cast(Mapping[str, Any], one["outputs"])
            if str(one["type"]).startswith("kubernetes:") and outputs.get("kind") == kind:
                metadata = _map(outputs.get("metadata"))
                if (metadata.get("namespace"), metadata.get("name")) == (namespace, name):
                    return outputs
        return None

    def has_volume(self, name: str) -> bool:
        """Whether a Docker host has a volume of this name."""
        return any(
            one["type"] == "docker:index/volume:Volume" and one["outputs"].get("name") == name
            for one in self.resources.values()
        )


def at(manifest: Mapping[str, Any] | None, *path: str) -> object:
    """What stands in an object of a cluster, at a path; None where nothing does."""
    found: object = manifest
    for key in path:
        found = _map(found).get(key)
    return found


def shrinks(path: str, gigabytes: int, volume: object, what: str) -> list[Diagnostic]:
    """The problem of a volume of size `volume` (`50Gi`) and would get `gigabytes` (GiB); none where nobody knows
    what it has. `what`: what to do instead, as the clause `make another database`."""
    has = quantity(volume) if isinstance(volume, str) else None
    if has is None or gigabytes * GIB >= has:
        return []
    message = f"is less than the {volume} that the volume has, and a volume cannot shrink"
    hint = f"write at least {math.ceil(has / GIB)}, or {what} and move the data"
    return [Diagnostic(path, gigabytes, message, hint, "volume-shrinks")]


def is_about_change(code: str) -> bool:
    """Whether a rule compares with what was made: those are declared in modules called `changes`."""
    rule = declared().get(code)
    return rule is not None and rule.module.endswith((".changes", ".before"))


def _map(value: object) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], value) if isinstance(value, Mapping) else {}
