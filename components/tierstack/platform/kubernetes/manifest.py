"""One Kubernetes object as plain data, as the Kubernetes reference writes it."""

from collections.abc import Mapping
from typing import Any

Manifest = dict[str, Any]

SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}
"""The engine does not wait for the object: it is ready only after what needs it. A claim is bound when a pod uses it
(many storage classes), and a Service has endpoints when its pods are ready, which their workload waits for."""
WAIT_READY = {"pulumi.com/waitFor": "condition=Ready"}
"""The engine waits for the condition Ready of an object whose kind the provider does not know."""
BACKGROUND_DELETION = {"pulumi.com/deletionPropagationPolicy": "background"}
"""What belongs to the object is deleted after it, not before."""
REPLACE_UNREADY = {"pulumi.com/replaceUnready": "true"}
"""A Job that has failed never runs again, so the next update makes it anew instead of waiting for it."""


def manifest(
    api_version: str,
    kind: str,
    name: Any,
    spec: Mapping[str, Any] | None = None,
    *,
    namespace: str | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Manifest:
    """An object. `name`: a string, or an output. `fields`: those beside `spec`, such as `data` of a ConfigMap."""
    metadata: Manifest = {"name": name}
    if namespace is not None:
        metadata["namespace"] = namespace
    # The API server drops empty maps, and what it drops would be a difference for ever.
    metadata |= {key: dict(one) for key, one in (("labels", labels), ("annotations", annotations)) if one}
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": metadata,
        **({"spec": dict(spec)} if spec is not None else {}),
        **fields,
    }
