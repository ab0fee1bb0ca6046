"""BackupSchedule on Kubernetes: an ObjectStore of the barman-cloud plugin and a ScheduledBackup of CloudNativePG.

The Cluster names the ObjectStore in its own plugin section, and archives its WAL from its first second.
"""

from urllib.parse import urlsplit

import pulumi

from tierstack.backup_schedule.args import BackupDestination, BackupScheduleArgs
from tierstack.backup_schedule.cron import six_fields
from tierstack.backup_schedule.names import object_store_name
from tierstack.backup_schedule.restore import PLUGIN
from tierstack.platform import policies
from tierstack.platform.kubernetes import Manifest, cluster, mebibytes, millicores

ACCESS_KEY, SECRET_KEY = "access-key-id", "secret-access-key"


def location(destination: BackupDestination) -> str:
    """The destination as one address: `s3://bucket/prefix`."""
    return "/".join(["s3:/", destination.bucket, *([destination.prefix] if destination.prefix else [])])


def object_store(name: str, destination: BackupDestination, args: BackupScheduleArgs) -> Manifest:
    """Where base backups and WAL go, with which credentials, and for how long they are kept."""
    credentials = f"{name}-s3"
    # Requests that equal limits, of the processor too: a pod is Guaranteed only if each of its containers is, and the
    # sidecar counts as one (Kubernetes: "Pod Quality of Service Classes").
    amounts = {"cpu": millicores(round(args.cpu * 1000)), "memory": mebibytes(args.memory_mb)}
    region = destination.region
    return {
        "apiVersion": "barmancloud.cnpg.io/v1",
        "kind": "ObjectStore",
        "metadata": {"name": object_store_name(name)},
        "spec": {
            "retentionPolicy": f"{args.retention_days}d",
            "configuration": {
                "destinationPath": location(destination),
                **({"endpointURL": destination.endpoint_url} if destination.endpoint_url else {}),
                "s3Credentials": {
                    "accessKeyId": {"name": credentials, "key": ACCESS_KEY},
                    "secretAccessKey": {"name": credentials, "key": SECRET_KEY},
                },
                # This also counts when a standby asks the archive, which it does again and again when its primary is
                # gone, and several processes would take the processor from its promotion.
                "wal": {"compression": "gzip", "maxParallel": args.wal_parallel},
                "data": {"compression": "gzip", "jobs": 2},
            },
            "instanceSidecarConfiguration": {
                "env": [
                    # The SDK's newer way of trying again (3 times in 2 s, not 5 in up to 12): a promotion asks the
                    # archive five times, and must not wait a minute for one that is away. Archiving is repeated anyway.
                    {"name": "AWS_RETRY_MODE", "value": "standard"},
                    # The plugin takes a region only from a Secret, and a region is none.
                    *([{"name": "AWS_DEFAULT_REGION", "value": region}] if region else []),
                ],
                "resources": {"requests": amounts, "limits": amounts},
            },
        },
    }


def scheduled_backup(name: str, cluster_name: str, schedule: str) -> Manifest:
    """A base backup at once and then on schedule, through the plugin, from a standby where there is one."""
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "ScheduledBackup",
        "metadata": {"name": name},
        "spec": {
            "schedule": six_fields(schedule),
            "immediate": True,
            "backupOwnerReference": "self",
            "target": "prefer-standby",
            "method": "plugin",
            "pluginConfiguration": {"name": PLUGIN},
            "cluster": {"name": cluster_name},
        },
    }


def egress_policy(name: str, destination: BackupDestination, cluster_name: str) -> Manifest:
    """The servers reach the bucket, wherever it is: only its port is known."""
    endpoint = urlsplit(destination.endpoint_url or "https://")
    port = endpoint.port or (80 if endpoint.scheme == "http" else 443)
    rules = [policies.egress(policies.anywhere(), port), policies.egress([{"namespaceSelector": {}}], port)]
    return policies.policy(f"{name}-bucket", {"cnpg.io/cluster": cluster_name}, egress=rules)


def build(name: str, args: BackupScheduleArgs, parent: pulumi.Resource) -> dict[str, pulumi.Input[str]]:
    """Register everything; what the component gives as its outputs."""
    assert args.destination is not None  # by the arguments' rules
    assert args.database.cluster is not None
    here = cluster(args.platform, parent)
    credentials = {
        ACCESS_KEY: args.destination.access_key_id or "",
        SECRET_KEY: args.destination.secret_access_key or "",
    }
    here.given_secret(f"{name}-s3", parent, credentials)
    # It says where the backups are: without it a database that is kept can neither archive nor be restored.
    store = here.object(f"{name}-store", parent, object_store(name, args.destination, args), data=True)
    if args.platform.default_deny:
        here.object(f"{name}-bucket-policy", parent, egress_policy(name, args.destination, args.database.cluster))
    schedule = scheduled_backup(name, args.database.cluster, args.schedule)
    here.object(f"{name}-schedule", parent, schedule, depends_on=[store])
    return {"location": location(args.destination)}
