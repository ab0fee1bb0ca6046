"""What a Cluster needs to archive by CloudNativePG's barman-cloud plugin, and to be made from what was archived (pure).
The Cluster names the ObjectStore from its first second, so that no write-ahead log is lost."""

from collections.abc import Iterable, Mapping

from tierstack.database.archive import DatabaseArchiveArgs
from tierstack.database.restore import DatabaseRestoreArgs
from tierstack.links import ObjectStore
from tierstack.platform.kubernetes import network, workload
from tierstack.platform.kubernetes.manifest import Manifest, manifest
from tierstack.platform.kubernetes.quantities import resources

PLUGIN = "barman-cloud.cloudnative-pg.io"
ORIGIN = "origin"
"""What a restored Cluster calls the one that it was restored from."""


def object_store_name(name: str) -> str:
    """Name of the ObjectStore of the Cluster `name`."""
    return f"{name}-archive"


def origin_store_name(name: str) -> str:
    """Name of the ObjectStore with the backups that the Cluster `name` was made from, where it is another bucket."""
    return f"{name}-origin"


def reader_store_name(name: str) -> str:
    """Name of the ObjectStore by which restores of the Cluster `name` read, where it has credentials of its own."""
    return f"{name}-reader"


def plugin(name: str, args: DatabaseArchiveArgs) -> Manifest:
    """The entry in the Cluster's `plugins`."""
    server = {} if args.server_name is None else {"serverName": args.server_name}
    return {
        "name": PLUGIN,
        "isWALArchiver": True,
        "parameters": {"barmanObjectName": object_store_name(name), **server},
    }


def recovery(name: str, args: DatabaseRestoreArgs) -> tuple[Manifest, Manifest]:
    """Of a Cluster that is made from backups: what its `bootstrap.recovery` has beside the names of database and user,
    and the entry in its `externalClusters`. CloudNativePG manual, "Recovery"; the plugin's manual, "Restoring"."""
    store = object_store_name(name) if args.store is None else origin_store_name(name)
    target = args.target()
    parameters = {"barmanObjectName": store, "serverName": args.server_name}
    return (
        {"source": ORIGIN, **({"recoveryTarget": target} if target else {})},
        {"name": ORIGIN, "plugin": {"name": PLUGIN, "parameters": parameters}},
    )


def object_store(name: str, args: DatabaseArchiveArgs, replicas: int) -> Manifest:
    """Where base backups and WAL go, with which credentials, and for how long; of a server with so many replicas."""
    reserved = resources(args.memory_mb, args.cores(replicas), guaranteed=True)
    spec = {"retentionPolicy": f"{args.retention_days}d", **_spec(args.store, args.parallel, reserved)}
    return manifest("barmancloud.cnpg.io/v1", "ObjectStore", object_store_name(name), spec)


def source_store(object_name: str, store: ObjectStore, args: DatabaseArchiveArgs | None, replicas: int) -> Manifest:
    """A bucket that is only read. `args`: of the archive of the same database, whose sizes serve here too."""
    sizes = args or DatabaseArchiveArgs(store=store)
    reserved = resources(sizes.memory_mb, sizes.cores(replicas), guaranteed=True)
    return manifest("barmancloud.cnpg.io/v1", "ObjectStore", object_name, _spec(store, sizes.parallel, reserved))


def _spec(store: ObjectStore, parallel: int, reserved: Manifest) -> Manifest:
    keys = {"accessKeyId": store.access_key_id, "secretAccessKey": store.secret_access_key}
    # The SDK's newer way of trying again (3 times in 2 s, not 5 in up to 12): a promotion asks the archive five times,
    # and must not wait a minute for one that is away. Archiving is repeated anyway.
    environment = {"AWS_RETRY_MODE": "standard"}
    if store.region:
        # The plugin takes a region only from a Secret, and a region is none.
        environment["AWS_DEFAULT_REGION"] = store.region
    return {
        "configuration": {
            "destinationPath": store.location,
            **({"endpointURL": store.endpoint_url} if store.endpoint_url else {}),
            "s3Credentials": {field: {"name": ref.secret_name, "key": ref.key} for field, ref in keys.items()},
            # This also counts when a standby asks the archive, which it does again and again when its primary is
            # gone, and several processes would take the processor from its promotion.
            "wal": {"compression": "gzip", "maxParallel": parallel},
            "data": {"compression": "gzip", "jobs": 2},
        },
        "instanceSidecarConfiguration": {
            "env": workload.variables(environment),
            # A pod is Guaranteed only if each of its containers is, and the sidecar counts as one (Kubernetes: "Pod
            # Quality of Service Classes").
            "resources": reserved,
        },
    }


def bucket_policy(name: str, ports: Iterable[int], labels: Mapping[str, str]) -> Manifest:
    """Pods with `labels` reach the buckets, wherever they are: only their ports are known."""
    numbers = sorted(set(ports))
    rules = [network.egress(peers, *numbers) for peers in (network.anywhere(), [network.CLUSTER])]
    return network.policy(f"{name}-bucket", labels, egress=rules)
