"""On which nodes pods run (pure)."""

from collections.abc import Mapping, Sequence

from tierstack.platform.kubernetes.manifest import Manifest

ZONE, NODE = "topology.kubernetes.io/zone", "kubernetes.io/hostname"


def spread(
    labels: Mapping[str, str], keys: Sequence[str] = (ZONE, NODE), *, each_release: bool = False
) -> list[Manifest]:
    """topologySpreadConstraints that prefer to spread pods with `labels` over zones and nodes: a cluster of few nodes,
    or of one zone, still runs them. `each_release`: those of each revision of a Deployment by themselves."""
    alone = {"matchLabelKeys": ["pod-template-hash"]} if each_release else {}
    constraint = {"maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {"matchLabels": dict(labels)}}
    return [{"topologyKey": key, **constraint, **alone} for key in keys]


def never_together(labels: Mapping[str, str]) -> Manifest:
    """Affinity that never puts two pods with `labels` on one node."""
    term = {"topologyKey": NODE, "labelSelector": {"matchLabels": dict(labels)}}
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def apart(labels: Mapping[str, str]) -> Manifest:
    """Affinity that puts pods with `labels` on different nodes where there are as many."""
    term = {"topologyKey": NODE, "labelSelector": {"matchLabels": dict(labels)}}
    weighted = {"weight": 100, "podAffinityTerm": term}
    return {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [weighted]}}
