"""A restore from a bucket: what `agent restore` does from the catalog, with a key that only reads.

python3 -m tierstack.backup_schedule.fetch --to … [--time …]
"""

import argparse
import json
import os
import shutil
import sys
import threading
from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tierstack.backup_schedule import layout, replay, status, target
from tierstack.backup_schedule.bucket import Bucket, DamagedError

CONFIG = Path("/etc/tierstack")
PROFILE = "drill"
CURRENT = "current"
"""The timeline of the base backup (PostgreSQL: `recovery_target_timeline`)."""
_TELL_SECONDS = 5
"""Between two words of how much is copied."""


def moment(text: str) -> datetime:
    """A moment of the command line, with or without a zone."""
    return datetime.fromisoformat(text)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a restore reads."""

    base: status.Backup
    entry: dict[str, Any]
    """What the bucket says of the base backup."""
    wals: list[layout.StoredWal]
    timeline: str
    """The timeline that is followed, as `recovery_target_timeline` takes it."""
    history: layout.History | None
    """Of the timelines that it follows; None where it stays on that of the base backup."""

    def problems(self, at: datetime | None, damaged: Collection[str] = ()) -> list[str]:
        """What of its log is missing, or is among the `damaged`, where a restore to the moment `at` needs it."""
        intact = {one.name: one for one in self.wals if one.name not in damaged}
        hole = layout.hole(intact, str(self.entry["begin_wal"]), self.history, int(self.entry["segment_bytes"]))
        ended = datetime.fromtimestamp(intact[hole.after].stored_at, UTC) if hole and hole.after else None
        return replay.hole_problems(hole, at, ended)

    @property
    def size_bytes(self) -> int:
        """What it writes: the base backup, and the log beside it."""
        return self.base.size_bytes + len(self.wals) * target.SEGMENT_BYTES


def choose(
    bucket: Bucket, stored: list[layout.StoredWal], listed: list[dict[str, Any]], at: datetime | None
) -> Choice | None:
    """The base backup for the moment `at`, and the log with which it is replayed. None: no base backup leads there."""
    found = status.backups(listed)
    history = layout.History.of(stored, bucket.histories(stored), at.timestamp() if at else None)
    entries = {one["backup_id"]: one for one in listed}
    start = status.starting([one for one in found if history is None or _leads(history, entries[one.id])], at)
    if start is None:
        return None
    begin = str(entries[start.id]["begin_wal"])
    after = next((one.id for one in found if at is not None and one.good and one.begin > at), None)
    until = str(entries[after]["begin_wal"]) if after else None
    timeline = int(begin[:8], 16)
    if history is None or timeline > history.timeline:  # nobody had gone on elsewhere by then
        ours, follow, history = [one for one in stored if int(one.name[:8], 16) <= timeline], CURRENT, None
    else:
        ours, follow = history.of_it(stored), str(history.timeline)
    # All histories, also those that are not followed: by them the server finds a number for its own timeline that none
    # in the bucket has.
    histories = [one for one in stored if layout.HISTORY.fullmatch(one.name) and one not in ours]
    wals = layout.needed([*ours, *histories], begin, until)
    return Choice(base=start, entry=entries[start.id], wals=wals, timeline=follow, history=history)


def _leads(history: layout.History, entry: dict[str, Any]) -> bool:
    ended = entry.get("end_xlog")
    return history.has(int(str(entry["begin_wal"])[:8], 16), layout.position(ended) if ended else None)


def no_base(bucket: Bucket, listed: list[dict[str, Any]], at: datetime | None) -> str:
    """Why there is no base backup to begin with."""
    ends = ", ".join(status.stamp(b.end) for b in status.backups(listed) if b.good and b.end) or "none"
    when = f"--time = {status.stamp(at)}: no base backup had ended by then" if at else "there is no base backup"
    return f"{when} in {bucket.url}/{bucket.server}; base backups ended at: {ends}"


def newest(stored: list[layout.StoredWal]) -> datetime | None:
    """When the log last arrived in the bucket."""
    return datetime.fromtimestamp(max(one.stored_at for one in stored), UTC) if stored else None


def restore(bucket: Bucket, to: Path, at: datetime | None) -> int:
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
    chosen = choose(bucket, stored, listed, at)
    if chosen is None:
        print(no_base(bucket, listed, at))
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
        return restore(Bucket(settings, CONFIG, PROFILE), options.to, options.time)
    except DamagedError as error:
        print(error)
        return 2


if __name__ == "__main__":
    sys.exit(main())
