"""What a restore of a dump runs in a container: with the key that only reads, or without any network.

    python3 -m tierstack.backup_schedule.dumps.fetch list | get --dump ID --to DIRECTORY [--table NAME]…

It needs restic, the programs of the engine and the standard library.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from tierstack.backup_schedule.dumps import mysql, postgresql
from tierstack.backup_schedule.dumps.agent import complete, file_of, repository_of
from tierstack.backup_schedule.dumps.dumper import DumpError, cause
from tierstack.backup_schedule.dumps.dumpers import dumper_of
from tierstack.backup_schedule.output import publish
from tierstack.backup_schedule.restic.agent import settings
from tierstack.backup_schedule.restic.repository import ResticError, Snapshot
from tierstack.backup_schedule.status import FULL_BYTES, stamp

PROFILE = "drill"
NAME, SELECTION, SUMMARY = "dump", "selection", "dump.json"
"""Files in the directory: the dump, which of its entries are restored (PostgreSQL), and what was found in it."""
TIMES = 3
"""Space that a restore needs, in bytes of its dump: the dump itself, and a database with its indexes of up to twice
that size."""
_SHOW_SECONDS = 2
_MIB = 2**20


@dataclass(frozen=True)
class Stored:
    """A dump in the repository."""

    job: str
    snapshot: Snapshot


def stored(given: dict[str, Any]) -> list[Stored]:
    """All dumps, the oldest first."""
    found = [
        Stored(name, one) for name in given["jobs"] for one in complete(repository_of(given, name, PROFILE).snapshots())
    ]
    return sorted(found, key=lambda one: one.snapshot.began)


def show() -> int:
    """Print the dumps that there are, and when that was."""
    dumps = [{"job": one.job, **one.snapshot.as_entry()} for one in stored(settings())]
    print(json.dumps({"now": stamp(datetime.now(UTC)), "dumps": dumps}))
    return 0


def get(identifier: str, to: Path, tables: Sequence[str]) -> int:
    """Bring a dump into a directory, and prepare the restore of all of it, or of some tables. The exit code."""
    given = settings()
    wanted = next((one for one in stored(given) if one.snapshot.id == identifier), None)
    if wanted is None:
        print(f"dump {identifier} is not in the repository")
        return 1
    size = wanted.snapshot.size_bytes
    needed, free = TIMES * size + FULL_BYTES, shutil.disk_usage(to).free
    if free < needed:
        print(f"{to} has {free // _MIB:,} MiB free, and the restore needs about {needed // _MIB:,} MiB: add disk")
        return 2
    dumper = dumper_of(given)
    inspector, written, shown = dumper.inspector(), 0, time.monotonic()
    repository = repository_of(given, wanted.job, PROFILE)
    with (to / NAME).open("wb") as file, closing(repository.dumped(identifier, file_of(given))) as stream:
        for chunk in stream:
            inspector.feed(chunk)
            file.write(chunk)
            written += len(chunk)
            if time.monotonic() - shown > _SHOW_SECONDS:
                shown = time.monotonic()
                print(json.dumps({"restored_bytes": written, "total_bytes": size}), flush=True)
    dumped = inspector.end()
    if written != size:
        raise DumpError(f"{written} bytes came back, and the dump has {size}")
    if given["engine"] == "postgresql":
        held = _of_postgresql(to, tables, part=given["jobs"][wanted.job]["tables"] is not None)
    else:
        held = _of_mysql(to, tables, sorted(dumped))
    publish(to / SUMMARY, {"job": wanted.job, "size_bytes": size, "tables": list(tables) or held})
    print(json.dumps({"restored_bytes": written, "total_bytes": size}), flush=True)
    return 0


def _of_postgresql(to: Path, tables: Sequence[str], *, part: bool) -> list[str]:
    done = subprocess.run(["pg_restore", "--list", str(to / NAME)], capture_output=True, text=True)
    if done.returncode:
        raise DumpError(f"pg_restore cannot read the dump: {cause(done.stderr)}")
    held = postgresql.contents(done.stdout)
    _refuse_unknown(tables, held)
    (to / SELECTION).write_text(postgresql.selection(done.stdout, tables or (held if part else None)))
    return held


def _of_mysql(to: Path, tables: Sequence[str], held: list[str]) -> list[str]:
    _refuse_unknown(tables, held)
    if tables:
        chosen = to / f"{NAME}.new"
        with (to / NAME).open("rb") as whole, chosen.open("wb") as file:
            file.writelines(mysql.selected(whole, tables))
        chosen.replace(to / NAME)
    return held


def _refuse_unknown(tables: Sequence[str], held: Sequence[str]) -> None:
    for name in tables:
        if name not in held:
            near = get_close_matches(name, held, 1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(held[:10]) or 'none'}"
            raise DumpError(f"the dump has no table {name}; {hint}")


def main() -> int:
    """One verb, its exit code."""
    parser = argparse.ArgumentParser(prog="fetch", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list")
    getting = verbs.add_parser("get")
    getting.add_argument("--dump", required=True)
    getting.add_argument("--to", type=Path, required=True)
    getting.add_argument("--table", action="append", default=[])
    given = parser.parse_args()
    try:
        return show() if given.verb == "list" else get(given.dump, given.to, given.table)
    except (ResticError, DumpError) as error:
        print(error)
        return 1


if __name__ == "__main__":
    sys.exit(main())
