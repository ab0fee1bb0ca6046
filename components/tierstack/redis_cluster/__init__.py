"""RedisCluster: a Redis-compatible store behind one endpoint."""

from tierstack.redis_cluster.args import RedisClusterArgs, RedisPurpose

__all__ = ["RedisClusterArgs", "RedisPurpose"]
