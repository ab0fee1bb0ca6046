"""What a bucket has of a database, for a recovery: as JSON, read with a key that only reads.

python3 -m tierstack.backup_schedule.look --disk … [--time …]
"""

import argparse
import json
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tierstack.backup_schedule import layout, status, target
from tierstack.backup_schedule.barman_bucket import BarmanBucket
from tierstack.backup_schedule.bucket import DRILLS, IDENTITY
from tierstack.backup_schedule.choice import choose, no_base
from tierstack.backup_schedule.fetch import CONFIG, PROFILE, moment, newest


def look(bucket: BarmanBucket, at: datetime | None, free_bytes: int) -> dict[str, Any]:
    """Everything that a plan says of a restore to the moment `at`; what is in its way as `problems`."""
    now, by_store = datetime.now(UTC), bucket.clock()
    stored, listed = bucket.wals(), bucket.base_backups()
    identity, drills = bucket.get(IDENTITY), bucket.get(DRILLS)
    last = newest(stored)
    found: dict[str, Any] = {
        "location": f"{bucket.url}/{bucket.server}",
        "ahead_seconds": round((now - by_store).total_seconds()),
        "system": str(json.loads(identity)["system_identifier"]) if identity else None,
        "bases": sum(one["status"] == "DONE" for one in listed),
        "newest_at": status.stamp(last) if last else None,
        "newest_of": newest_of(stored),
        "drills": drills.decode() if drills else "",
        "free_bytes": free_bytes,
        "base": None,
        "problems": target.time_problems(at, now, last),
    }
    chosen = choose(stored, listed, bucket.histories(stored), at)
    if chosen is None:
        found["problems"].append(no_base(listed, at, f" in {bucket.url}/{bucket.server}"))
        return found
    end = chosen.base.end
    found["base"] = {
        "id": chosen.base.id,
        "ended_at": status.stamp(end) if end else None,
        "size_bytes": chosen.base.size_bytes,
        "version": chosen.entry.get("version"),
    }
    found["segments"], found["needed_bytes"] = len(chosen.wals), chosen.size_bytes
    found["problems"] += chosen.problems(at)
    return found


def newest_of(stored: list[layout.StoredWal]) -> dict[str, str]:
    """The newest segment of each timeline, by its eight digits."""
    found: dict[str, str] = {}
    for one in stored:
        if layout.SEGMENT.fullmatch(one.name):
            found[one.name[:8]] = max(one.name, found.get(one.name[:8], ""))
    return found


def main() -> int:
    """The exit code of one look; what keeps it from looking is one line."""
    parser = argparse.ArgumentParser(prog="look", description=__doc__)
    parser.add_argument("--disk", type=Path, required=True, help="a directory on the disk that a restore would fill")
    parser.add_argument("--time", type=moment, help="the moment, RFC 3339 with a zone; left out: the last one stored")
    given = parser.parse_args()
    settings = json.loads((CONFIG / "settings.json").read_text())["store"]
    bucket = BarmanBucket(settings, CONFIG, PROFILE)
    try:
        print(json.dumps(look(bucket, given.time, shutil.disk_usage(given.disk).free)))
    except Exception as error:
        print(f"{bucket.url}/{bucket.server} cannot be read: {' '.join(str(error).split())}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
