"""Brings the primary's binary logs over as they are written, by `mysqlbinlog --stop-never`, and knows where they are
unbroken.

The agent in the container runs this very file. It imports the standard library only.

`mysqlbinlog` begins a file anew when it is started again, and never asks the disk to keep what it wrote. So it writes
into `arriving`; a file that is complete is read with its checksums, synced and moved to `logs`; and what had arrived of
one that comes anew stays in `logs` until the new one is longer.
"""

import os
import subprocess
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tierstack.backup_schedule.mysql import server
from tierstack.backup_schedule.mysql.binlog import BrokenLogError, read
from tierstack.backup_schedule.mysql.catalog import ARRIVING, LOGS, UNTIL, Catalog, beginning, files, number, size
from tierstack.backup_schedule.status import stamp
from tierstack.core.gtids import GtidSet

AGAIN_SECONDS = 5
"""Between two attempts to connect."""
STUCK_SECONDS = 120
"""How long a stream may be behind without anything arriving, until it is begun anew."""


class Stream:
    """The stream of one catalog."""

    def __init__(self, catalog: Catalog, labels: Mapping[str, str], say: Callable[[str], None]) -> None:
        self._catalog, self._say = catalog, say
        # Unique among the replicas of the primary, which have small numbers: it ends a reader with the same number.
        self._id = 2**31 + zlib.crc32("/".join(labels.values()).encode()) // 4
        self._process: subprocess.Popen[bytes] | None = None
        self._began = float("-inf")
        self._errors = Path("/tmp/mysqlbinlog.err")
        self._history = catalog.history()
        self._after: GtidSet | None = None
        self._moved = (0, time.monotonic())
        self.wrong: list[str] = []
        """Files that arrived and are not whole."""

    @property
    def running(self) -> bool:
        """Whether the stream is connected, as far as the process says."""
        return self._process is not None and self._process.poll() is None

    def keep(self) -> None:
        """One look, once a second: begin the stream where it ended, and take over what is complete. Never raises."""
        try:
            if not self.running and time.monotonic() - self._began >= AGAIN_SECONDS:
                self._began = time.monotonic()
                self._begin()
            self._settle()
        except (server.ServerError, OSError) as error:
            self._errors.write_text(f"{error}\n")

    def end(self) -> None:
        """End the stream; what has arrived stays."""
        if self._process and self._process.poll() is None:
            self._process.terminate()
            self._process.wait()

    def why(self) -> str:
        """The last thing that `mysqlbinlog`, or the primary, said."""
        lines = self._errors.read_text(errors="replace").strip().splitlines() if self._errors.exists() else []
        return lines[-1] if lines else "it has not connected yet"

    def arrived(self) -> tuple[str, int] | None:
        """Name and length of the newest log that is here."""
        logs = self._catalog.logs(self._history) if self._history else {}
        return next(((name, size(path)) for name, path in reversed(logs.items())), None)

    def lag(self, primary: Mapping[str, int]) -> int:
        """Bytes that the primary has in its logs (by name, the oldest first) and that are not here. A stream that is
        behind and brings nothing is ended, so that it begins anew."""
        at = self.arrived()
        behind = sum(primary.values())
        if at:
            behind = sum(
                max(0, length - (at[1] if name == at[0] else 0))
                for name, length in primary.items()
                if number(name) >= number(at[0])
            )
        here = self._bytes()
        if not behind or here != self._moved[0]:
            self._moved = (here, time.monotonic())
        elif time.monotonic() - self._moved[1] > STUCK_SECONDS:
            self._say(f"the stream brings nothing for {STUCK_SECONDS} s: it begins anew")
            self._moved = (here, time.monotonic())
            self.end()
        return behind

    def _bytes(self) -> int:
        at = self.arrived()
        return number(at[0]) * 2**40 + at[1] if at else 0

    def _folder(self, kind: str) -> Path:
        assert self._history
        path = self._catalog.root / kind / self._history
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def _begin(self) -> None:
        """Connect, at the file that comes next. Where the primary no longer has it, or is another server, a new stream
        begins, and a base backup has to follow."""
        uuid, there = server.primary_facts()["server_uuid"], list(server.log_sizes())
        first = self._following(uuid, there)
        if first is None:
            first = there[-1]
            self._history = self._catalog.begin_history(uuid)
            self.broken()
        self._after = None
        command = [
            *("mysqlbinlog", f"--defaults-file={server.CLIENT}", "--read-from-remote-server", "--raw", "--stop-never"),
            *(f"--connection-server-id={self._id}", f"--result-file={self._folder(ARRIVING)}/", first),
        ]
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(command, stdout=errors, stderr=errors)

    def _following(self, uuid: str, there: Sequence[str]) -> str | None:
        """The log at which the stream goes on. None: nothing that is here leads there."""
        if self._history is None or self._history.partition(".")[0] != uuid:
            self._say(f"no binary log of the server {uuid} is here: a new history begins, and a base backup")
            return None
        for path in files(self._folder(ARRIVING)):
            if not self._take(path):
                return None
        here = list(self._catalog.logs(self._history))
        if not here:
            return None
        if here[-1] not in there:
            self._say(f"the primary no longer has {here[-1]}: a new history begins, and a base backup")
            return None
        return here[-1]

    def broken(self) -> None:
        """Note that nothing before now leads to the present."""
        (self._catalog.root / "unbroken-since").write_text(stamp(datetime.now(UTC)) + "\n")

    def _settle(self) -> None:
        """Take over the files that are complete, and bring the newest one to the disk."""
        if not self._history:
            return
        arriving = files(self._folder(ARRIVING))
        for path in arriving[:-1]:
            self._check(path)
            if not self._take(path):
                return
        for path in arriving[-1:]:
            _sync(path)

    def _check(self, path: Path) -> None:
        try:
            log = read(path)
        except BrokenLogError as error:
            self._lost(str(error))
            return
        if log.torn and log.damaged:
            self._lost(f"{path.name} {log.torn}")
        elif self._after is not None and log.previous != self._after:
            self._lost(f"{path.name} does not follow the log before it")
        else:
            self.wrong = []
        self._after = log.after

    def complete(self, at: datetime) -> None:
        """Note that everything that the primary had written at this moment is here."""
        if self._history:
            path = self._catalog.root / UNTIL / self._history
            path.parent.mkdir(mode=0o700, exist_ok=True)
            path.write_text(at.isoformat() + "\n")

    def _lost(self, why: str) -> None:
        self._say(f"{why}: a base backup has to follow")
        self.wrong = [why]
        self.broken()

    def _take(self, path: Path) -> bool:
        """Move a file from `arriving` to `logs`, if it is at least as long as the one there. False where that is
        another file: numbers begin anew after RESET BINARY LOGS AND GTIDS. A new history then begins."""
        kept = self._folder(LOGS) / path.name
        if kept.exists() and beginning(path, size(kept)) != beginning(kept, size(path)):
            self._lost(f"{path.name} of the primary is another file than the one that is here")
            path.unlink()
            self.end()
            self._history = None
            return False
        if size(path) >= size(kept):
            _sync(path)
            path.replace(kept)
            _sync(kept.parent)
        else:
            path.unlink()
        return True


def _sync(path: Path) -> None:
    """Have the disk keep a file, or the names in a directory."""
    held = os.open(path, os.O_RDONLY)
    try:
        os.fsync(held)
    finally:
        os.close(held)
