"""ObjectStorage: a bucket with an S3 API, which databases archive to."""

import pulumi

from tierstack.links import ObjectStore
from tierstack.object_storage import docker, kubernetes
from tierstack.object_storage.args import ObjectStorageArgs, StoreKeyArgs
from tierstack.object_storage.changes import problems_of
from tierstack.platform import PlatformKind
from tierstack.platform.component import Component
from tierstack.platform.program import NameRule

__all__ = ["ObjectStorage", "ObjectStorageArgs", "StoreKeyArgs"]


class ObjectStorage(Component):
    """A bucket with its keys, external or self-hosted; hand `store` to what keeps something in it."""

    names = NameRule(docker=63, kubernetes=51)
    changes = staticmethod(problems_of)

    location: pulumi.Output[str]
    """Bucket and folder: `s3://<bucket>/<prefix>`."""
    capabilities: pulumi.Output[str]
    """What the conformance probe found, as JSON: `endpoint`, `probed_at` and `findings`, for each capability `yes` or
    why not. Empty: nothing was probed."""
    store: ObjectStore
    """The bucket: what a DatabaseWithReplicas takes as `archive.store`, and a BackupSchedule as `store`."""

    def __init__(self, name: str, args: ObjectStorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError with everything that is wrong in `args`; nothing is registered then."""
        args = self.begin(name, args, ObjectStorageArgs, opts)
        build = docker.build if args.platform.kind is PlatformKind.DOCKER else kubernetes.build
        self.store, capabilities = build(self.physical_name, args, self)
        self.finish({"location": self.store.location, "capabilities": capabilities})
