"""What components whose backups restic keeps register alike on a Docker host: volumes, keys apart, what prunes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_random as random

from tierstack.backup_schedule import bucket, docker_store
from tierstack.backup_schedule.engine import digest
from tierstack.backup_schedule.restic import repository
from tierstack.backup_schedule.restic.memory import PRUNE_MB
from tierstack.links import ObjectStore, StorePurpose
from tierstack.platform import DataProtection, Platform
from tierstack.platform.docker import Attachment, Health, Host, Mount, Service
from tierstack.platform.internal_ca import ca_directory

PRUNE = ["python3", "-m", "tierstack.backup_schedule.restic.pruning"]
Texts = Mapping[str, pulumi.Input[str]]


@dataclass(frozen=True, kw_only=True)
class Keeper:
    """A repository of one component, and its containers."""

    name: str
    parent: pulumi.Resource
    here: Host
    image: pulumi.Input[str]
    owner: tuple[int, int]
    """User and group of the containers, and of what they write."""
    store: ObjectStore | None
    program: Mapping[str, str]
    """The modules that run in the containers, by their path below the configuration directory."""
    common: Texts
    """Files that all containers have besides: settings, and the password of the repository."""
    first_minutes: int
    """How long an update waits for the first backup."""

    def catalog(self) -> pulumi.Output[str]:
        """The volume of the backups, which belongs to `owner`."""
        catalog = self.here.volume(f"{self.name}-catalog", self.parent, data=True)
        # One file of ours, so that the volume belongs to the user of the containers.
        return self._files("catalog", catalog, {".tierstack": ""})

    def configured(self, kind: str, purpose: StorePurpose, more: Texts | None = None) -> pulumi.Output[str]:
        """A volume with the key of one purpose. `more`: files that only this one has."""
        keys = {bucket.CREDENTIALS: docker_store.credentials(self.store, purpose)} if self.store else {}
        volume = self.here.volume(f"{self.name}-{kind}", self.parent, data=False)
        return self._files(kind, volume, {**self.program, **self.common, **keys, **(more or {})})

    def service(
        self,
        command: Sequence[str],
        mounts: Sequence[Mount],
        called: str,
        health: Health,
        memory_mb: int,
        *,
        networks: Sequence[pulumi.Input[str]],
        catalog: pulumi.Input[str],
    ) -> Service:
        """A container that uses the repository. `called`: its name."""
        return Service(
            image=self.image,
            command=[*command, "run"],
            user="{}:{}".format(*self.owner),
            networks=[Attachment(network=one) for one in networks],
            memory_mb=memory_mb,
            environment={"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": f"{repository.CONFIG}/lib", "TZ": "UTC"},
            mounts=[*mounts, Mount(volume=catalog, path=str(repository.CATALOG)), *self.of_store],
            health=health,
            # By it a lock is known as one of a container that is gone: its id changes, this does not.
            hostname=self.here.name(called),
            # Backups give way to the shop when the host is busy.
            cpu_shares=256,
            # New modules need a new process; settings and keys are read anew.
            labels={"tierstack.dev/agent": digest(self.program)},
            wait_seconds=self.first_minutes * 60 + 60,
        )

    def first_health(self, agent: Sequence[str]) -> Health:
        """Until the first backup is there it is starting; later its absence is a fault after three looks."""
        period = self.first_minutes * 60
        return Health(command=[*agent, "health"], interval=10, timeout=10, retries=3, start_period=period)

    def prune(self, network: pulumi.Input[str], catalog: pulumi.Input[str]) -> None:
        """The container that removes what the rules no longer keep, with the key that deletes."""
        pruning = self.configured("prune-config", StorePurpose.PRUNE)
        service = self.service(
            PRUNE,
            [Mount(volume=pruning, path=str(repository.CONFIG), read_only=True)],
            f"{self.name}-prune",
            Health(command=[*PRUNE, "health"], interval=30, timeout=10, retries=3, start_period=300),
            PRUNE_MB,
            networks=[network],
            catalog=catalog,
        )
        self.here.container(f"{self.name}-prune", self.parent, service)

    @property
    def ca(self) -> pulumi.Input[str] | None:
        """Volume with what the bucket's endpoint is verified by."""
        return self.store.ca.volume if self.store and self.store.ca else None

    @property
    def of_store(self) -> list[Mount]:
        """What a container that uses the bucket mounts for it."""
        return [Mount(volume=self.ca, path=ca_directory("store"), read_only=True)] if self.ca is not None else []

    def network(self) -> pulumi.Input[str]:
        """Where the bucket answers, and Prometheus asks: that of a self-hosted store, or one of its own, which has no
        way out where there is no bucket."""
        if self.store and self.store.network:
            return self.store.network
        return self.here.network(self.name, self.parent, internal=self.store is None).name

    def _files(self, kind: str, volume: object, files: Texts) -> pulumi.Output[str]:
        return self.here.files(
            f"{self.name}-{kind}-files",
            self.parent,
            volume=volume,  # pyright: ignore[reportArgumentType]  # of the host
            files=dict(files),
            image=self.image,
            owner=self.owner,
        ).volume


def password_of(
    name: str, given: pulumi.Input[str] | None, platform: Platform, parent: pulumi.Resource
) -> pulumi.Output[str]:
    """The password of the repository: the one that is given, else letters and digits, made once. It is protected as the
    backups are: without it they are lost."""
    opts = pulumi.ResourceOptions(parent=parent, protect=platform.data_protection is not DataProtection.NONE or None)
    # Also where one is given, so that leaving that out again makes no other one.
    own = random.RandomPassword(f"{name}-password", length=40, special=False, opts=opts).result
    return pulumi.Output.secret(own if given is None else given)
