"""BackupSchedule on Kubernetes: a ScheduledBackup of a Cluster that archives by the barman-cloud plugin."""

import pulumi

from tierstack.backup_schedule import recovery
from tierstack.backup_schedule.args import BackupScheduleArgs, DrillArgs
from tierstack.backup_schedule.cron import six_fields
from tierstack.backup_schedule.restore import PLUGIN
from tierstack.platform.kubernetes.cluster import cluster
from tierstack.platform.kubernetes.manifest import Manifest, manifest
from tierstack.platform.kubernetes.plan import Planned


def plan(name: str, args: BackupScheduleArgs) -> list[Planned]:
    """The schedule: what archives, and where to, is the database's."""
    return [Planned(f"{name}-schedule", _scheduled_backup(name, args.archive.cluster, args.schedule))]


def _scheduled_backup(name: str, cluster_name: str, schedule: str) -> Manifest:
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
    cluster(args.platform, parent).apply(parent, plan(name, args))
    return {"location": args.archive.location, "recovery": _recovery(args).text()}


def _recovery(args: BackupScheduleArgs) -> recovery.OnKubernetes:
    of, drill, platform = args.archive, args.drill or DrillArgs(), args.platform
    return recovery.OnKubernetes(
        context=platform.context or pulumi.Config("kubernetes").get("context"),
        namespace=platform.name,
        cluster=of.cluster,
        object_store=of.object_store,
        read_store=of.read_store or of.object_store,
        server_name=of.server_name or of.cluster,
        bucket_port=of.port,
        operator_namespace=of.operator_namespace,
        database=args.database.database,
        checks=drill.checks or {},
        max_lost_seconds=drill.lost_seconds(platform.kind),
        max_minutes=drill.max_minutes,
    )
