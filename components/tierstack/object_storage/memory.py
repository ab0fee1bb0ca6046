"""The memory of the containers of an ObjectStorage on a Docker host. Pure, and without what runs in them."""

from tierstack.core.memory import Phase, Reserved
from tierstack.object_storage.args import ObjectStorageArgs

PROBE_MB = 256
"""MiB of the conformance probe: Python with boto3, and a part of 5 MiB."""


def reserved(args: ObjectStorageArgs) -> list[Reserved]:
    """What its containers reserve."""
    found = [Reserved(args.container_memory_mb)] if args.self_hosted else []
    return [*found, *([Reserved(PROBE_MB, phase=Phase.ONCE)] if args.probe_image is not None else [])]
