"""The state of backups by restic for Prometheus. The agent in the container runs this very file."""

from collections.abc import Mapping
from typing import Any

from tierstack.backup_schedule import metrics
from tierstack.backup_schedule.metrics import seconds

PREFIX = "tierstack_files"

HELP = {
    "repository_checked_timestamp_seconds": "When the repository was last checked.",
    "repository_damaged": "1 if the last check found damage, or could not read.",
    "repository_check_late": "1 while a check of the repository is overdue.",
    "pruned_timestamp_seconds": "When what the rules no longer keep was last removed.",
    "disk_free_bytes": "Bytes that the disk of the repository has left, where it is not in a bucket.",
    "disk_size_bytes": "Bytes of that disk.",
    "drill_good": "1 if the last drill was good.",
    "drill_good_timestamp_seconds": "When the last good drill ended.",
    "drill_rto_seconds": "How long the restore of the last good drill took.",
    "checked_timestamp_seconds": "When all of this was last judged, once a minute.",
}
"""What the metrics of every repository say."""
_HELP = {
    "healthy": "1 while the newest backup is as the schedule wants it, and the repository whole.",
    "backup_late": "1 while a backup is missing or overdue.",
    "backup_shrunk": "1 while the newest backup has less than half the bytes or files of the one before.",
    "unreadable": "1 while the last backup lacks files that could not be read.",
    "backups": "Backups in the repository.",
    "last_backup_bytes": "Bytes of the files in the newest backup.",
    "last_backup_files": "Files in the newest backup.",
    "last_backup_timestamp_seconds": "When the newest backup began.",
    **HELP,
}


def of_repository(document: Mapping[str, Any]) -> dict[str, float | None]:
    """The metrics that every repository has, from a status document; None for what is not known."""
    drills: list[dict[str, Any]] = document.get("drills") or []
    good = next((one for one in reversed(drills) if one["result"] == "good"), dict[str, Any]())
    return {
        "repository_checked_timestamp_seconds": seconds(document["repository_checked_at"]),
        "repository_damaged": document["repository_damaged"],
        "repository_check_late": document["repository_check_late"],
        "pruned_timestamp_seconds": seconds(document["pruned_at"]),
        "disk_free_bytes": document["disk"]["free_bytes"],
        "disk_size_bytes": document["disk"]["size_bytes"],
        "drill_good": drills[-1]["result"] == "good" if drills else None,
        "drill_good_timestamp_seconds": seconds(good.get("ended_at")),
        "drill_rto_seconds": good.get("rto_seconds"),
        "checked_timestamp_seconds": seconds(document["checked_at"]),
    }


def values(document: Mapping[str, Any]) -> dict[str, float]:
    """The metrics in a status document; what is not known is left out."""
    last = document["last_backup"] or dict[str, Any]()
    found: dict[str, float | None] = {
        "healthy": document["healthy"],
        "backup_late": document["backup_late"],
        "backup_shrunk": document["backup_shrunk"],
        "unreadable": document["unreadable_files"],
        "backups": document["backups"],
        "last_backup_bytes": last.get("size_bytes"),
        "last_backup_files": last.get("files"),
        "last_backup_timestamp_seconds": seconds(last.get("begin")),
        **of_repository(document),
    }
    return {name: float(value) for name, value in found.items() if value is not None}


def text(document: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """The page that Prometheus reads."""
    return metrics.page_of(PREFIX, _HELP, values(document), labels)
