"""ObjectStorage as a part of stacks."""

from tierstack.core.section import Presence, Section
from tierstack.links import ObjectStore, SecretRef
from tierstack.object_storage.args import ObjectStorageArgs


def _placeholder(args: ObjectStorageArgs) -> ObjectStore:
    key = SecretRef(secret_name="secret", key="key")
    return ObjectStore(bucket=args.bucket, access_key_id=key, secret_access_key=key)


SECTION = Section(
    key="object_storage",
    text="The bucket that backups on Kubernetes go to. Left out: there is none.",
    args=ObjectStorageArgs,
    component="tierstack.object_storage:ObjectStorage",
    name="storage",
    presence=Presence.OPTIONAL,
    link="store",
    placeholder=_placeholder,
)
