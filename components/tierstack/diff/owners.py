"""Of which component a resource is a part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from tierstack.diff import noise
from tierstack.diff.model import Component

OTHERS = Component("", "")
"""The component of what belongs to none."""


@dataclass(frozen=True)
class Owners:
    """The components of a plan: those that states name as their parents, at any depth."""

    parents: Mapping[str, str]
    """The parent of each resource that the plan has, by URN."""
    names: tuple[tuple[str, str], ...]
    """(name, kind) of all components that are known, the longest name first."""

    @classmethod
    def of(cls, states: Sequence[Mapping[str, Any]]) -> "Owners":
        """Read the states of a plan."""
        parents = {str(one["urn"]): str(one.get("parent") or "") for one in states if "urn" in one}
        customs = {str(one["urn"]) for one in states if one.get("custom")}
        urns = {*parents.values(), *parents} - customs - {""}
        # A parent that the plan does not list may be a custom resource: its type has a slash, a component's has none.
        found = {
            (_name(urn), _kind(urn)) for urn in urns if not _is_stack(urn) and (urn in parents or "/" not in _type(urn))
        }
        return cls(parents, tuple(sorted(found, key=lambda one: (-len(one[0]), one))))

    def of_resource(self, urn: str, state: Mapping[str, Any]) -> Component:
        """The nearest component that it is in: by its parents, else by its name among components of its type."""
        if not state.get("custom", True) and not _is_stack(urn):
            return Component(_name(urn), _kind(urn))
        known = dict.fromkeys(self.names)
        parent = str(state.get("parent") or "")
        while parent and not _is_stack(parent):
            if (_name(parent), _kind(parent)) in known:
                return Component(_name(parent), _kind(parent))
            parent = self.parents.get(parent, "")
        above = [one.rpartition(":")[2] for one in urn.split("::")[2].split("$")[:-1]]
        for name, kind in self.names:
            if kind in above and f"{_name(urn)}-".startswith(f"{name}-"):
                return Component(name, kind)
        inner = [one for one in urn.split("::")[2].split("$")[:-1] if "/" not in one]
        return Component("", inner[-1].rpartition(":")[2]) if inner else OTHERS


_KINDS = {
    "app-cluster": "AppCluster",
    "backup-schedule": "BackupSchedule",
    "cluster-addons": "ClusterAddons",
    "database-with-replicas": "DatabaseWithReplicas",
    "dns-records": "DNSRecords",
    "gateway": "Gateway",
    "mta-sts-host": "MtaStsHost",
    "object-storage": "ObjectStorage",
    "redis-cluster": "RedisCluster",
    "tls": "TLS",
}


def of_labels(manifest: Mapping[str, Any]) -> Component:
    """The component of a manifest, by the recommended labels of Kubernetes."""
    metadata = manifest.get("metadata")
    labels = cast(Mapping[str, Any], metadata).get("labels") if isinstance(metadata, Mapping) else None
    if not isinstance(labels, Mapping):
        return OTHERS
    given = cast(Mapping[str, Any], labels)
    kind = str(given.get("app.kubernetes.io/component", ""))
    return Component(str(given.get("app.kubernetes.io/name", "")), _KINDS.get(kind, ""))


def _type(urn: str) -> str:
    return urn.split("::")[2].rpartition("$")[2]


def _kind(urn: str) -> str:
    return _type(urn).rpartition(":")[2]


def _name(urn: str) -> str:
    return urn.split("::", 3)[3]


def _is_stack(urn: str) -> bool:
    return _type(urn) == noise.STACK
