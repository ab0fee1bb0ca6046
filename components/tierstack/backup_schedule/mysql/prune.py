"""What removes from a bucket what the retention no longer keeps of a MySQL.

python3 -m tierstack.backup_schedule.mysql.prune run | health
"""

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from tierstack.backup_schedule import pruning
from tierstack.backup_schedule.mysql import parts
from tierstack.backup_schedule.mysql.bucket import MySQLBucket
from tierstack.backup_schedule.mysql.catalog import moment, needed_from, number, superfluous


def prune(bucket: MySQLBucket, days: int, least: int, now: datetime) -> str:
    """Delete base backups and binary logs that no moment of the last `days` days needs, at least so many of the newest
    base backups aside, and versions that a deletion left; what was done."""
    copies = bucket.copies()
    if not copies:
        return "no base backup yet: nothing to remove"
    gone = {one.id for one in superfluous(copies, now, days, least)}
    # What makes it count goes first.
    bucket.delete(parts.mark_of(one) for one in sorted(gone))
    kept = [one for one in copies if one.id not in gone]
    names = [bucket.name_of(one["Key"]) for one in bucket.objects(parts.COPIES)]
    ids = {one.id for one in kept}
    # One that is newer than all others is being stored now.
    files = [one for one in names if (identifier := one.split("/")[1]) not in ids and identifier < kept[-1].id]
    bucket.delete(files)
    logs = _logs(bucket, kept)
    bucket.delete(logs)
    removed = pruning.versions(bucket, now - timedelta(days=days))
    return (
        f"window of {days} days: removed {len(gone)} base backups ({len(files)} files), {len(logs)} parts of binary "
        f"logs, {removed} old versions"
    )


def _logs(bucket: MySQLBucket, kept: list[Any]) -> list[str]:
    """The parts of binary logs that no base backup needs."""
    stored = bucket.parts()
    newest = moment(kept[-1].begin).timestamp()
    arrives = {one.part.history for one in stored if one.stored_at >= newest}
    found: list[str] = []
    for part in (one.part for one in stored):
        first = needed_from(kept, part.history)
        # A history without a base backup, of which something came lately, is about to get its first one.
        if number(part.log) < number(first) if first else part.history not in arrives:
            found.append(part.name)
    return found


def _round(settings: dict[str, Any]) -> str:
    bucket = MySQLBucket(settings["store"], pruning.CONFIG, pruning.PROFILE)
    return prune(bucket, settings["retention_days"], settings["least_copies"], datetime.now(UTC))


if __name__ == "__main__":
    sys.exit(pruning.command(_round))
