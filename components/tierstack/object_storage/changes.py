"""What cannot be asked of a bucket, by what the last probe found of its endpoint. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from tierstack.core.before import Before
from tierstack.core.diagnostics import Diagnostic, declare
from tierstack.object_storage import conformance
from tierstack.object_storage.args import ObjectStorageArgs

declare(
    "store-lacks",
    "A bucket cannot be asked for what its endpoint was found unable to do.",
    why="`up` tried it, and the endpoint answered that it does not support it.",
    wrong="object_storage: {lifecycle: true}, where the endpoint has no lifecycle rules",
    right="object_storage: {lifecycle: false}",
)


def problems_of(args: ObjectStorageArgs, name: str, before: Before) -> list[Diagnostic]:
    """What is wrong with the change from what was made under the component's `name`."""
    component = before.component("ObjectStorage", name)
    said = component.get("capabilities") if component else None
    found: Mapping[str, Any] = json.loads(said) if isinstance(said, str) and said else {}
    if args.self_hosted or found.get("endpoint") != args.endpoint_url or not args.probe_image:
        return []
    return [
        _lacking(argument, getattr(args, argument), found["probed_at"])
        for capability, argument in args.wanted.items()
        if found["findings"].get(capability) == conformance.UNSUPPORTED
    ]


def _lacking(argument: str, value: object, probed_at: str) -> Diagnostic:
    wrong = f"is asked of an endpoint that does not support it, as the probe of {probed_at} found"
    return Diagnostic(argument, value, wrong, "remove it, or use another endpoint", "store-lacks")
