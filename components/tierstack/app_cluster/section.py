"""AppCluster as a part of stacks."""

from dataclasses import dataclass
from typing import Any, cast

from tierstack.app_cluster import changes, limits, processes
from tierstack.app_cluster.args import AppClusterArgs
from tierstack.core.memory import Reserved
from tierstack.core.section import Drawing, Edge, ImageKey, Node, Presence, Section, Surroundings
from tierstack.core.tier import client_connections
from tierstack.links import FileVolume
from tierstack.platform import PlatformKind


@dataclass(kw_only=True)
class AppKeys:
    """Keys that a stack has in the place of arguments."""

    database: str | None = None
    """The database that it uses: a key of `databases`; `none`: it uses none. None: the only one."""
    redis: str | None = None
    """The Redis that it uses: a key of `redis_instances`; `none`: it uses none. None: the only one."""
    more_redis: dict[str, str] | None = None
    """Further Redis instances that it uses: a name that is part of their variables, and a key of `redis_instances`.
    `{cache: volatile}` gives REDIS_CACHE_HOST and its like of the one named `volatile`. None: no further ones."""


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
    queues: bool
    """Whether KEDA scales one of its roles."""


def demands(settings: Any) -> Demands:
    """What the application with these settings asks of what is in front of it."""
    http, roles = settings.http, cast(dict[str, Any], settings.roles or {})
    return Demands(
        hostnames=settings.hostnames,
        max_body_mb=http.max_body_mb,
        request_timeout_seconds=http.request_timeout_seconds,
        stop_seconds=http.request_timeout_seconds if http.stop_seconds is None else http.stop_seconds,
        nginx_command=settings.php.nginx_command if settings.php else None,
        queues=any(role.queue is not None for role in roles.values()),
    )


@dataclass(frozen=True)
class DatabaseClients:
    """The connections that an application opens to its database at most."""

    count: int
    formula: str
    """How the count comes about: `6 × 100 + 4 of its roles`."""
    key: str
    """The argument that most of them come from."""


def database_clients(args: AppClusterArgs) -> DatabaseClients:
    """Every child and every process of a role hold one connection."""
    counts = args.counts
    # Where an autoscaler decides, its ceiling must be admitted too.
    scaled = args.platform.kind is PlatformKind.KUBERNETES
    replicas = counts.max_replicas if scaled else counts.replicas
    background = counts.max_background if scaled else counts.background
    opened = client_connections(replicas, counts.children, background)
    key = "php.children" if args.php else "http_server.concurrency"
    return DatabaseClients(opened, f"{replicas} × {counts.children} + {background} of its roles", key)


def _largest(args: AppClusterArgs) -> tuple[str, str]:
    counts = args.counts
    if args.http_server:
        return "http_server.memory_mb", f"{counts.replicas} × {args.http_server.memory_mb}"
    http = args.described.requests
    if limits.bodies_mb(args.described) > counts.children * counts.child_memory_mb:
        return "http.max_body_mb", f"{http.max_body_mb} MiB, of which each container of a replica holds four"
    return "php.children", f"{counts.replicas} × {counts.children} children of {counts.child_memory_mb} MiB"


def _reserved(args: AppClusterArgs) -> list[Reserved]:
    return processes.reserved(args.described)


def _needs(args: AppClusterArgs) -> list[str]:
    return ["keda"] if any(role.queue is not None for role in (args.roles or {}).values()) else []


def _drawing(args: AppClusterArgs, around: Surroundings) -> Drawing:
    counts = args.counts
    answers = f"{counts.children} PHP-FPM children" if args.php else f"{counts.children} requests at a time"
    nodes = [Node(around.box("web"), "web", answers, "app", 2, counts.replicas)]
    edges = [Edge(front, around.box("web")) for front in around.linked("gateway")]
    edges += [*around.edges("web", "database"), *around.edges("web", "redis")]
    for name, role in (args.roles or {}).items():
        if count := counts.roles[name].count:
            detail = "one at a time" if role.single else "background process"
            nodes.append(Node(around.box(f"role-{name}"), name, detail, "app", 2, count))
            edges += [*around.edges(f"role-{name}", "redis"), *around.edges(f"role-{name}", "database")]
    return Drawing(nodes, edges)


def _placeholder(args: AppClusterArgs) -> FileVolume:
    given = args.uploads is not None and args.platform.kind is PlatformKind.DOCKER
    return FileVolume(volume="volume" if given else None, user=args.application.user if given else None)


SECTION = Section(
    key="app",
    text="The application: web containers, background processes, migrations.",
    args=AppClusterArgs,
    component="tierstack.app_cluster:AppCluster",
    name="web",
    several="apps",
    longest_name=39,
    presence=Presence.REQUIRED,
    wired=("gateway", "database", "redis", "more_redis"),
    own=AppKeys,
    images=(
        ImageKey(
            key="app",
            text="The application: all its processes run from it. Required where an application has no `image`.",
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
    link="uploads",
    placeholder=_placeholder,
    reserved=_reserved,
    largest=_largest,
    needs=_needs,
    changes=changes.problems_of,
    drawing=_drawing,
)
