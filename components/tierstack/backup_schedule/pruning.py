"""What the containers that prune a bucket do alike: their command line, and versions that a deletion left behind.

The key that they use can only read and delete: who takes over what writes gets no key that deletes.
"""

import json
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from tierstack.backup_schedule import rounds
from tierstack.backup_schedule.bucket import Bucket

CONFIG = Path("/etc/tierstack")
PROFILE = "prune"
DONE = Path("/tmp/pruned")


def command(prune: Callable[[dict[str, Any]], str]) -> int:
    """`run` rounds of pruning for ever, or tell the `health` of the last one: the exit code. `prune`: one round, with
    the settings; it returns what was done, and raises whatever goes wrong."""

    def carry_out() -> str:
        return prune(json.loads((CONFIG / "settings.json").read_text()))

    if sys.argv[1:] == ["health"]:
        return rounds.health(DONE)
    rounds.run(DONE, carry_out)
    return 0


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
