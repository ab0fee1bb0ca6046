"""One dump, written to standard output: what restic runs, and stores only where this ends with code 0.

    python3 -m tierstack.backup_schedule.dumps.dumping NAME

Where the dump is not whole, it fails, and no dump is stored. What it found stands in the file `FOUND`. It needs the
dump program of the engine and the standard library.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tierstack.backup_schedule.dumps.dumper import Dumper, DumpError, cause
from tierstack.backup_schedule.dumps.dumpers import dumper_of
from tierstack.backup_schedule.output import publish
from tierstack.backup_schedule.restic.agent import settings

FOUND = Path("/tmp/dumped.json")
"""What the last dump found: tables, bytes, seconds; or the error."""
_CHUNK = 2**20


def carry_out(
    dumper: Dumper, chosen: Sequence[str] | None, write: Callable[[bytes], object], longest_seconds: float
) -> dict[str, Any]:
    """Write a dump; what it found. Raises DumpError where there is none, or it is not whole."""
    dumper.check()
    began = time.monotonic()
    before, inspector, size = dumper.tables(chosen), dumper.inspector(), 0
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(dumper.command(chosen), stdout=subprocess.PIPE, stderr=errors)
        late = threading.Event()
        timer = threading.Timer(longest_seconds, lambda: (late.set(), process.kill()))
        timer.start()
        try:
            assert process.stdout
            # What is there, not a whole piece: a reader that is gone is then seen at once, and no lock is held for it.
            while chunk := os.read(process.stdout.fileno(), _CHUNK):
                inspector.feed(chunk)
                write(chunk)
                size += len(chunk)
            code = process.wait()
        except BrokenPipeError:
            raise DumpError("the repository took no more of the dump") from None
        finally:
            timer.cancel()
            process.kill()  # where it still runs: its locks hold up migrations
            process.wait()
        errors.seek(0)
        said = errors.read().decode(errors="replace")
    if late.is_set():
        raise DumpError(f"it was ended after {longest_seconds / 60:g} minutes, so that its locks hold up no migration")
    if code < 0:
        raise DumpError(f"{dumper.command(chosen)[0]} was ended by signal {-code}: by hand, or for its memory")
    if code:
        raise DumpError(cause(said))
    sys.stderr.write(said)  # warnings, for the log
    dumped = inspector.end()
    # Those that were there before and after it: others were made or dropped meanwhile.
    if missing := sorted((before & dumper.tables(chosen)) - dumped):
        raise DumpError(f"the dump lacks tables: {', '.join(missing[:5])}")
    return {"tables": len(dumped), "size_bytes": size, "seconds": round(time.monotonic() - began, 1)}


def _write(chunk: bytes) -> None:
    sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def main(name: str) -> int:
    """Write the dump of a name."""
    given = settings()
    job = given["jobs"][name]
    try:
        found = carry_out(dumper_of(given), job["tables"], _write, given["longest_minutes"] * 60)
    except (DumpError, subprocess.SubprocessError, OSError) as error:
        publish(FOUND, {"error": str(error)})
        print(error, file=sys.stderr)
        return 1
    publish(FOUND, found)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
