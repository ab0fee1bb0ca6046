"""What removes from a bucket what the retention no longer keeps, with a key that can only read and delete.

    python3 -m tierstack.backup_schedule.prune run | health

It runs in a container of its own: who takes over the one that writes gets no key that deletes.
"""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tierstack.backup_schedule import rounds
from tierstack.backup_schedule.bucket import Bucket

CONFIG = Path("/etc/tierstack")
PROFILE = "prune"
DONE = Path("/tmp/pruned")


def prune(bucket: Bucket, days: int) -> str:
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
    return f"{window}: removed {versions(bucket, datetime.now(UTC) - timedelta(days=days))} old versions"


def versions(bucket: Bucket, before: datetime) -> int:
    """Remove versions that were replaced or deleted, and are older than the window; how many. What is locked stays.

    A mark of deletion goes last: without it, a version below it would be the object again.
    """
    kept: dict[str, list[dict[str, Any]]] = {}
    removed = 0
    for one in superseded(bucket):
        if one["LastModified"] < before and "Size" in one and _removed(bucket, one):
            removed += 1
        else:
            kept.setdefault(one["Key"], []).append(one)
    for marks in kept.values():
        if not any("Size" in one for one in marks) and all(one["LastModified"] < before for one in marks):
            removed += sum(_removed(bucket, one) for one in marks)
    return removed


def superseded(bucket: Bucket) -> Iterator[dict[str, Any]]:
    """Versions and marks of deletion of objects that are deleted, and older versions of those that are not."""
    pages = bucket.s3.get_paginator("list_object_versions").paginate(Bucket=bucket.name, Prefix=f"{bucket.folder}/")
    found = [one for page in pages for one in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]]
    current = {one["Key"] for one in found if one["IsLatest"] and "Size" in one}
    for one in found:
        if one.get("VersionId") not in (None, "null") and not (one["IsLatest"] and one["Key"] in current):
            # Marks below an object that was written again are superseded too.
            yield one


def _removed(bucket: Bucket, version: dict[str, Any]) -> bool:
    try:
        bucket.s3.delete_object(Bucket=bucket.name, Key=version["Key"], VersionId=version["VersionId"])
    except Exception as error:
        answer: dict[str, Any] = getattr(error, "response", None) or {}
        if answer.get("Error", {}).get("Code") != "AccessDenied":  # a lock
            raise
        return False
    return True


def _round() -> str:
    settings: dict[str, Any] = json.loads((CONFIG / "settings.json").read_text())
    return prune(Bucket(settings["store"], CONFIG, PROFILE), settings["retention_days"])


if __name__ == "__main__":
    sys.exit(rounds.health(DONE) if sys.argv[1:] == ["health"] else rounds.run(DONE, _round))
