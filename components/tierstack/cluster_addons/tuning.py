"""How operators run (pure): copies, leases and evictions, so that the loss of a pod or a node costs seconds.

The vendors' manifests run one copy of most operators. One copy on a lost node comes back after the node is declared
lost (40–50 s by Kubernetes' defaults) *and* 300 s, the default toleration of an unreachable node: until then nothing
fails over. Two copies, on two nodes, with a short leader lease, take over within the lease.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tierstack.platform.kubernetes.budget import disruption_budget
from tierstack.platform.kubernetes.manifest import Manifest
from tierstack.platform.kubernetes.placement import apart
from tierstack.platform.kubernetes.workload import rolling

EVICTION_SECONDS = 10
"""How long a pod of an operator stays bound to a node that does not answer; they hold nothing that could be lost."""


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What one Deployment takes. `{lease}` and `{renew}` stand for seconds."""

    copies: bool = True
    """Whether more than one copy is of use."""
    arguments: tuple[str, ...] = ()
    gateway_arguments: tuple[str, ...] = ()
    """Further ones where the cluster has the Gateway API."""
    since: dict[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    """First version that knows an argument: a manifest of an older one does not get it."""
    without: tuple[str, ...] = ()
    """Arguments of the vendor's that go away."""
    environment: dict[str, str] = field(default_factory=dict[str, str])
    strategy: dict[str, Any] | None = None


_FLAGS = (
    "--leader-election-lease-duration={lease}s",
    "--leader-election-renew-deadline={renew}s",
    "--leader-election-retry-period=2s",
)
_KEDA = "KEDA_OPERATOR_LEADER_ELECTION"
TUNINGS: dict[str, Tuning] = {
    "cnpg-controller-manager": Tuning(
        arguments=("--leader-lease-duration={lease}", "--leader-renew-deadline={renew}"),
    ),
    # Its runnable serves only while it leads, so that a second copy would never be ready; without election both
    # serve, and both write the same roles for the same ObjectStore. CloudNativePG asks it in every reconciliation:
    # with one copy, on the lost node, no cluster with backups fails over.
    "barman-cloud": Tuning(
        without=("--leader-elect", "--log-level=debug"),
        arguments=("--log-level=info",),
        strategy=rolling(unavailable=0, surge=1),
    ),
    # It can shift weights of a TraefikService, which an HTTPRoute may name as its backend, once it knows the API group
    # that Traefik 3 uses: traffic routing without the Gateway API plugin, which is a program fetched at every start.
    "argo-rollouts": Tuning(
        arguments=(*_FLAGS, "--traefik-api-group=traefik.io", "--traefik-api-version=traefik.io/v1alpha1"),
    ),
    # Without the argument it refuses challenges of HTTP-01 that go through a Gateway; with it, it does not start where
    # the resources of the Gateway API are missing. Before 1.15 a feature gate took its place.
    "cert-manager": Tuning(
        arguments=_FLAGS,
        gateway_arguments=("--enable-gateway-api",),
        since={"--enable-gateway-api": (1, 15)},
    ),
    "cert-manager-cainjector": Tuning(arguments=_FLAGS),
    "cert-manager-webhook": Tuning(),
    "keda-operator": Tuning(
        environment={
            f"{_KEDA}_LEASE_DURATION": "{lease}s",
            f"{_KEDA}_RENEW_DEADLINE": "{renew}s",
            f"{_KEDA}_RETRY_PERIOD": "2s",
        }
    ),
    "keda-admission": Tuning(),
    # KEDA's manual advises one: https://keda.sh/docs/latest/operate/cluster/#high-availability
    "keda-metrics-apiserver": Tuning(copies=False),
    "external-secrets": Tuning(
        arguments=("--enable-leader-election=true", *_FLAGS),
        since=dict.fromkeys(_FLAGS, (2, 8)),
    ),
    "external-secrets-webhook": Tuning(),
    "external-secrets-cert-controller": Tuning(copies=False),
    "metrics-server": Tuning(copies=False),
}
"""By name of the Deployment; others stay as they are."""


def renew_seconds(lease_seconds: int) -> int:
    """How long a leader may try to renew its lease before it steps down: two thirds, as Kubernetes' own default."""
    return lease_seconds * 2 // 3


def version(manifest: Manifest) -> tuple[int, ...] | None:
    """Version that the vendor's manifest says it is of; None where it says none, or the name of a branch."""
    labels: Manifest = manifest["metadata"].get("labels") or {}
    match = re.match(r"v?(\d+(?:\.\d+)*)", str(labels.get("app.kubernetes.io/version", "")))
    return tuple(map(int, match[1].split("."))) if match else None


def tuned(manifest: Manifest, replicas: int, lease_seconds: int, *, gateway_api: bool) -> Iterator[Manifest]:
    """`manifest` and what belongs beside it. `gateway_api`: whether the cluster has the Gateway API's resources."""
    name = manifest["metadata"]["name"]
    if manifest["kind"] != "Deployment" or name not in TUNINGS:
        yield manifest
        return
    tuning = TUNINGS[name]
    spec = manifest["spec"]
    copies = replicas if tuning.copies else 1
    spec["replicas"] = copies
    if tuning.strategy:
        spec["strategy"] = tuning.strategy
    pod = spec["template"]["spec"]
    container = pod["containers"][0]
    times = {"lease": lease_seconds, "renew": renew_seconds(lease_seconds)}
    kept = [one for one in container.get("args", []) if one not in tuning.without]
    known = [one for one in tuning.arguments if _knows(manifest, tuning, one)]
    if gateway_api:
        known += [one for one in tuning.gateway_arguments if _knows(manifest, tuning, one)]
    if arguments := [*kept, *(one.format(**times) for one in known)]:
        container["args"] = arguments
    variables = [{"name": key, "value": value.format(**times)} for key, value in tuning.environment.items()]
    if variables:
        container["env"] = [*container.get("env", []), *variables]
    # A throttled operator fails over late; its memory stays limited.
    container.get("resources", {}).get("limits", {}).pop("cpu", None)
    pod["tolerations"] = [*pod.get("tolerations", []), *tolerations()]
    if copies > 1:
        labels = spec["selector"]["matchLabels"]
        pod["affinity"] = {**apart(labels), **pod.get("affinity", {})}
        yield disruption_budget(name, labels, namespace=manifest["metadata"]["namespace"])
    yield manifest


def _knows(manifest: Manifest, tuning: Tuning, argument: str) -> bool:
    given = version(manifest)
    return given is None or given >= tuning.since.get(argument, ())


def tolerations() -> list[Manifest]:
    """Of a pod that may be replaced at once when its node does not answer."""
    return [
        {
            "key": f"node.kubernetes.io/{state}",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": EVICTION_SECONDS,
        }
        for state in ("not-ready", "unreachable")
    ]
