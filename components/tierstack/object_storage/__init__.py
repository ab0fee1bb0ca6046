"""ObjectStorage: a bucket with an S3 API, which databases archive to."""

import pulumi

from tierstack.links import ObjectStore
from tierstack.object_storage import docker, kubernetes
from tierstack.object_storage.args import ObjectStorageArgs
from tierstack.platform import PlatformKind
from tierstack.platform.component import Component
from tierstack.platform.program import NameRule

__all__ = ["ObjectStorage", "ObjectStorageArgs"]


class ObjectStorage(Component):
    """A bucket with its credentials; hand `store` to what keeps something in it."""

    names = NameRule(docker=63, kubernetes=51)

    location: pulumi.Output[str]
    """Bucket and folder: `s3://<bucket>/<prefix>`."""
    store: ObjectStore
    """The bucket: what a DatabaseWithReplicas takes as `archive.store`."""

    def __init__(self, name: str, args: ObjectStorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError with everything that is wrong in `args`; nothing is registered then."""
        args = self.begin(name, args, ObjectStorageArgs, opts)
        build = docker.build if args.platform.kind is PlatformKind.DOCKER else kubernetes.build
        access_key_id, secret_access_key = build(self.physical_name, args, self)
        self.store = ObjectStore(
            bucket=args.bucket,
            prefix=args.prefix,
            endpoint_url=args.endpoint_url,
            region=args.region,
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
            place=args.platform.place,
        )
        self.finish({"location": self.store.location})
