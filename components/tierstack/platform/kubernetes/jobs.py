"""A Job, under a name that says what it runs (pure)."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

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
    late = list(_outputs(spec))
    if not late:
        return f"{prefix}-{config.digest(spec)}"
    return pulumi.Output.all(*late).apply(lambda known: f"{prefix}-{config.digest(_with(spec, iter(known)))}")


def _outputs(value: object) -> Iterator[pulumi.Output[Any]]:
    """The outputs within `value`, in order."""
    if isinstance(value, pulumi.Output):
        yield cast("pulumi.Output[Any]", value)
    elif isinstance(value, dict):
        for inner in cast(dict[str, object], value).values():
            yield from _outputs(inner)
    elif isinstance(value, list):
        for inner in cast(list[object], value):
            yield from _outputs(inner)


def _with(value: object, known: Iterator[object]) -> object:
    """`value` with each of its outputs replaced by the next of `known`."""
    if isinstance(value, pulumi.Output):
        return next(known)
    if isinstance(value, dict):
        return {key: _with(inner, known) for key, inner in cast(dict[str, object], value).items()}
    if isinstance(value, list):
        return [_with(inner, known) for inner in cast(list[object], value)]
    return value
