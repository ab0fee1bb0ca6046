"""ObjectStorage as a part of stacks."""

from tierstack.core.section import Drawing, ImageKey, Node, Presence, Section, Surroundings
from tierstack.links import ObjectStore, SecretRef, TrustedCA
from tierstack.object_storage import changes
from tierstack.object_storage.args import ObjectStorageArgs
from tierstack.object_storage.memory import reserved


def _placeholder(args: ObjectStorageArgs) -> ObjectStore:
    key = SecretRef(secret_name="secret", key="key")
    hosted = args.self_hosted
    return ObjectStore(
        bucket=args.bucket,
        prefix=args.prefix,
        endpoint_url="https://storage:7070" if hosted else args.endpoint_url,
        region=args.region,
        access_key_id=key,
        secret_access_key=key,
        network="network" if hosted else None,
        ca=TrustedCA(volume="volume") if hosted else None,
    )


def _drawing(args: ObjectStorageArgs, around: Surroundings) -> Drawing:
    if not args.self_hosted:
        return Drawing()
    return Drawing([Node(around.box("storage"), "object storage", args.bucket, "backup", 5)])


SECTION = Section(
    key="object_storage",
    text="The bucket that backups go to. Left out: there is none.",
    args=ObjectStorageArgs,
    component="tierstack.object_storage:ObjectStorage",
    name="storage",
    presence=Presence.OPTIONAL,
    images=(
        ImageKey(
            key="versitygw",
            text="Docker: VersityGW 1.8 or newer, with `/bin/sh` and curl or wget. Required for a self-hosted "
            "`object_storage`.",
            docker="image",
            required=True,
            only=("self_hosted", True),
        ),
        ImageKey(
            key="barman",
            text="Docker: an image with Python and boto3, in which `object_storage` is probed.",
            docker="probe_image",
        ),
    ),
    link="store",
    placeholder=_placeholder,
    reserved=reserved,
    drawing=_drawing,
    changes=changes.problems_of,
    ends={"": "storage"},
)
