"""What a Redis that exists cannot become. Pure."""

from tierstack.core.before import Before, at, shrinks
from tierstack.core.diagnostics import Diagnostic
from tierstack.platform import PlatformKind
from tierstack.redis_cluster.args import RedisClusterArgs


def problems_of(args: RedisClusterArgs, name: str, before: Before) -> list[Diagnostic]:
    """What is wrong with the change from what was made under the component's `name`."""
    if args.platform.kind is not PlatformKind.KUBERNETES:
        return []
    # All nodes have claims of one size; the first is there in every form.
    claim = before.manifest("PersistentVolumeClaim", args.platform.name, f"data-{args.physical_name or name}-node-0")
    has = at(claim, "spec", "resources", "requests", "storage")
    return shrinks("storage_gb", args.size.storage_gb, has, "make another RedisCluster")
