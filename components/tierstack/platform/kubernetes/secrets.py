"""Secrets as manifests (pure): applied as they are, and for rendered files those that the cluster makes or fetches."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from tierstack.platform import Platform
from tierstack.platform.kubernetes.manifest import Manifest, manifest

OPAQUE = "Opaque"
_GENERATORS = "generators.external-secrets.io/v1alpha1"


def applied(name: str, content: Any, secret_type: str) -> Manifest:
    """A Secret with its content: a map of strings, or an output of one, that must be marked as secret."""
    return manifest("v1", "Secret", name, type=secret_type, stringData=content)


def generator(name: str, length: int) -> Manifest:
    """What makes a random password of letters and digits inside the cluster."""
    spec = {
        "length": length,
        "digits": math.ceil(length / 4),
        "symbols": 0,
        "noUpper": False,
        "allowRepeat": True,
    }
    return manifest(_GENERATORS, "Password", name, spec)


def generated(name: str, key: str, fixed: Mapping[str, str], secret_type: str) -> Manifest:
    """The Secret `name` with a password of its `generator` under `key`, made once, beside the `fixed` values."""
    reference = {"apiVersion": _GENERATORS, "kind": "Password", "name": name}
    template = {"type": secret_type, "data": {**fixed, key: "{{ .password }}"}}
    spec = {
        "refreshPolicy": "CreatedOnce",
        "target": {"name": name, "template": template},
        "dataFrom": [{"sourceRef": {"generatorRef": reference}}],
    }
    return _external(name, spec)


def from_store(name: str, keys: Iterable[str], platform: Platform, secret_type: str) -> Manifest:
    """The Secret `name` with `keys` from the platform's store: at `<namespace>/<name>`, property = key."""
    remote = f"{platform.name}/{name}"
    # An Opaque Secret is what External Secrets makes where nothing else is said.
    template = {} if secret_type == OPAQUE else {"template": {"type": secret_type}}
    spec = {
        "refreshInterval": "1h",
        "secretStoreRef": {"kind": "ClusterSecretStore", "name": platform.secret_store},
        "target": {"name": name, **template},
        "data": [{"secretKey": key, "remoteRef": {"key": remote, "property": key}} for key in sorted(keys)],
    }
    return _external(name, spec)


def _external(name: str, spec: Manifest) -> Manifest:
    return manifest("external-secrets.io/v1", "ExternalSecret", name, spec)
