"""What a Cluster needs to archive by CloudNativePG's barman-cloud plugin (pure). The Cluster names the ObjectStore from
its first second, so that no write-ahead log is lost."""

from collections.abc import Mapping

from tierstack.database.archive import DatabaseArchiveArgs
from tierstack.links import ObjectStore
from tierstack.platform.kubernetes import network, workload
from tierstack.platform.kubernetes.manifest import Manifest, manifest
from tierstack.platform.kubernetes.quantities import resources


def object_store_name(name: str) -> str:
    """Name of the ObjectStore of the Cluster `name`."""
    return f"{name}-archive"


def plugin(name: str) -> Manifest:
    """The entry in the Cluster's `plugins`."""
    return {
        "name": "barman-cloud.cloudnative-pg.io",
        "isWALArchiver": True,
        "parameters": {"barmanObjectName": object_store_name(name)},
    }


def object_store(name: str, args: DatabaseArchiveArgs, replicas: int) -> Manifest:
    """Where base backups and WAL go, with which credentials, and for how long; of a server with so many replicas."""
    store = args.store
    keys = {"accessKeyId": store.access_key_id, "secretAccessKey": store.secret_access_key}
    # The SDK's newer way of trying again (3 times in 2 s, not 5 in up to 12): a promotion asks the archive five times,
    # and must not wait a minute for one that is away. Archiving is repeated anyway.
    environment = {"AWS_RETRY_MODE": "standard"}
    if store.region:
        # The plugin takes a region only from a Secret, and a region is none.
        environment["AWS_DEFAULT_REGION"] = store.region
    spec = {
        "retentionPolicy": f"{args.retention_days}d",
        "configuration": {
            "destinationPath": store.location,
            **({"endpointURL": store.endpoint_url} if store.endpoint_url else {}),
            "s3Credentials": {field: {"name": ref.secret_name, "key": ref.key} for field, ref in keys.items()},
            # This also counts when a standby asks the archive, which it does again and again when its primary is
            # gone, and several processes would take the processor from its promotion.
            "wal": {"compression": "gzip", "maxParallel": args.parallel},
            "data": {"compression": "gzip", "jobs": 2},
        },
        "instanceSidecarConfiguration": {
            "env": workload.variables(environment),
            # A pod is Guaranteed only if each of its containers is, and the sidecar counts as one (Kubernetes: "Pod
            # Quality of Service Classes").
            "resources": resources(args.memory_mb, args.cores(replicas), guaranteed=True),
        },
    }
    return manifest("barmancloud.cnpg.io/v1", "ObjectStore", object_store_name(name), spec)


def bucket_policy(name: str, store: ObjectStore, labels: Mapping[str, str]) -> Manifest:
    """Pods with `labels` reach the bucket, wherever it is: only its port is known."""
    rules = [network.egress(peers, store.port) for peers in (network.anywhere(), [network.CLUSTER])]
    return network.policy(f"{name}-bucket", labels, egress=rules)
