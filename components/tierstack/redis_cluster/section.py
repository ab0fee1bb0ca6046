"""RedisCluster as a part of stacks."""

from tierstack.core.memory import Reserved
from tierstack.core.section import Drawing, ImageKey, Node, Section, Surroundings
from tierstack.links import RedisConnection, SecretRef, TrustedCA
from tierstack.platform import PlatformKind
from tierstack.platform.internal_ca import TLSMode
from tierstack.redis_cluster import changes
from tierstack.redis_cluster.args import APPLICATION_USER, RedisClusterArgs, RedisPurpose


def _placeholder(args: RedisClusterArgs) -> RedisConnection:
    docker = args.platform.kind is PlatformKind.DOCKER
    labels = None if docker else {"client": "true"}
    return RedisConnection(
        evicts=args.purpose is RedisPurpose.CACHE,
        host="redis",
        port="6379",
        user=APPLICATION_USER if args.application_user else None,
        password=SecretRef(value="secret") if docker else SecretRef(secret_name="secret", key="password"),
        network="network" if docker else None,
        client_labels=labels,
        endpoint_labels=labels,
        ca=None if args.tls is TLSMode.DISABLE else TrustedCA(),
    )


def _reserved(args: RedisClusterArgs) -> list[Reserved]:
    from tierstack.redis_cluster import memory

    return memory.reserved(args)


def _drawing(args: RedisClusterArgs, around: Surroundings) -> Drawing:
    size = args.size
    detail = f"{size.memory_mb} MiB" + (", Sentinel" if size.nodes > 1 else "")
    return Drawing([Node(around.box("redis"), "Redis", detail, "data", 3, size.nodes)])


SECTION = Section(
    key="redis",
    text="The Redis-compatible store of queues and sessions.",
    args=RedisClusterArgs,
    component="tierstack.redis_cluster:RedisCluster",
    name="redis",
    several="redis_instances",
    longest_name=43,
    images=(
        ImageKey(
            key="redis",
            text="Valkey 8, or Redis 7 and newer. Required where a Redis has no `image`.",
            docker="image",
            kubernetes="image",
            required=True,
        ),
        ImageKey(
            key="haproxy",
            text="HAProxy 2.4 or newer, on Docker with `wget` or `bash`; needed for three Redis nodes.",
            docker="proxy_image",
            kubernetes="proxy_image",
        ),
    ),
    link="connection",
    placeholder=_placeholder,
    reserved=_reserved,
    changes=changes.problems_of,
    drawing=_drawing,
    ends={"": "redis"},
)
