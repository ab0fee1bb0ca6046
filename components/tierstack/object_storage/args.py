"""The arguments of ObjectStorage."""

from dataclasses import dataclass, field

import pulumi

from tierstack.core.bounds import bound_problems
from tierstack.core.errors import Diagnostic
from tierstack.core.keys import DOCKER_ONLY, within
from tierstack.object_storage import conformance, rules
from tierstack.platform import Platform, PlatformKind, image_problems
from tierstack.platform.internal_ca import MOST_GENERATIONS

MEMORY_MB = 512
"""Limit of the container of a self-hosted store where none is given."""


@dataclass(kw_only=True)
class StoreKeyArgs:
    """An access key of an external bucket."""

    access_key_id: pulumi.Input[str] = field(metadata={"secret": True})
    """The key."""
    secret_access_key: pulumi.Input[str] = field(metadata={"secret": True})
    """Its secret."""

    def problems(self, path: str) -> list[Diagnostic]:
        """Everything that is wrong with it."""
        return rules.credential(f"{path}.access_key_id", self.access_key_id, required=True) + rules.credential(
            f"{path}.secret_access_key", self.secret_access_key, required=True
        )


@dataclass(kw_only=True)
class ObjectStorageArgs:
    """A bucket with an S3 API: one of any provider that exists already, or a self-hosted one on a Docker host."""

    platform: Platform
    """Where the components that use it run: `DockerHost(…)` or `Kubernetes(…)`."""
    bucket: str
    """Name of the bucket, such as `shop-backups`. An external one must exist; that of a self-hosted store is made. S3
    naming rules: 3 to 63 of `a-z 0-9 . -`."""
    prefix: str = ""
    """Folder inside the bucket, without a leading or trailing slash. Default: the bucket's root."""
    endpoint_url: str | None = None
    """URL of the S3 API, such as `https://s3.example.net`. None: AWS, by its region, or the self-hosted store."""
    region: str | None = None
    """Region, such as `eu-central-1`. None: what the endpoint assumes; required for AWS."""
    access_key_id: pulumi.Input[str] | None = field(default=None, metadata={"secret": True})
    """Access key that may write and read below the prefix, and delete where there is no `prune`. None: of a self-hosted
    store, which makes its keys; and where manifests are rendered: the cluster then reads `access-key-id` and
    `secret-access-key` from the platform's `secret_store`."""
    secret_access_key: pulumi.Input[str] | None = field(default=None, metadata={"secret": True})
    """Its secret. None in the same cases."""
    prune: StoreKeyArgs | None = field(default=None, metadata=DOCKER_ONLY)
    """Docker: key of an external bucket that deletes what the retention no longer keeps. With it, `access_key_id` must
    not be able to delete. None: `access_key_id` deletes."""
    drill: StoreKeyArgs | None = field(default=None, metadata=DOCKER_ONLY)
    """Docker: key of an external bucket that reads, and can neither write nor delete: restores and drills use it. None:
    they use `access_key_id`."""
    versioning: bool = field(default=False, metadata=DOCKER_ONLY)
    """Docker: the bucket keeps old versions of its objects. A self-hosted one is made so and stays so; of an external
    one it is verified. Default: false."""
    lock_days: int | None = field(default=None, metadata=within(1, 36500, "days") | DOCKER_ONLY)
    """Docker: each version is locked for so many days (object lock, mode GOVERNANCE): nobody's key here deletes it. 1
    to 36500. A self-hosted bucket gets this as its default; of an external one it is verified that locks are kept.
    None: no lock."""
    lifecycle: bool = field(default=False, metadata=DOCKER_ONLY)
    """Docker: the external bucket must have a lifecycle rule that is enabled, such as one that deletes old versions.
    VersityGW has none. Default: false."""
    replication: bool = field(default=False, metadata=DOCKER_ONLY)
    """Docker: the external bucket must have a replication rule that is enabled. VersityGW has none. Default: false."""
    self_hosted: bool = field(default=False, metadata=DOCKER_ONLY)
    """Docker: run an S3 gateway (VersityGW) on the host, with the bucket in a volume: for local and staging stacks. A
    backup on the host that it is of does not survive that host. Default: false."""
    image: pulumi.Input[str] | None = field(default=None, metadata=DOCKER_ONLY)
    """Docker: with `self_hosted`, VersityGW 1.8 or newer with `/bin/sh` and curl or wget, by digest."""
    probe_image: pulumi.Input[str] | None = field(default=None, metadata=DOCKER_ONLY)
    """Docker: Python 3.11 or newer with boto3, by digest; an image with Barman has both. `up` runs the conformance
    probe in it. Required with `self_hosted`. None: an external bucket is not probed."""
    memory_mb: int | None = field(default=None, metadata=within(128, 65536, "MiB") | DOCKER_ONLY)
    """Docker: with `self_hosted`, hard memory limit of the gateway in MiB. 128 to 65536. None: 512."""
    ca_generation: int = field(default=1, metadata=within(1, MOST_GENERATIONS) | DOCKER_ONLY)
    """Docker: with `self_hosted`, another number, 1 to 1000, makes another CA; the one before it stays trusted."""
    physical_name: str | None = None
    """What the names of its objects begin with, where that is not the component's name: give the old name here when the
    component is renamed, and nothing is replaced. None: the component's name."""

    @property
    def wanted(self) -> dict[str, str]:
        """What the configuration asks of the endpoint: the argument that asks, by capability."""
        asked = {
            conformance.VERSIONING: "versioning" if self.versioning else None,
            conformance.OBJECT_LOCK: "lock_days" if self.lock_days is not None else None,
            conformance.LIFECYCLE: "lifecycle" if self.lifecycle else None,
            conformance.REPLICATION: "replication" if self.replication else None,
            conformance.PRUNE_KEY: "prune" if self.prune or self.self_hosted else None,
            conformance.DRILL_KEY: "drill" if self.drill or self.self_hosted else None,
        }
        needed = dict.fromkeys(conformance.ALWAYS, "bucket")
        return needed | {name: argument for name, argument in asked.items() if argument}

    @property
    def container_memory_mb(self) -> int:
        """Docker: the gateway's limit in MiB."""
        return MEMORY_MB if self.memory_mb is None else self.memory_mb

    def problems(self) -> list[Diagnostic]:
        """The rules of a bucket, its address and its credentials."""
        docker = self.platform.kind is PlatformKind.DOCKER
        found = self.platform.problems() + rules.bucket("bucket", self.bucket) + rules.prefix("prefix", self.prefix)
        if self.endpoint_url is not None:
            found += rules.endpoint("endpoint_url", self.endpoint_url)
        found += rules.region(self.region, aws=self.endpoint_url is None and not self.self_hosted)
        for name in ("image", "probe_image") if docker else ():
            found += image_problems(name, getattr(self, name), self.platform.kind)
        found += bound_problems(self)
        if docker and self.self_hosted:
            return found + rules.hosted(self)
        found += rules.unhosted(self)
        for name in ("access_key_id", "secret_access_key"):
            found += rules.credential(
                name, getattr(self, name), required=not (self.platform.renders or self.self_hosted)
            )
        for name, key in (("prune", self.prune), ("drill", self.drill)):
            found += key.problems(name) if key else []
        if not docker:
            found += rules.on_kubernetes(self)
        return found + rules.capabilities(self) + rules.rendered(self.platform)
