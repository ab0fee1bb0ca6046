"""ObjectStorage on a Docker host: credentials stay in the engine until a component writes them into its own volume."""

import pulumi

from tierstack.links import SecretRef
from tierstack.object_storage.args import ObjectStorageArgs


def build(name: str, args: ObjectStorageArgs, parent: pulumi.Resource) -> tuple[SecretRef, SecretRef]:
    """Access key and its secret. Registers nothing."""
    assert args.access_key_id is not None  # by the arguments' rules
    assert args.secret_access_key is not None
    return (
        SecretRef(value=pulumi.Output.secret(args.access_key_id)),
        SecretRef(value=pulumi.Output.secret(args.secret_access_key)),
    )
