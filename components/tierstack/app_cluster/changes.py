"""What an application that exists cannot become. Pure."""

from tierstack.app_cluster.args import AppClusterArgs
from tierstack.core.before import Before, at, shrinks
from tierstack.core.diagnostics import Diagnostic
from tierstack.platform import PlatformKind


def problems_of(args: AppClusterArgs, name: str, before: Before) -> list[Diagnostic]:
    """What is wrong with the change from what was made under the component's `name`."""
    if args.platform.kind is not PlatformKind.KUBERNETES or args.uploads is None:
        return []
    claim = before.manifest("PersistentVolumeClaim", args.platform.name, f"{args.physical_name or name}-uploads")
    has = at(claim, "spec", "resources", "requests", "storage")
    return shrinks("uploads.storage_gb", args.uploads.storage_gb, has, "make another volume")
