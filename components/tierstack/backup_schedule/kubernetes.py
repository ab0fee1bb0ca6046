"""BackupSchedule on Kubernetes: a ScheduledBackup of a Cluster that archives by the barman-cloud plugin."""

import pulumi

from tierstack.backup_schedule.args import BackupScheduleArgs
from tierstack.backup_schedule.cron import six_fields
from tierstack.backup_schedule.restore import PLUGIN
from tierstack.platform.kubernetes.cluster import cluster
from tierstack.platform.kubernetes.manifest import Manifest, manifest


def scheduled_backup(name: str, cluster_name: str, schedule: str) -> Manifest:
    """A base backup at once and then on schedule, through the plugin, from a standby where there is one."""
    spec = {
        "schedule": six_fields(schedule),
        "immediate": True,
        "backupOwnerReference": "self",
        "target": "prefer-standby",
        "method": "plugin",
        "pluginConfiguration": {"name": PLUGIN},
        "cluster": {"name": cluster_name},
    }
    return manifest("postgresql.cnpg.io/v1", "ScheduledBackup", name, spec)


def build(name: str, args: BackupScheduleArgs, parent: pulumi.Resource) -> dict[str, pulumi.Input[str]]:
    """Register everything; what the component gives as its outputs."""
    here = cluster(args.platform, parent)
    here.object(f"{name}-schedule", parent, scheduled_backup(name, args.archive.cluster, args.schedule))
    return {"location": args.archive.location}
