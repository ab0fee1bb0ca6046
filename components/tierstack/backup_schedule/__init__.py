"""BackupSchedule: base backups and continuous WAL of a PostgreSQL, from which any moment can be restored."""

from tierstack.backup_schedule.args import BackupDestination, BackupScheduleArgs

__all__ = ["BackupDestination", "BackupScheduleArgs"]
