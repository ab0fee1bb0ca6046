"""Gateway: the one way in, for HTTP and HTTPS."""

import pulumi

from tierstack.gateway import docker, kubernetes
from tierstack.gateway.args import GatewayArgs
from tierstack.links import GatewayEndpoint
from tierstack.platform import PlatformKind
from tierstack.platform.component import Component
from tierstack.platform.program import NameRule

__all__ = ["Gateway", "GatewayArgs"]


class Gateway(Component):
    """The proxy in front of all applications of a platform: TLS, and HTTP that only redirects.

    `endpoint` is what an application attaches to.
    """

    names = NameRule(docker=63, kubernetes=63)

    https_port: pulumi.Output[str]
    """Port that clients use for HTTPS."""
    endpoint: GatewayEndpoint
    """Where applications attach: what an AppCluster takes as `gateway`."""

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError with every problem of `args`; nothing is registered then."""
        args = self.begin(name, args, GatewayArgs, opts)
        build = docker.build if args.platform.kind is PlatformKind.DOCKER else kubernetes.build
        self.endpoint = build(self.physical_name, self, args)
        self.finish({"https_port": str(self.endpoint.https_port)})
