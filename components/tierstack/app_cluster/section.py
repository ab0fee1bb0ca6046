"""AppCluster as a part of stacks."""

from dataclasses import dataclass
from typing import Any

from tierstack.app_cluster.args import AppClusterArgs
from tierstack.core.memory import Reserved
from tierstack.core.section import Drawing, Edge, ImageKey, Node, Presence, Section, Surroundings
from tierstack.core.tier import client_connections
from tierstack.platform import PlatformKind


@dataclass(frozen=True)
class Demands:
    """What an application asks of what is in front of it. Read from its settings, because the arguments hold links to
    what is in front."""

    hostnames: list[str]
    max_body_mb: int
    request_timeout_seconds: int
    stop_seconds: int
    """How long a request may take when what serves it stops."""
    nginx_command: list[str] | None
    """How nginx is started in its image."""


def demands(settings: Any) -> Demands:
    """What the application with these settings asks of what is in front of it."""
    return Demands(
        hostnames=settings.hostnames,
        max_body_mb=settings.max_body_mb,
        request_timeout_seconds=settings.request_timeout_seconds,
        stop_seconds=settings.request_timeout_seconds if settings.stop_seconds is None else settings.stop_seconds,
        nginx_command=settings.nginx_command,
    )


@dataclass(frozen=True)
class DatabaseClients:
    """The connections that an application opens to its database at most."""

    count: int
    formula: str
    """How the count comes about: `6 × 100 + 3 + 1`."""


def database_clients(args: AppClusterArgs) -> DatabaseClients:
    """Every child, every worker and the scheduler hold one connection."""
    counts = args.counts
    # Where an autoscaler decides, its ceiling must be admitted too.
    scaled = args.platform.kind is PlatformKind.KUBERNETES
    replicas = counts.max_replicas if scaled else counts.replicas
    workers = counts.max_workers if scaled else counts.workers
    opened = client_connections(replicas, counts.children, workers)
    return DatabaseClients(opened, f"{replicas} × {counts.children} + {workers} + 1")


def _reserved(args: AppClusterArgs) -> list[Reserved]:
    from tierstack.app_cluster import processes

    return processes.reserved(args)


def _needs(args: AppClusterArgs) -> list[str]:
    return ["keda"] if args.worker_queue is not None else []


def _drawing(args: AppClusterArgs, around: Surroundings) -> Drawing:
    counts = args.counts
    nodes = [Node(around.box("web"), "web", f"{counts.children} PHP-FPM children", "app", 2, counts.replicas)]
    edges = [Edge(front, around.box("web")) for front in around.linked("gateway")]
    edges += [*around.edges("web", "database"), *around.edges("web", "redis")]
    if counts.workers:
        nodes.append(Node(around.box("worker"), "queue worker", "jobs", "app", 2, counts.workers))
        edges += [*around.edges("worker", "redis"), *around.edges("worker", "database")]
    if args.scheduler_command:
        nodes.append(Node(around.box("scheduler"), "scheduler", "timed tasks", "app", 2))
        edges += around.edges("scheduler", "redis")
    return Drawing(nodes, edges)


SECTION = Section(
    key="app",
    text="The application: web containers, queue workers, scheduler, migrations.",
    args=AppClusterArgs,
    component="tierstack.app_cluster:AppCluster",
    name="web",
    presence=Presence.REQUIRED,
    wired=("gateway", "database", "redis"),
    images=(
        ImageKey(
            key="app",
            text="The application: all its processes run from it.",
            docker="image",
            kubernetes="image",
            required=True,
        ),
        ImageKey(
            key="nginx",
            text="nginx, where the image of `app` has none. None: the one of `app`.",
            docker="nginx_image",
            kubernetes="nginx_image",
        ),
    ),
    reserved=_reserved,
    needs=_needs,
    drawing=_drawing,
)
