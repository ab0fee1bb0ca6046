"""Routes of the Gateway API (pure): which requests of the proxy go where."""

from collections.abc import Mapping, Sequence
from typing import Any

from tierstack.platform.kubernetes.manifest import Manifest, manifest

GATEWAY_API = "gateway.networking.k8s.io/v1"
"""The version that is used."""


def http_route(
    name: str,
    gateway: Any,
    listener: str,
    rules: Sequence[Manifest],
    *,
    hostnames: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> Manifest:
    """A route of `listener` of a Gateway in the same namespace. `hostnames` None: all that the listener has."""
    spec: Manifest = {"parentRefs": [{"name": gateway, "sectionName": listener}], "rules": list(rules)}
    if hostnames is not None:
        spec["hostnames"] = list(hostnames)
    return manifest(GATEWAY_API, "HTTPRoute", name, spec, labels=labels)


def path(value: str, kind: str = "PathPrefix") -> list[Manifest]:
    """What a rule matches: a path, `PathPrefix` or `Exact`."""
    return [{"path": {"type": kind, "value": value}}]


def backend(service: str, number: int, weight: int) -> Manifest:
    """The Service that a rule sends to, at its port `number`, and its share of the requests."""
    return {"name": service, "port": number, "weight": weight}
