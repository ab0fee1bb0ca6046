"""A restore from a bucket: what `agent restore` does from the catalog, with a key that only reads.

python3 -m tierstack.backup_schedule.mysql.fetch --to … [--time … | --gtid …]

Beside the restored directory a catalog is made of what the bucket has of the binary logs that are needed; the files of
the base backup come straight into the directory.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tierstack.backup_schedule import target
from tierstack.backup_schedule.bucket import AT_ONCE, DamagedError
from tierstack.backup_schedule.mysql import copies, parts, replay, restoring, server
from tierstack.backup_schedule.mysql.bucket import MySQLBucket, StoredPart
from tierstack.backup_schedule.mysql.catalog import COPIES, LOGS, Catalog, Copy, moment, number

CONFIG = Path("/etc/tierstack")
PROFILE = "drill"


def restore(bucket: MySQLBucket, to: Path, goal: replay.Goal) -> int:
    """A data directory in `to` with what the bucket has until the goal: the exit code."""
    catalog = Catalog(to.parent / f"{to.name}.catalog")
    try:
        return restoring.restore(to, goal, CONFIG, lambda: receive(bucket, catalog, to, goal))
    finally:
        server.removed(catalog.root)


def receive(bucket: MySQLBucket, catalog: Catalog, to: Path, goal: replay.Goal) -> restoring.Received:
    """What a restore needs of the bucket, in a catalog that is made. Raises RestoreError and DamagedError."""
    server.removed(catalog.root)
    stored, held = bucket.parts(), bucket.copies()
    copy = replay.starting(held, goal)
    wanted = needed(stored, copy, held, goal)
    of_log: dict[str, list[StoredPart]] = {}
    for one in wanted:
        of_log.setdefault(one.part.log, []).append(one)
    bytes_ = sum(parts.reach(one.part for one in each) for each in of_log.values())
    # Once as they are stored, once as relay logs, once in the tables, at most.
    if too_small := target.free_problems(to, copy.size_bytes + 3 * bytes_):
        raise replay.RestoreError("\n".join(too_small))
    for one in held:
        described = catalog.root / COPIES / one.id / "copy.json"
        described.parent.mkdir(mode=0o700, parents=True)
        described.write_text(one.text())
    folder = catalog.root / LOGS / copy.history
    folder.mkdir(mode=0o700, parents=True)
    for name in of_log:
        (folder / name).touch()

    def place(one: StoredPart, content: bytes) -> None:
        with (folder / one.part.log).open("r+b") as file:
            file.seek(one.part.begin)
            file.write(content)

    damaged = {one.part for one in bucket.bring(wanted, place)}
    holes: dict[str, str] = {}
    for name, each in of_log.items():
        every = [one.part for one in each]
        if missing := parts.hole(every, damaged):
            holes[name] = missing
        os.truncate(folder / name, parts.reach(one for one in every if one not in damaged))
    return restoring.Received(catalog=catalog, bring=lambda one, into: bring(bucket, one, into), holes=holes)


def needed(stored: list[StoredPart], copy: Copy, held: list[Copy], goal: replay.Goal) -> list[StoredPart]:
    """The parts with which a copy is replayed to the goal. What was written after the copy that follows a moment began
    is not needed for it."""
    first, last = number(copy.first_log), None
    if goal.at is not None:
        later = (one for one in held if one.history == copy.history and moment(one.begin) > goal.at)
        last = min((number(one.first_log) for one in later), default=None)
    return [
        one
        for one in stored
        if one.part.history == copy.history
        and first <= number(one.part.log)
        and (last is None or number(one.part.log) <= last)
    ]


def bring(bucket: MySQLBucket, copy: Copy, to: Path) -> None:
    """Bring the files of a base backup into a directory. Raises CopyError."""

    def read(name: str) -> Iterator[bytes]:
        try:
            yield from bucket.file_of(copy, name)
        except DamagedError as error:
            raise copies.CopyError(f"{error}; {copies.ANOTHER}") from None

    copies.fetch(copy, to, read, AT_ONCE)


def main() -> int:
    """The exit code of one restore; what keeps it from reading is one line."""
    parser = argparse.ArgumentParser(prog="fetch", description=__doc__)
    parser.add_argument("--to", type=Path, required=True, help="the data directory to make: new or empty")
    restoring.arguments(parser)
    given = parser.parse_args()
    os.umask(0o077)
    bucket = MySQLBucket(json.loads((CONFIG / "settings.json").read_text())["store"], CONFIG, PROFILE)
    try:
        return restore(bucket, given.to, replay.Goal(given.time, given.gtid))
    except Exception as error:
        print(f"{bucket.url}/{bucket.server} cannot be read: {' '.join(str(error).split())}")
        return 2 if isinstance(error, DamagedError) else 1


if __name__ == "__main__":
    sys.exit(main())
