"""AppCluster: a web application with its background processes and migrations."""

import pulumi

from tierstack.app_cluster import docker, kubernetes
from tierstack.app_cluster.args import AppClusterArgs
from tierstack.app_cluster.changes import problems_of
from tierstack.app_cluster.options import (
    HealthArgs,
    HttpArgs,
    HttpServerArgs,
    MigrationArgs,
    OutboundArgs,
    OutboundNetwork,
    PhpFpmArgs,
    QueueScaling,
    RoleArgs,
    SecretDelivery,
    UploadsArgs,
)
from tierstack.links import FileVolume
from tierstack.platform import PlatformKind
from tierstack.platform.component import Component
from tierstack.platform.program import NameRule

__all__ = [
    "AppCluster",
    "AppClusterArgs",
    "HealthArgs",
    "HttpArgs",
    "HttpServerArgs",
    "MigrationArgs",
    "OutboundArgs",
    "OutboundNetwork",
    "PhpFpmArgs",
    "QueueScaling",
    "RoleArgs",
    "SecretDelivery",
    "UploadsArgs",
]


class AppCluster(Component):
    """A web application behind a Gateway."""

    names = NameRule(docker=39, kubernetes=46, service=True)
    changes = staticmethod(problems_of)

    url: pulumi.Output[str]
    """Where it answers, known once it does: `https://shop.example.org`."""
    release: pulumi.Output[str]
    """Name of the release that runs: 12 hexadecimal digits."""
    uploads: FileVolume
    """The files that users upload, which a FileBackups takes as `files`."""

    def __init__(self, name: str, args: AppClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError with every problem of `args`; nothing is registered then."""
        args = self.begin(name, args, AppClusterArgs, opts)
        build = docker.build if args.platform.kind is PlatformKind.DOCKER else kubernetes.build
        built = build(self.physical_name, self, args.application, [args.release])
        self.uploads = built.uploads or FileVolume(place=args.platform.place)
        port = args.gateway.https_port
        url = f"https://{args.hostnames[0]}{'' if port == 443 else f':{port}'}"
        self.finish({"url": built.ready.apply(lambda _: url), "release": built.release})
