"""What a stack runs, as boxes and arrows."""

from tierstack.platform import PlatformKind
from tierstack.stack.picture import Edge, Node, Topology
from tierstack.stack.plan import Plan


def topology(plan: Plan) -> Topology:
    """The boxes of a stack's components, with the counts and sizes that its arguments give."""
    docker = plan.platform.kind is PlatformKind.DOCKER
    app, redis, proxy = plan.app, plan.redis, plan.gateway
    counts, size = app.counts, plan.database.size()
    name = app.hostnames[0] + (f":{proxy.https_port}" if proxy.https_port != 443 else "")
    nodes = [
        Node("clients", "clients", name, "outside", 0),
        Node("gateway", "gateway", "Traefik, TLS, rate limits" if docker else "Gateway API, TLS", "proxy", 1),
        Node("web", "web", f"{counts.children} PHP-FPM children", "app", 2, counts.replicas),
    ]
    edges = [Edge("clients", "gateway", "HTTPS"), Edge("gateway", "web")]
    if counts.workers:
        nodes.append(Node("worker", "queue worker", "jobs", "app", 2, counts.workers))
        edges.append(Edge("worker", "redis"))
    if app.scheduler_command:
        nodes.append(Node("scheduler", "scheduler", "timed tasks", "app", 2))
        edges.append(Edge("scheduler", "redis"))
    if policy := plan.mta_sts:
        nodes.append(Node("mta-sts", "MTA-STS policy", policy.hostname, "app", 2))
        edges.append(Edge("gateway", "mta-sts"))
    pool = f"pool of {size.pool_size}, {size.max_client_connections} clients"
    nodes += [
        Node("pooler", "PgBouncer", pool, "data", 3, size.poolers),
        Node(
            "redis",
            "Redis",
            f"{redis.size.memory_mb} MiB" + (", Sentinel" if redis.size.nodes > 1 else ""),
            "data",
            3,
            redis.size.nodes,
        ),
        Node("primary", "PostgreSQL", f"primary, {size.memory_mb} MiB", "data", 4),
    ]
    edges += [Edge("web", "pooler"), Edge("web", "redis"), Edge("pooler", "primary")]
    if counts.workers:
        edges.append(Edge("worker", "pooler"))
    if size.replicas:
        nodes.append(Node("standby", "standby", "streaming replica", "data", 4, size.replicas))
        edges.append(Edge("primary", "standby", "WAL"))
    if backups := plan.backups:
        where = plan.object_storage.bucket if plan.object_storage else "volume"
        nodes.append(Node("backups", "backups", f"{where}, {backups.window_days} days", "backup", 5))
        edges.append(Edge("primary", "backups"))
    kind = "one Docker host" if docker else "Kubernetes"
    return Topology(f"{plan.platform.name}: {plan.settings.tier.value} users on {kind}", tuple(nodes), tuple(edges))
