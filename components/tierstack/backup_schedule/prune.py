"""What removes from a bucket what the retention no longer keeps of a PostgreSQL, by barman-cloud.

python3 -m tierstack.backup_schedule.prune run | health
"""

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from tierstack.backup_schedule import pruning
from tierstack.backup_schedule.barman_bucket import BarmanBucket


def prune(bucket: BarmanBucket, days: int) -> str:
    """Delete base backups and log outside of the recovery window, and versions that a deletion left; what was done.

    Raises RuntimeError where the bucket does not answer.
    """
    if not [one for one in bucket.base_backups() if one["status"] == "DONE"]:
        return "no base backup yet: nothing to remove"
    window = f"RECOVERY WINDOW OF {days} DAYS"
    # The last good one stays, however old.
    policy = ["--retention-policy", window, "--minimum-redundancy", "1"]
    done = bucket.barman("backup-delete", *policy, bucket.url, bucket.server)
    if done.returncode:
        raise RuntimeError(" ".join((done.stdout + done.stderr).split())[-300:])
    return f"{window}: removed {pruning.versions(bucket, datetime.now(UTC) - timedelta(days=days))} old versions"


def _round(settings: dict[str, Any]) -> str:
    return prune(BarmanBucket(settings["store"], pruning.CONFIG, pruning.PROFILE), settings["retention_days"])


if __name__ == "__main__":
    sys.exit(pruning.command(_round))
