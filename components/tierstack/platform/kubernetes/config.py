"""Configuration files in a ConfigMap (pure)."""

import hashlib
import json
from collections.abc import Mapping

from tierstack.platform.kubernetes.manifest import Manifest, manifest

DIGITS = 8
"""Hexadecimal digits of the content in a ConfigMap's name."""


def config_map(prefix: str, files: Mapping[str, str], labels: Mapping[str, str] | None = None) -> Manifest:
    """Files, in an object named `<prefix>-<digits of the content>`: a change makes another one and rolls the pods, and
    pods of the old revision keep theirs."""
    name = f"{prefix}-{digest(files)}"
    return manifest("v1", "ConfigMap", name, labels=labels, immutable=True, data=dict(files))


def digest(content: object) -> str:
    """Hexadecimal digits that stand for `content` (anything JSON)."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:DIGITS]


def name_of(made: Manifest) -> str:
    """The name of an object that was made here."""
    return str(made["metadata"]["name"])
