"""A restore from a bucket: what `agent restore` does from the catalog, with a key that only reads.

python3 -m tierstack.backup_schedule.fetch --to … [--time …]
"""

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tierstack.backup_schedule import layout, replay, status, target
from tierstack.backup_schedule.bucket import Bucket

CONFIG = Path("/etc/tierstack")
PROFILE = "drill"


def moment(text: str) -> datetime:
    """A moment of the command line, with or without a zone."""
    return datetime.fromisoformat(text)


def restore(bucket: Bucket, to: Path, at: datetime | None) -> int:
    """A data directory in `to` that PostgreSQL replays to the moment `at`, or to the last log in the bucket.

    What the bucket has is looked at first, and said: that is the moment as of which is restored, however long the copy
    takes.
    """
    now = datetime.now(UTC)
    stored = bucket.wals()
    print(f"what was received by now is restored: {now.isoformat()}", flush=True)
    newest = datetime.fromtimestamp(max(one.stored_at for one in stored), UTC) if stored else None
    problems = target.directory_problems(to, CONFIG) + target.time_problems(at, now, newest)
    if problems:
        print("\n".join(problems))
        return 2
    listed = bucket.base_backups()
    found = status.backups(listed)
    start = status.starting(found, at)
    if start is None:
        ends = ", ".join(status.stamp(b.end) for b in found if b.good and b.end) or "none"
        when = f"--time = {status.stamp(at)}: no base backup had ended by then" if at else "there is no base backup"
        print(f"{when} in {bucket.url}/{bucket.server}; base backups ended at: {ends}")
        return 1
    begin = segment_of(listed, start.id)
    after = next((one.id for one in found if at is not None and one.good and one.begin > at), None)
    wals = layout.needed(stored, begin, segment_of(listed, after) if after else None)
    if too_small := target.room_problems(to, start.size_bytes, len(wals)):
        print("\n".join(too_small))
        return 2
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    done = bucket.barman("restore", bucket.url, bucket.server, start.id, str(to))
    if done.returncode:
        print(f"{done.stdout}{done.stderr}barman-cloud-restore ended with exit code {done.returncode}")
        return done.returncode
    received = to / "barman_wal"
    received.mkdir(mode=0o700, exist_ok=True)
    bucket.fetch(wals, received)
    until = (
        f"recovery_target_time = '{at.astimezone(UTC).isoformat(sep=' ')}'\nrecovery_target_action = promote\n"
        if at
        else ""
    )
    replay.prepare(to, received, until)
    print(f"base backup {start.id} and {len(wals)} files of the write-ahead log")
    return 0


def segment_of(listed: list[dict[str, Any]], identifier: str) -> str:
    """The segment in which a base backup began."""
    return next(str(one["begin_wal"]) for one in listed if one["backup_id"] == identifier)


def main() -> int:
    """The exit code of one restore."""
    parser = argparse.ArgumentParser(prog="fetch", description=__doc__)
    parser.add_argument("--to", type=Path, required=True, help="the data directory to make: new or empty")
    parser.add_argument("--time", type=moment, help="the moment, RFC 3339 with a zone; left out: the last one stored")
    options = parser.parse_args()
    os.umask(0o077)
    settings = json.loads((CONFIG / "settings.json").read_text())["store"]
    return restore(Bucket(settings, CONFIG, PROFILE), options.to, options.time)


if __name__ == "__main__":
    sys.exit(main())
