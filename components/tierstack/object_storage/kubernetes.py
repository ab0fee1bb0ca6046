"""ObjectStorage on Kubernetes: a Secret with its credentials."""

import pulumi

from tierstack.links import SecretRef
from tierstack.object_storage.args import ObjectStorageArgs
from tierstack.platform.kubernetes.cluster import cluster

ACCESS_KEY, SECRET_KEY = "access-key-id", "secret-access-key"


def build(name: str, args: ObjectStorageArgs, parent: pulumi.Resource) -> tuple[SecretRef, SecretRef]:
    """Access key and its secret, in a Secret of the namespace."""
    credentials = {ACCESS_KEY: args.access_key_id or "", SECRET_KEY: args.secret_access_key or ""}
    held = cluster(args.platform, parent).given_secret(f"{name}-credentials", parent, credentials)
    return held[ACCESS_KEY], held[SECRET_KEY]
