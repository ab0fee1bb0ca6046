"""The memory of a RedisCluster's containers on a Docker host. Pure."""

from tierstack.core.memory import Reserved
from tierstack.redis_cluster import node, proxy, topology
from tierstack.redis_cluster.args import RedisClusterArgs


def reserved(args: RedisClusterArgs) -> list[Reserved]:
    """What they may use."""
    size = args.size
    nodes = Reserved(node.container_memory_mb(size.memory_mb), size.nodes)
    if size.nodes == 1:
        return [nodes]
    return [nodes, Reserved(topology.SENTINEL_MEMORY_MB, topology.COUNT), Reserved(proxy.MEMORY_MB)]
