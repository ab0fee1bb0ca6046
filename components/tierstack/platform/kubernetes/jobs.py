"""A Job, under a name that says what it runs (pure)."""

from collections.abc import Mapping
from typing import cast

import pulumi

from tierstack.platform import Platform
from tierstack.platform.kubernetes import config, pod_settings
from tierstack.platform.kubernetes.manifest import REPLACE_UNREADY, Manifest, manifest


def job(
    prefix: str,
    template: Manifest,
    platform: Platform,
    *,
    retries: int,
    deadline_seconds: int,
    labels: Mapping[str, str] | None = None,
    stores: bool = False,
) -> Manifest:
    """A Job named `<prefix>-<digits of all that it runs>`, because the API server changes no Job: whatever changes in
    its spec, what the platform settles for all pods too, is another Job, and the same spec is the same one.

    It fails after so many `retries`, or at its deadline; the next update then makes it anew. `stores`: its pods keep
    data, or lead to it. The name is an output where the template has one.
    """
    never = {**template, "spec": {**template["spec"], "restartPolicy": "Never"}}
    spec = {"backoffLimit": retries, "activeDeadlineSeconds": deadline_seconds, "template": never}
    unnamed = manifest("batch/v1", "Job", prefix, spec, labels=labels, annotations=REPLACE_UNREADY)
    settled = pod_settings.settled(unnamed, platform, stores=stores)
    return {**settled, "metadata": {**settled["metadata"], "name": _name(prefix, settled["spec"])}}


def _name(prefix: str, spec: Manifest) -> pulumi.Input[str]:
    if not _waits(spec):
        return f"{prefix}-{config.digest(spec)}"
    return pulumi.Output.from_input(spec).apply(lambda known: f"{prefix}-{config.digest(known)}")


def _waits(value: object) -> bool:
    """Whether `value` is or has an output."""
    if isinstance(value, dict):
        return any(map(_waits, cast(dict[str, object], value).values()))
    if isinstance(value, list):
        return any(map(_waits, cast(list[object], value)))
    return isinstance(value, pulumi.Output)
