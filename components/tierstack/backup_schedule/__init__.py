"""BackupSchedule: base backups and the log of a database, from which any moment can be restored. FileBackups: the files
of an application, backed up by restic. DatabaseDumps: dumps of a database, kept by restic."""

import pulumi

from tierstack.backup_schedule import alerts, docker, kubernetes
from tierstack.backup_schedule.args import BackupScheduleArgs, DrillArgs
from tierstack.backup_schedule.dumps import alerts as dump_alerts
from tierstack.backup_schedule.dumps import docker as dumps
from tierstack.backup_schedule.dumps.args import DatabaseDumpsArgs, DumpJobArgs
from tierstack.backup_schedule.restic import alerts as file_alerts
from tierstack.backup_schedule.restic import docker as restic
from tierstack.backup_schedule.restic.args import FileBackupsArgs, FilesDrillArgs, KeepArgs
from tierstack.platform import PlatformKind
from tierstack.platform.component import Component
from tierstack.platform.program import NameRule

__all__ = [
    "BackupSchedule",
    "BackupScheduleArgs",
    "DatabaseDumps",
    "DatabaseDumpsArgs",
    "DrillArgs",
    "DumpJobArgs",
    "FileBackups",
    "FileBackupsArgs",
    "FilesDrillArgs",
    "KeepArgs",
]


class BackupSchedule(Component):
    """Base backups on a schedule and continuous WAL of one database, kept for a recovery window."""

    names = NameRule(docker=63, kubernetes=63)

    location: pulumi.Output[str]
    """Where the backups are: `volume:<name>` on a Docker host, `s3://<bucket>/<prefix>` otherwise."""
    schedule: pulumi.Output[str]
    """When base backups are made: five-field cron, in UTC."""
    retention_days: pulumi.Output[str]
    """Length of the recovery window in days, as text."""
    alert_rules: pulumi.Output[str]
    """Alerting rules as YAML for Prometheus: base backups that are late, WAL that does not arrive, backups that nothing
    reports."""

    recovery: pulumi.Output[str]
    """What `tierstack restore` and `tierstack drill` need to know of these backups, as JSON. None of it is secret."""

    def __init__(self, name: str, args: BackupScheduleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError with everything that is wrong in `args`; nothing is registered then."""
        args = self.begin(name, args, BackupScheduleArgs, opts)
        build = docker.build if args.platform.kind is PlatformKind.DOCKER else kubernetes.build
        outputs = build(self.physical_name, args, self)
        self.finish(
            {
                **outputs,
                "schedule": args.schedule,
                "retention_days": str(args.window_days),
                "alert_rules": alerts.text(self.physical_name, args),
            }
        )


class FileBackups(Component):
    """Backups of the files of one application on a schedule, in a repository that is encrypted and checked."""

    names = NameRule(docker=63, kubernetes=63)

    location: pulumi.Output[str]
    """Where the backups are: `volume:<name>`, or `s3://<bucket>/<folder>`."""
    schedule: pulumi.Output[str]
    """When backups are made: five-field cron, in UTC."""
    repository_password: pulumi.Output[str]
    """Password of the repository, a secret. Without it no backup can be read: keep a copy where the backups are not."""
    alert_rules: pulumi.Output[str]
    """Alerting rules as YAML for Prometheus: backups that are late, incomplete or damaged, and such that nothing
    reports."""
    recovery: pulumi.Output[str]
    """What `tierstack restore` and `tierstack drill` need to know of these backups, as JSON. None of it is secret."""

    def __init__(self, name: str, args: FileBackupsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError with everything that is wrong in `args`; nothing is registered then."""
        args = self.begin(name, args, FileBackupsArgs, opts)
        outputs = restic.build(self.physical_name, args, self)
        self.finish({**outputs, "schedule": args.schedule, "alert_rules": file_alerts.text(self.physical_name, args)})


class DatabaseDumps(Component):
    """Logical dumps of one database on a schedule, in a repository that is encrypted and checked."""

    names = NameRule(docker=63, kubernetes=63)

    location: pulumi.Output[str]
    """Where the dumps are: `volume:<name>`, or `s3://<bucket>/<folder>`."""
    repository_password: pulumi.Output[str]
    """Password of the repository, a secret. Without it no dump can be read: keep a copy where the dumps are not."""
    alert_rules: pulumi.Output[str]
    """Alerting rules as YAML for Prometheus: dumps that are late, small or damaged, and such that nothing reports."""
    recovery: pulumi.Output[str]
    """What `tierstack restore` and `tierstack drill` need to know of these dumps, as JSON. None of it is secret."""

    def __init__(self, name: str, args: DatabaseDumpsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError with everything that is wrong in `args`; nothing is registered then."""
        args = self.begin(name, args, DatabaseDumpsArgs, opts)
        outputs = dumps.build(self.physical_name, args, self)
        self.finish({**outputs, "alert_rules": dump_alerts.text(self.physical_name, args)})
