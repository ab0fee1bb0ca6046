"""Disruption budgets (pure): how many pods of a workload may be away while nodes are drained."""

from collections.abc import Mapping

from tierstack.platform.kubernetes.manifest import Manifest, manifest


def disruption_budget(
    name: str,
    selected: Mapping[str, str],
    *,
    unready_too: bool = False,
    namespace: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> Manifest:
    """A drain takes one of the selected pods at a time.

    `unready_too`: pods that are not ready may always be taken, so that a release that never gets ready holds up no
    drain. Not for what is unready while it waits for others, such as a proxy without a primary behind it.
    """
    spec: Manifest = {"maxUnavailable": 1, "selector": {"matchLabels": dict(selected)}}
    if unready_too:
        spec["unhealthyPodEvictionPolicy"] = "AlwaysAllow"
    return manifest("policy/v1", "PodDisruptionBudget", name, spec, namespace=namespace, labels=labels)
