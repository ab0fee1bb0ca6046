"""ClusterAddons: the operators that tierstack's components need in a cluster, in pinned versions."""

import pulumi

from tierstack.cluster_addons import kubernetes
from tierstack.cluster_addons.args import ClusterAddonsArgs, ServiceType
from tierstack.cluster_addons.catalog import CATALOG, Addon
from tierstack.platform.component import Component
from tierstack.platform.proxy import TRAEFIK_CLASS

__all__ = ["Addon", "ClusterAddons", "ClusterAddonsArgs", "ServiceType"]


class ClusterAddons(Component):
    """Operators and resource definitions of a whole cluster: once for all stacks on it, best from a stack of its own.

    What depends on this component waits until every operator is ready and its webhooks are trusted.
    """

    gateway_class: pulumi.Output[str]
    """GatewayClass that Traefik serves."""
    versions: pulumi.Output[dict[str, str]]
    """Version of each installed addon."""

    def __init__(self, name: str, args: ClusterAddonsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError with every problem of `args`; nothing is registered then. Raises RunError where a
        vendor's manifest cannot be read; nothing but the component is registered then."""
        args = self.begin(name, args, ClusterAddonsArgs, opts)
        try:
            documents = kubernetes.everything(args)
        except (OSError, ValueError) as error:
            # RunError ends the program without a traceback, which would hide what is to be done.
            raise pulumi.RunError(f'ClusterAddons "{name}": {error}') from None
        kubernetes.build(name, self, args, documents)
        versions = {addon.value: CATALOG[addon].version for addon in args.chosen()}
        self.finish({"gateway_class": TRAEFIK_CLASS, "versions": versions})
