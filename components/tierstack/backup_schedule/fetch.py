"""A restore from a bucket: what `agent restore` does from the catalog, with a key that only reads.

python3 -m tierstack.backup_schedule.fetch --to … [--time …]
"""

import argparse
import json
import os
import shutil
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tierstack.backup_schedule import layout, replay, target
from tierstack.backup_schedule.barman_bucket import BarmanBucket
from tierstack.backup_schedule.bucket import DamagedError
from tierstack.backup_schedule.choice import choose, no_base

CONFIG = Path("/etc/tierstack")
PROFILE = "drill"
_TELL_SECONDS = 5
"""Between two words of how much is copied."""


def moment(text: str) -> datetime:
    """A moment of the command line, with or without a zone."""
    return datetime.fromisoformat(text)


def newest(stored: list[layout.StoredWal]) -> datetime | None:
    """When the log last arrived in the bucket."""
    return datetime.fromtimestamp(max(one.stored_at for one in stored), UTC) if stored else None


def restore(bucket: BarmanBucket, to: Path, at: datetime | None) -> int:
    """A data directory in `to` that PostgreSQL replays to the moment `at`, or to the last log in the bucket.

    What the bucket has is looked at first, and said: that is the moment as of which is restored, however long the copy
    takes.
    """
    now = datetime.now(UTC)
    stored = bucket.wals()
    print(f"what was received by now is restored: {now.isoformat()}", flush=True)
    problems = target.directory_problems(to, CONFIG) + target.time_problems(at, now, newest(stored))
    if problems:
        print("\n".join(problems))
        return 2
    listed = bucket.base_backups()
    chosen = choose(stored, listed, bucket.histories(stored), at)
    if chosen is None:
        print(no_base(listed, at, f" in {bucket.url}/{bucket.server}"))
        return 1
    if too_small := target.room_problems(to, chosen.base.size_bytes, len(chosen.wals)):
        print("\n".join(too_small))
        return 2
    # The log first: what is missing in it is known before a large base backup is copied.
    log = to.parent / f"{to.name}.log"
    shutil.rmtree(log, ignore_errors=True)
    log.mkdir(mode=0o700, parents=True)
    with _told((log, to), chosen.size_bytes):
        damaged = bucket.fetch(chosen.wals, log)
        if incomplete := chosen.problems(at, damaged):
            shutil.rmtree(log)
            print("\n".join(incomplete))
            return 2
        to.mkdir(mode=0o700, parents=True, exist_ok=True)
        done = bucket.barman("restore", bucket.url, bucket.server, chosen.base.id, str(to))
        if done.returncode:
            print(f"{done.stdout}{done.stderr}barman-cloud-restore ended with exit code {done.returncode}")
            return done.returncode
        received = to / "barman_wal"
        shutil.rmtree(received, ignore_errors=True)
        log.replace(received)
    until = f"recovery_target_timeline = '{chosen.timeline}'\n"
    if at:
        moment_ = at.astimezone(UTC).isoformat(sep=" ")
        until += f"recovery_target_time = '{moment_}'\nrecovery_target_action = promote\n"
    replay.prepare(to, received, until)
    print(f"base backup {chosen.base.id} and {len(chosen.wals)} files of the write-ahead log")
    return 0


@contextmanager
def _told(places: Sequence[Path], total: int) -> Generator[None]:
    """Say every few seconds how much is there, as restores of files do."""
    over = threading.Event()

    def tell() -> None:
        while not over.wait(_TELL_SECONDS):
            print(json.dumps({"restored_bytes": sum(map(_size, places)), "total_bytes": total}), flush=True)

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _size(root: Path) -> int:
    size = 0
    for folder, _, names in os.walk(root):
        for name in names:
            try:
                size += (Path(folder) / name).lstat().st_size
            except OSError:  # renamed meanwhile
                continue
    return size


def main() -> int:
    """The exit code of one restore."""
    parser = argparse.ArgumentParser(prog="fetch", description=__doc__)
    parser.add_argument("--to", type=Path, required=True, help="the data directory to make: new or empty")
    parser.add_argument("--time", type=moment, help="the moment, RFC 3339 with a zone; left out: the last one stored")
    options = parser.parse_args()
    os.umask(0o077)
    settings = json.loads((CONFIG / "settings.json").read_text())["store"]
    try:
        return restore(BarmanBucket(settings, CONFIG, PROFILE), options.to, options.time)
    except DamagedError as error:
        print(error)
        return 2


if __name__ == "__main__":
    sys.exit(main())
