"""The arguments of RedisCluster."""

import re
from dataclasses import dataclass, field
from enum import Enum

import pulumi

from tierstack.core.bounds import bound_problems
from tierstack.core.errors import MISSING, Diagnostic, rule
from tierstack.core.keys import DOCKER_ONLY, KUBERNETES_ONLY, within
from tierstack.core.tier import TIERS, RedisSize, Tier
from tierstack.platform import Platform, PlatformKind, image_problems
from tierstack.platform.internal_ca import MOST_GENERATIONS, TLSMode, generation_problems

APPLICATION_USER = "app"
"""ACL user that applications log in as."""


class RedisPurpose(Enum):
    """What a Redis is for; it decides what happens when the memory is full and when the server stops."""

    QUEUE = "queue"
    """Queues: every write is kept (AOF, synced each second), and a full memory refuses writes."""
    SESSION = "session"
    """Sessions: every write is kept (AOF, synced each second), and a full memory drops what expires soonest. Keys
    without a time to live stay."""
    CACHE = "cache"
    """Cache: nothing is written to disk, and a full memory drops what was least recently used."""

    @property
    def is_durable(self) -> bool:
        """Whether what was written is kept on disk, and so is data to protect."""
        return self is not RedisPurpose.CACHE


@dataclass(kw_only=True)
class RedisClusterArgs:
    """One Redis-compatible store behind one endpoint: a single node, or three with automatic failover."""

    platform: Platform
    """Where it runs."""
    image: pulumi.Input[str]
    """Valkey 8 or Redis 7 and newer, by digest; it must have a shell (`/bin/sh`) and the command-line client."""
    tier: Tier = Tier.USERS_100K
    """Counts and sizes of everything that is left out here. Default: `100k`."""
    proxy_image: pulumi.Input[str] | None = None
    """Three nodes: HAProxy 2.4 or newer, by digest; it leads the endpoint to the primary. On Docker the image must have
    `/bin/sh`, and `wget` or `bash`."""
    purpose: RedisPurpose = RedisPurpose.QUEUE
    """`queue` (default) keeps what it is given; `session` drops what expires soonest when its memory is full; `cache`
    may drop everything. A shop that needs several makes one of each."""
    application_user: bool = True
    """Whether applications log in as the user `app`, who can read and write all keys and can administer nothing. False:
    they are the default user, who can do everything: for a client that sends no user name. Default: true."""
    nodes: int | None = field(default=None, metadata=within(1, 3, told_by="redis-nodes"))
    """1: a single node. 3: one primary, two replicas, three Sentinels. On Docker all are on the one host: they survive
    the loss of a container, not of the host. None: from the tier."""
    memory_mb: int | None = field(default=None, metadata=within(16, 65536, "MiB"))
    """maxmemory in MiB, 16 to 65536; the container gets half as much again and 32 MiB. None: from the tier."""
    storage_gb: int | None = field(default=None, metadata=within(1, 4096, "GiB"))
    """GiB of each data volume (Kubernetes; a Docker volume has no size). At least twice the memory for the purposes
    `queue` and `session`, because the append-only file is rewritten beside the old one. 1 to 4096. None: from the
    tier."""
    failover_after_ms: int = field(default=3000, metadata=within(1000, 60000, "ms"))
    """How long in ms, 1000 to 60000, the primary may be silent before the Sentinels replace it. Shorter reacts
    sooner, and more often to what was only a pause. Default: 3000 (Sentinel's own is 30000)."""
    cpu: float | None = field(default=None, metadata=within(0.05, 16, "cores"))
    """Cores that each node is reserved, 0.05 to 16; it may use more. Redis works with one thread, so more than about 2
    are of no use. Docker: its weight against other containers. None: 1 on Docker, from the tier on Kubernetes
    (100k: 0.25, 1M: 1)."""
    tls: TLSMode = TLSMode.REQUIRE
    """`require` (default), `allow` or `disable`: whether connections are encrypted, and clients verify the server. A
    stack in use changes from `disable` to `require` without a pause by an update with `allow` between. On Kubernetes it
    needs cert-manager. It is that of clients: three nodes and their Sentinels speak unencrypted with each other, in a
    network that clients are not in."""
    ca_generation: int = field(default=1, metadata=within(1, MOST_GENERATIONS) | DOCKER_ONLY)
    """Docker: another number, 1 to 1000, makes another CA; the one before it stays trusted. Raise it by one to change
    the CA, and by one more for the old one to be trusted no longer."""
    cluster_domain: str = field(default="cluster.local", metadata=KUBERNETES_ONLY)
    """Kubernetes: the domain of the cluster's DNS. HAProxy and Sentinel use full names. Default: `cluster.local`."""
    physical_name: str | None = None
    """What the names of its objects begin with, where that is not the component's name: give the old name here when the
    component is renamed, and nothing is replaced. None: the component's name."""

    @property
    def size(self) -> RedisSize:
        """Counts and sizes in force: those given, else the tier's."""
        tier = TIERS[self.tier].redis
        return RedisSize(
            nodes=tier.nodes if self.nodes is None else self.nodes,
            memory_mb=tier.memory_mb if self.memory_mb is None else self.memory_mb,
            storage_gb=tier.storage_gb if self.storage_gb is None else self.storage_gb,
            cpu=tier.cpu if self.cpu is None else self.cpu,
        )

    def problems(self) -> list[Diagnostic]:
        """Everything that is wrong with the arguments."""
        found = self.platform.problems()
        found += image_problems("image", self.image, self.platform.kind)
        if self.proxy_image is not None:
            found += image_problems("proxy_image", self.proxy_image, self.platform.kind)
        found += bound_problems(self)
        found += _cluster_domain(self.cluster_domain)
        found += generation_problems(self.ca_generation, self.tls, self.platform.kind)
        return found + self._nodes_problems() + self._storage_problems()

    @rule(
        "redis-nodes",
        "Redis must have one node, or three and HAProxy.",
        why="Sentinel decides by majority: of two it has none when one is lost, and a fourth adds nothing.",
        wrong="redis: {nodes: 2}",
        right="redis: {nodes: 1}",
    )
    def _nodes_problems(self) -> list[Diagnostic]:
        nodes = self.size.nodes
        if nodes not in (1, 3):
            wrong = "is not a size that can fail over and stay consistent: Sentinel decides by majority"
            return [Diagnostic("nodes", nodes, wrong, "write 1 or 3")]
        if nodes == 3 and self.proxy_image is None:
            wrong = "is required with three Redis nodes"
            return [Diagnostic("proxy_image", MISSING, wrong, "give an image of HAProxy by digest")]
        return []

    @rule(
        "redis-storage",
        "The volume of a queue or of sessions must hold its data twice, because a rewrite stands beside it.",
    )
    def _storage_problems(self) -> list[Diagnostic]:
        size = self.size
        if self.platform.kind is PlatformKind.DOCKER:
            if self.storage_gb is not None:
                return [Diagnostic("storage_gb", self.storage_gb, "means nothing for a Docker volume", "remove it")]
            return []
        if self.purpose.is_durable and size.storage_gb >= 1 and size.storage_gb * 1024 < 2 * size.memory_mb:
            wrong = f"is too small for {size.memory_mb} MiB of data and a rewrite of the append-only file beside it"
            least = -(-2 * size.memory_mb // 1024)
            return [Diagnostic("storage_gb", size.storage_gb, wrong, f"write at least {least}")]
        return []


@rule(
    "cluster-domain",
    "`cluster_domain` must be a domain.",
    "RFC 1123 §2.1",
    wrong="redis: {cluster_domain: Cluster_Local}",
    right="redis: {cluster_domain: cluster.local}",
)
def _cluster_domain(value: str) -> list[Diagnostic]:
    if _DOMAIN.fullmatch(value):
        return []
    instead = "write lower-case labels with dots between them, such as `cluster.local`"
    return [Diagnostic("cluster_domain", value, "is not a domain (RFC 1123)", instead)]


_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
