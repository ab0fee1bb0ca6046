"""DatabaseWithReplicas as a part of stacks."""

from dataclasses import replace

from tierstack.core.section import Drawing, Edge, ImageKey, Node, Section, Surroundings
from tierstack.database import changes
from tierstack.database.args import DatabaseWithReplicasArgs
from tierstack.database.engines import ENGINES
from tierstack.database.roles import MONITOR, READ, login_of
from tierstack.links import DatabaseArchive, DatabaseConnection, SecretRef, TrustedCA
from tierstack.links.database import RETENTION_DAYS
from tierstack.platform import PlatformKind
from tierstack.platform.internal_ca import TLSMode


def _placeholder(args: DatabaseWithReplicasArgs) -> DatabaseConnection:
    docker, engine = args.platform.kind is PlatformKind.DOCKER, args.data_engine
    verified = args.tls is not TLSMode.DISABLE
    network = "network" if docker else None
    secret = SecretRef(value="secret") if docker else SecretRef(secret_name="secret", key="password")
    labels = None if docker else {"client": "true"}
    # Where one is missing, the bucket is, which is told once.
    location = args.archive.store.location if args.archive else "s3://bucket"
    retention_days = args.archive.retention_days if args.archive else RETENTION_DAYS
    archive = DatabaseArchive(cluster="db", object_store="db", location=location, retention_days=retention_days)
    return DatabaseConnection(
        engine=args.engine.value,
        environment=engine.client_environment(verified=verified),
        host="pooler",
        port=str(engine.pooler.port),
        direct_host="primary",
        direct_port=str(engine.server.port),
        database=args.database,
        user=login_of(args.user, args.password_generation),
        password=secret,
        network=network,
        direct_network=network,
        client_labels=labels,
        direct_client_labels=labels,
        transaction_pooling=engine.transaction_pooling,
        read_user=READ,
        read_password=secret,
        monitor_user=MONITOR,
        monitor_password=secret,
        backup_user="backup" if docker else None,
        backup_password=secret if docker else None,
        archive=None if docker else archive,
        ca=TrustedCA() if verified else None,
    )


def _needs(args: DatabaseWithReplicasArgs) -> list[str]:
    archives = args.archive or args.restore
    return [*args.data_engine.operators, *(args.data_engine.archive_operators if archives else ())]


def _drawing(args: DatabaseWithReplicasArgs, around: Surroundings) -> Drawing:
    size, engine = args.size(), args.data_engine
    pool = f"pool of {size.pool_size}, {size.max_client_connections} clients"
    pooler, primary, standby = around.box("pooler"), around.box("primary"), around.box("standby")
    nodes = [
        Node(pooler, engine.pooler.title, pool, "data", 3, size.poolers),
        Node(primary, engine.server.title, f"primary, {size.memory_mb} MiB", "data", 4),
    ]
    edges = [Edge(pooler, primary)]
    if size.replicas:
        nodes.append(Node(standby, "standby", "streaming replica", "data", 4, size.replicas))
        edges.append(Edge(primary, standby, "WAL"))
    return Drawing(nodes, edges)


def _images() -> tuple[ImageKey, ...]:
    """The image keys of every engine, each for the databases that have it."""
    keys = [
        replace(
            key,
            only=("engine", engine),
            text=key.text if len(ENGINES) == 1 else f"`engine: {engine.value}`: {key.text}",
        )
        for engine, facts in ENGINES.items()
        for key in facts.images
    ]
    return tuple(keys)


def _titles() -> str:
    return " or ".join(f"{one.server.title} with {one.pooler.title}" for one in ENGINES.values())


def section() -> Section[DatabaseWithReplicasArgs]:
    """The section, with what each of `ENGINES` brings."""
    return Section(
        key="database",
        text=f"{_titles()} before it.",
        args=DatabaseWithReplicasArgs,
        component="tierstack.database:DatabaseWithReplicas",
        name="db",
        several="databases",
        longest_name=49,
        wired=("archive.store", "archive.read_store", "archive.retention_days", "restore.store"),
        texts={
            "archive": "Kubernetes: the sidecar that ships the write-ahead log to `object_storage`, where there are "
            "`backups`. None: its defaults."
        },
        images=_images(),
        given_by={"archive.retention_days": "backups.retention_days"},
        link="connection",
        placeholder=_placeholder,
        reserved=lambda args: args.data_engine.reserved(args.size(), proxied=args.proxied),
        largest=lambda args: ("memory_mb", str(args.size().memory_mb)),
        needs=_needs,
        changes=changes.problems_of,
        drawing=_drawing,
        ends={"": "pooler", "direct": "primary"},
    )


SECTION = section()
