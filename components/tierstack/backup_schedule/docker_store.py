"""What a bucket adds to a BackupSchedule on a Docker host: keys apart, what prunes, and what a restore reads with."""

import json
from dataclasses import dataclass
from typing import Any

import pulumi

from tierstack.backup_schedule import bucket
from tierstack.backup_schedule.args import BackupScheduleArgs
from tierstack.backup_schedule.engine import BackupEngine, StoreAt, digest
from tierstack.backup_schedule.memory import PRUNE_MB
from tierstack.links import ObjectStore, StorePurpose
from tierstack.platform.docker import Attachment, Health, Host, Mount, Service
from tierstack.platform.internal_ca import ca_directory, ca_path
from tierstack.platform.revision import ANNOTATION, revision_of


@dataclass(frozen=True, kw_only=True)
class StoreOnHost:
    """A bucket as the containers of a host reach it."""

    store: ObjectStore
    settings: dict[str, Any]
    """`store` of the settings files."""
    network: pulumi.Output[str]
    ca: pulumi.Input[str] | None
    """Volume with what the endpoint is verified by."""
    fetch: pulumi.Output[str]
    """Volume with what a restore needs: the program, and the key that only reads."""

    @property
    def files(self) -> dict[str, pulumi.Input[str]]:
        """What the agent is configured with besides: the key that writes."""
        return {bucket.CREDENTIALS: credentials(self.store, StorePurpose.WRITE)}

    @property
    def labels(self) -> dict[str, pulumi.Input[str]]:
        """Of the agent, which reads the bucket's settings and key when it starts."""
        key = self.store.key(StorePurpose.WRITE).secret_access_key.value or ""
        return {ANNOTATION: revision_of({"key": key, "where": str(settings_of(self.store, ""))})}

    @property
    def at(self) -> pulumi.Output[StoreAt]:
        """What a restore from the bucket is started with."""
        known = pulumi.Output.all(config=self.fetch, network=self.network, ca=self.ca)
        return known.apply(lambda known: StoreAt(**known))

    @property
    def mounts(self) -> list[Mount]:
        """What a container that uses the bucket mounts for it."""
        return [Mount(volume=self.ca, path=ca_directory("store"), read_only=True)] if self.ca is not None else []


def credentials(store: ObjectStore, purpose: StorePurpose) -> pulumi.Output[str]:
    """The file with the key of one purpose."""
    key = store.key(purpose)
    pair = pulumi.Output.secret(pulumi.Output.all(key.access_key_id.value, key.secret_access_key.value))
    return pair.apply(lambda both: bucket.credentials({purpose.value: (str(both[0]), str(both[1]))}))


def settings_of(store: ObjectStore, server: str) -> dict[str, Any]:
    """What the containers know of the bucket; none of it is secret."""
    return {
        "bucket": store.bucket,
        "prefix": store.prefix,
        "endpoint_url": store.endpoint_url,
        "region": store.region,
        "server": server,
        "ca_path": ca_path("store") if store.ca else None,
    }


def build(
    name: str,
    args: BackupScheduleArgs,
    store: ObjectStore,
    here: Host,
    parent: pulumi.Resource,
    engine: BackupEngine,
) -> StoreOnHost:
    """The volumes and the pruning container. The key that writes is the agent's alone."""
    assert args.image is not None  # by the arguments' rules
    settings = settings_of(store, here.name(name))
    network = pulumi.Output.from_input(store.network or here.network(f"{name}-store", parent).name)
    program, owner = engine.program(store=True), engine.owner

    def configured(kind: str, purpose: StorePurpose, more: dict[str, Any]) -> pulumi.Output[str]:
        files: dict[str, pulumi.Input[str]] = {
            **program,
            "settings.json": json.dumps({"store": settings, **more}, indent=2) + "\n",
            bucket.CREDENTIALS: credentials(store, purpose),
        }
        volume = here.volume(f"{name}-{kind}-config", parent, data=False)
        return here.files(
            f"{name}-{kind}-files", parent, volume=volume, files=files, image=args.image or "", owner=owner
        ).volume

    fetch = configured("fetch", StorePurpose.DRILL, {})
    pruning = configured("prune", StorePurpose.PRUNE, engine.pruning(args.window_days, args.least_copies))
    ca = store.ca.volume if store.ca else None
    made = StoreOnHost(store=store, settings=settings, network=network, ca=ca, fetch=fetch)
    prune = ["python3", "-m", engine.prune]
    service = Service(
        image=args.image,
        command=[*prune, "run"],
        user=f"{owner[0]}:{owner[1]}",
        networks=[Attachment(network=network)],
        memory_mb=PRUNE_MB,
        environment=dict(engine.environment),
        mounts=[Mount(volume=pruning, path=str(engine.config), read_only=True), *made.mounts],
        health=Health(command=[*prune, "health"], interval=30, timeout=10, retries=3, start_period=120),
        cpu_shares=256,
        # It reads its program and settings when it starts a round; a new program needs a new process.
        labels={
            "tierstack.dev/agent": digest(program),
            ANNOTATION: revision_of({"window": str(args.window_days)}),
        },
    )
    here.container(f"{name}-prune", parent, service)
    return made
