"""ObjectStorage on a Docker host: an external bucket that is probed, or a gateway with the bucket in a volume."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import pulumi
import pulumi_random as random

from tierstack.links import ObjectStore, SecretRef, StoreKey, StorePurpose, TrustedCA
from tierstack.object_storage import probe, server
from tierstack.object_storage.args import ObjectStorageArgs, StoreKeyArgs
from tierstack.object_storage.memory import PROBE_MB
from tierstack.object_storage.probed import Probe
from tierstack.platform.docker import Attachment, Health, Host, Mount, Service, host
from tierstack.platform.internal_ca import SERVER_DIRECTORY, ca_directory, ca_path
from tierstack.platform.internal_ca.docker import Authority
from tierstack.platform.revision import ANNOTATION, revision_of

_OWNER = (server.UID, server.UID)
_PROBE_SECONDS = 300
_DELIVERED = ("conformance.py", "probe.py")
"""Modules of this package that run in the container of the probe."""
_ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": f"{probe.CONFIG}/lib", "TZ": "UTC"}
_OUTWARD = "bridge"
"""The daemon's own network, by which a container reaches an endpoint elsewhere."""


@dataclass(frozen=True, kw_only=True)
class _Endpoint:
    """Where the store answers, and the keys by purpose: id and secret."""

    url: str | None
    region: str | None
    network: pulumi.Input[str] | None
    ca: TrustedCA | None
    keys: Mapping[str, tuple[pulumi.Input[str], pulumi.Input[str]]]
    root: pulumi.Input[str] | None = None
    """The secret of a self-hosted store's root account."""
    ready: pulumi.Resource | None = None
    """What must be there before it answers."""


def build(name: str, args: ObjectStorageArgs, parent: pulumi.Resource) -> tuple[ObjectStore, pulumi.Output[str]]:
    """The store for its consumers, and what the probe found (empty: nothing was probed)."""
    on = host(args.platform, parent)
    at = _hosted(name, args, parent, on) if args.self_hosted else _external(args)
    if args.probe_image is None:
        return _store(args, at, None), pulumi.Output.from_input("")
    probed = _probe(name, args, parent, on, at)
    return _store(args, at, probed), probed.capabilities.apply(lambda found: found or "")


def _store(args: ObjectStorageArgs, at: _Endpoint, probed: Probe | None) -> ObjectStore:
    """What consumers get. Its keys are known when the probe has ended, so that what uses them starts after it."""

    def key(purpose: StorePurpose) -> StoreKey | None:
        if purpose.value not in at.keys:
            return None
        both = [pulumi.Output.secret(one) for one in at.keys[purpose.value]]
        digits = revision_of({"id": both[0], "secret": both[1]}) if at.root is not None else None
        if probed is not None:
            both = [pulumi.Output.all(one, probed.id).apply(lambda known: str(known[0])) for one in both]
        key_id, secret = (SecretRef(value=one, revision=digits) for one in both)
        return StoreKey(access_key_id=key_id, secret_access_key=secret)

    write = key(StorePurpose.WRITE)
    assert write is not None
    return ObjectStore(
        bucket=args.bucket,
        prefix=args.prefix,
        endpoint_url=at.url,
        region=at.region,
        access_key_id=write.access_key_id,
        secret_access_key=write.secret_access_key,
        prune=key(StorePurpose.PRUNE),
        drill=key(StorePurpose.DRILL),
        network=at.network,
        ca=at.ca,
        place=args.platform.place,
    )


def _external(args: ObjectStorageArgs) -> _Endpoint:
    assert args.access_key_id is not None  # by the arguments' rules
    assert args.secret_access_key is not None
    others: dict[str, StoreKeyArgs | None] = {
        StorePurpose.PRUNE.value: args.prune,
        StorePurpose.DRILL.value: args.drill,
    }
    return _Endpoint(
        url=args.endpoint_url,
        region=args.region,
        network=None,
        ca=None,
        keys={
            StorePurpose.WRITE.value: (args.access_key_id, args.secret_access_key),
            **{purpose: (key.access_key_id, key.secret_access_key) for purpose, key in others.items() if key},
        },
    )


def _hosted(name: str, args: ObjectStorageArgs, parent: pulumi.Resource, on: Host) -> _Endpoint:
    """The gateway in a network of its own, its data in a protected volume."""
    assert args.image is not None  # by the arguments' rules

    def password(of: str) -> pulumi.Output[str]:
        opts = pulumi.ResourceOptions(parent=parent)
        return random.RandomPassword(f"{name}-{of}", length=40, special=False, opts=opts).result

    root = password(server.ROOT)
    secrets = {purpose.value: password(purpose.value) for purpose in server.KEYS}
    network = on.network(f"{name}-network", parent, internal=True)
    data = on.volume(f"{name}-data", parent, data=True)
    config = on.volume(f"{name}-config", parent, data=False)
    # Whatever image it is, the volume belongs to the gateway's user once a file was written into it.
    owned = on.files(
        f"{name}-data-files",
        parent,
        volume=data,
        files={"tierstack": "The objects of a tierstack ObjectStorage.\n"},
        image=args.image,
        owner=_OWNER,
    )
    scripts = server.scripts()
    given: dict[str, pulumi.Input[str]] = {
        **scripts,
        "root.env": pulumi.Output.secret(root).apply(server.root_environment),
        "iam/users.json": pulumi.Output.secret(pulumi.Output.all(**secrets)).apply(server.accounts),
    }
    configured = on.files(f"{name}-files", parent, volume=config, files=given, image=args.image, owner=_OWNER)
    authority = Authority(name, parent, on, generation=args.ca_generation, image=args.image, owner=_OWNER)
    certificate = authority.server(f"{name}-server-tls", [name], _OWNER)
    container = on.container(
        name,
        parent,
        Service(
            image=args.image,
            command=["/bin/sh", f"{server.CONFIG_DIR}/start.sh"],
            user=f"{server.UID}:{server.UID}",
            networks=[Attachment(network=network.name, aliases=[name])],
            memory_mb=args.container_memory_mb,
            mounts=[
                Mount(volume=owned.volume, path=server.DATA_DIR),
                Mount(volume=configured.volume, path=server.CONFIG_DIR, read_only=True),
                Mount(volume=certificate.volume, path=SERVER_DIRECTORY, read_only=True),
            ],
            health=Health(command=["/bin/sh", f"{server.CONFIG_DIR}/health.sh"], timeout=6),
            # It reads certificate, scripts and root account only when it starts.
            labels={
                "tierstack.dev/configuration": _digest(scripts),
                "tierstack.dev/certificate": certificate.fingerprint.apply(lambda text: text[:12]),
                ANNOTATION: revision_of({"root": root}),
            },
        ),
    )
    return _Endpoint(
        url=server.endpoint(name),
        region=server.REGION,
        network=network.name,
        ca=authority.trusted,
        keys={purpose: (purpose, secret) for purpose, secret in secrets.items()},
        root=root,
        ready=container,
    )


def _probe(name: str, args: ObjectStorageArgs, parent: pulumi.Resource, on: Host, at: _Endpoint) -> Probe:
    """The probe, which makes a self-hosted bucket first."""
    assert args.probe_image is not None
    volume = on.volume(f"{name}-probe-config", parent, data=False)
    program = {
        f"lib/tierstack/object_storage/{module}": (resources.files("tierstack.object_storage") / module).read_text()
        for module in _DELIVERED
    }
    plain: dict[str, Any] = {
        "bucket": args.bucket,
        "prefix": args.prefix,
        "endpoint_url": at.url,
        "region": at.region,
        "ca_path": ca_path("store") if at.ca else None,
        "make": _declared(args) if at.root is not None else None,
    }
    pairs = {purpose: pulumi.Output.all(id=pair[0], secret=pair[1]) for purpose, pair in at.keys.items()}
    if at.root is not None:
        pairs[server.ROOT] = pulumi.Output.all(id=server.ROOT, secret=at.root)
    settings = pulumi.Output.secret(pulumi.Output.all(**pairs)).apply(lambda keys: json.dumps({**plain, "keys": keys}))
    configured = on.files(
        f"{name}-probe-files",
        parent,
        volume=volume,
        files={**program, probe.SETTINGS: settings},
        image=args.image or args.probe_image,
        owner=_OWNER,
    )
    mounts: dict[str, pulumi.Input[str]] = {str(probe.CONFIG): configured.volume}
    if at.ca is not None and at.ca.volume is not None:
        mounts[ca_directory("store")] = at.ca.volume
    secrets = {f"{purpose}-{part}": value for purpose, pair in at.keys.items() for part, value in enumerate(pair)}
    return Probe(
        f"{name}-probe",
        container_name=on.container_name(f"{name}-probe", parent),
        image=args.probe_image,
        command=["python3", "-m", probe.__name__],
        user=f"{server.UID}:{server.UID}",
        network=at.network or _OUTWARD,
        environment=dict(_ENVIRONMENT),
        mounts=mounts,
        triggers={
            "settings": _digest({**program, "settings": json.dumps(plain, sort_keys=True)}),
            "keys": revision_of(secrets),
        },
        memory_mb=PROBE_MB,
        timeout_seconds=_PROBE_SECONDS,
        wanted=args.wanted,
        endpoint=at.url,
        location=f"s3://{args.bucket}",
        docker_host=args.platform.docker_host,
        opts=pulumi.ResourceOptions(parent=parent, depends_on=on.after([at.ready] if at.ready else [])),
    )


def _declared(args: ObjectStorageArgs) -> dict[str, Any]:
    """The bucket of a self-hosted store."""
    return {"versioning": args.versioning, "lock_days": args.lock_days, "policy": server.policy(args.bucket)}


def _digest(texts: Mapping[str, str]) -> str:
    content = "".join(f"{path}\n{text}" for path, text in sorted(texts.items()))
    return hashlib.sha256(content.encode()).hexdigest()[:12]
