"""ObjectStorage on Kubernetes: a Secret with its credentials."""

import pulumi

from tierstack.links import ObjectStore
from tierstack.object_storage.args import ObjectStorageArgs
from tierstack.platform.kubernetes.cluster import cluster

ACCESS_KEY, SECRET_KEY = "access-key-id", "secret-access-key"


def build(name: str, args: ObjectStorageArgs, parent: pulumi.Resource) -> tuple[ObjectStore, pulumi.Output[str]]:
    """The store for its consumers, with its keys in a Secret of the namespace; nothing is probed."""
    credentials = {ACCESS_KEY: args.access_key_id or "", SECRET_KEY: args.secret_access_key or ""}
    held = cluster(args.platform, parent).given_secret(f"{name}-credentials", parent, credentials)
    store = ObjectStore(
        bucket=args.bucket,
        prefix=args.prefix,
        endpoint_url=args.endpoint_url,
        region=args.region,
        access_key_id=held[ACCESS_KEY],
        secret_access_key=held[SECRET_KEY],
        place=args.platform.place,
    )
    return store, pulumi.Output.from_input("")
