"""AppCluster: a web application with its background processes and migrations."""

import pulumi

from tierstack.app_cluster import docker, kubernetes, running
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
from tierstack.app_cluster.release_options import (
    AnalysisArgs,
    ExperimentArgs,
    MirrorArgs,
    ReleaseArgs,
    ReleaseBeside,
    ReleaseStep,
    ReleaseStrategy,
    TrafficArgs,
)
from tierstack.links import FileVolume
from tierstack.platform import PlatformKind
from tierstack.platform.component import Component
from tierstack.platform.program import NameRule

__all__ = [
    "AnalysisArgs",
    "AppCluster",
    "AppClusterArgs",
    "ExperimentArgs",
    "HealthArgs",
    "HttpArgs",
    "HttpServerArgs",
    "MigrationArgs",
    "MirrorArgs",
    "OutboundArgs",
    "OutboundNetwork",
    "PhpFpmArgs",
    "QueueScaling",
    "ReleaseArgs",
    "ReleaseBeside",
    "ReleaseStep",
    "ReleaseStrategy",
    "RoleArgs",
    "SecretDelivery",
    "TrafficArgs",
    "UploadsArgs",
]


class AppCluster(Component):
    """A web application behind a Gateway."""

    names = NameRule(docker=39, kubernetes=46, service=True)
    changes = staticmethod(problems_of)

    url: pulumi.Output[str]
    """Where it answers, known once it does: `https://shop.example.org`."""
    release: pulumi.Output[str]
    """Name of the current release, whose roles run: 12 hexadecimal digits."""
    releases: pulumi.Output[str]
    """Every release that runs, as JSON: name, weight, description, and the progress of `tierstack release`."""
    uploads: FileVolume
    """The files that users upload, which a FileBackups takes as `files`."""

    def __init__(self, name: str, args: AppClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError with every problem of `args`; nothing is registered then."""
        args = self.begin(name, args, AppClusterArgs, opts)
        build = docker.build if args.platform.kind is PlatformKind.DOCKER else kubernetes.build
        app, runs = args.application, args.running
        built = build(self.physical_name, self, app, runs.releases, runs.traffic)
        self.uploads = built.uploads or FileVolume(place=args.platform.place)
        state = built.ready.apply(lambda _: running.state(app, runs))
        port = args.gateway.https_port
        url = f"https://{args.hostnames[0]}{'' if port == 443 else f':{port}'}"
        self.finish({"url": built.ready.apply(lambda _: url), "release": built.release, "releases": state})
