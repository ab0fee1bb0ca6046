"""What a Cluster needs to archive by CloudNativePG's barman-cloud plugin (pure). The Cluster names the ObjectStore from
its first second, so that no write-ahead log is lost."""

from tierstack.database.archive import DatabaseArchiveArgs
from tierstack.links import ObjectStore
from tierstack.platform.kubernetes import network
from tierstack.platform.kubernetes.manifest import Manifest
from tierstack.platform.kubernetes.quantities import mebibytes, millicores


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


def object_store(name: str, args: DatabaseArchiveArgs) -> Manifest:
    """Where base backups and WAL go, with which credentials, and for how long they are kept."""
    store = args.store
    # Requests that equal limits, of the processor too: a pod is Guaranteed only if each of its containers is, and the
    # sidecar counts as one (Kubernetes: "Pod Quality of Service Classes").
    amounts = {"cpu": millicores(round(args.cpu * 1000)), "memory": mebibytes(args.memory_mb)}
    keys = {"accessKeyId": store.access_key_id, "secretAccessKey": store.secret_access_key}
    return {
        "apiVersion": "barmancloud.cnpg.io/v1",
        "kind": "ObjectStore",
        "metadata": {"name": object_store_name(name)},
        "spec": {
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
                "env": [
                    # The SDK's newer way of trying again (3 times in 2 s, not 5 in up to 12): a promotion asks the
                    # archive five times, and must not wait a minute for one that is away. Archiving is repeated anyway.
                    {"name": "AWS_RETRY_MODE", "value": "standard"},
                    # The plugin takes a region only from a Secret, and a region is none.
                    *([{"name": "AWS_DEFAULT_REGION", "value": store.region}] if store.region else []),
                ],
                "resources": {"requests": amounts, "limits": amounts},
            },
        },
    }


def bucket_policy(name: str, store: ObjectStore, labels: dict[str, str]) -> Manifest:
    """Pods with `labels` reach the bucket, wherever it is: only its port is known."""
    rules = [
        network.egress(network.anywhere(), store.port),
        network.egress([{"namespaceSelector": {}}], store.port),
    ]
    return network.policy(f"{name}-bucket", labels, egress=rules)
