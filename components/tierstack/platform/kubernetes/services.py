"""Services (pure): the names by which pods are reached."""

from collections.abc import Mapping, Sequence
from typing import Any

from tierstack.platform.kubernetes.manifest import Manifest, manifest


def service_port(name: str, number: int, target: int | str | None = None) -> Manifest:
    """A TCP port of a Service; `target` is the port of the pods, by number or name. None: the same."""
    return {"name": name, "port": number, **({} if target is None else {"targetPort": target}), "protocol": "TCP"}


def service(
    name: str,
    selected: Mapping[str, str],
    ports: Sequence[Manifest],
    *,
    namespace: str | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    **fields: Any,
) -> Manifest:
    """A Service in front of the selected pods. `fields`: further ones of its spec."""
    spec = {"selector": dict(selected), "ports": list(ports), **fields}
    return manifest("v1", "Service", name, spec, namespace=namespace, labels=labels, annotations=annotations)
