"""Names that a BackupSchedule gives (pure)."""


def object_store_name(name: str) -> str:
    """Name of the ObjectStore of the BackupSchedule `name`: what `DatabaseWithReplicasArgs.archive` takes."""
    return name
