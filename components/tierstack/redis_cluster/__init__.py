"""RedisCluster: a Redis-compatible store behind one endpoint."""

import pulumi

from tierstack.links import RedisConnection
from tierstack.platform import PlatformKind
from tierstack.platform.component import Component
from tierstack.platform.program import NameRule
from tierstack.redis_cluster import docker, kubernetes
from tierstack.redis_cluster.args import RedisClusterArgs, RedisPurpose
from tierstack.redis_cluster.changes import problems_of

__all__ = ["RedisCluster", "RedisClusterArgs", "RedisPurpose"]


class RedisCluster(Component):
    """A single node, or three with automatic failover, behind one endpoint; hand `connection` to what uses it."""

    names = NameRule(docker=63, kubernetes=43, service=True)
    changes = staticmethod(problems_of)

    host: pulumi.Output[str]
    """Host that always leads to the primary: in the component's network (Docker) or the namespace (Kubernetes)."""
    port: pulumi.Output[str]
    """Port, as text."""
    connection: RedisConnection
    """How to reach it: what an AppCluster takes as `redis`."""

    def __init__(self, name: str, args: RedisClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError with every problem of the arguments; nothing is registered then."""
        loaded = self.begin(name, args, RedisClusterArgs, opts)
        build = docker.build if loaded.platform.kind is PlatformKind.DOCKER else kubernetes.build
        self.connection = build(self.physical_name, self, loaded)
        self.finish({"host": self.connection.host, "port": self.connection.port})
