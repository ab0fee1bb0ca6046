"""What brings backups from the catalog into a bucket, beside everything else that the agent does.

The log: every half minute what was written is closed and sent in its order. Base backups: the newest good one. Where
the bucket is away the catalog goes on, and what has piled up is sent when it is back. What the log is made of, and how
a base backup is stored, an engine says in an `Outgoing`.
"""

import contextlib
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tierstack.backup_schedule import layout
from tierstack.backup_schedule.bucket import DRILLS, Bucket
from tierstack.backup_schedule.status import Backup, stamp

PROFILE = "write"
BEHIND_SECONDS = 120
"""Age of the oldest part of the log that was not sent, from which on that is a fault."""
RETRY_SECONDS = 300
"""Pause after a base backup that was not stored."""


class Outgoing(ABC):
    """What an engine has to send, and how."""

    parts: str
    """What the log is sent in, in words: many of them."""

    @abstractmethod
    def identifier(self) -> str:
        """Of the database system, with which the bucket is marked. Asked every round. Raises RuntimeError where it is
        not known yet."""

    def before(self) -> Collection[str]:
        """Identifiers of systems whose data this one goes on with, and in whose folder it may write."""
        return ()

    @abstractmethod
    def close(self) -> None:
        """Close what is being written, where only closed parts are sent. May raise anything."""

    @abstractmethod
    def sent(self) -> str:
        """The newest part that was sent. Empty: none was."""

    @abstractmethod
    def unsent(self) -> Sequence[str]:
        """The parts that can be sent and were not, in the order of the log."""

    @abstractmethod
    def send(self, part: str) -> None:
        """Store a part, and note that it was sent. Raises whatever the bucket does."""

    @abstractmethod
    def age(self, part: str) -> float:
        """For how many seconds a part has been waiting."""

    @abstractmethod
    def newest(self) -> str | None:
        """Id of the newest good base backup of the catalog."""

    @abstractmethod
    def stored(self) -> list[Backup]:
        """The base backups in the bucket, the oldest first."""

    @abstractmethod
    def store(self, identifier: str) -> None:
        """Store a base backup of the catalog. Raises whatever the bucket does, and RuntimeError."""


@dataclass
class Shipped:
    """How far the bucket is."""

    sent_wal: str = ""
    """The newest part of the log that is in the bucket. Empty: none is."""
    sent_at: str | None = None
    """When that was."""
    backlog: int = 0
    """Parts of the log that are not in the bucket."""
    behind_seconds: float = 0
    """Age of the oldest of them."""
    base: str | None = None
    """Id of the newest base backup in the bucket."""
    base_backups: int = 0
    """Base backups in the bucket."""
    restorable_from: str | None = None
    """The earliest moment that can be restored from the bucket."""
    error: str | None = None
    """Why the last attempt failed."""


def faults(shipped: Shipped | None, newest: str | None, location: str, parts: str) -> list[str]:
    """What is wrong with the copy in the bucket, in words. `newest`: id of the newest good base backup here. `parts`:
    what the log is sent in."""
    if shipped is None:
        return [f"nothing is in {location} yet"]
    why = f": {shipped.error}" if shipped.error else ""
    wrong: list[str] = []
    if shipped.behind_seconds > BEHIND_SECONDS:
        age = f"{shipped.behind_seconds:.0f} s"
        wrong.append(f"{shipped.backlog} {parts} are not in {location}, the oldest of {age}{why}")
    if newest and shipped.base is None:
        wrong.append(f"there is no base backup in {location}{why}")
    return wrong or ([f"{location}{why}"] if why else [])


class Shipping:
    """The threads that send."""

    def __init__(self, bucket: Bucket, outgoing: Outgoing, ledger: Path, say: Callable[[str], None]) -> None:
        """`ledger`: the drills, which are sent too."""
        self.bucket, self.outgoing, self.ledger, self.say = bucket, outgoing, ledger, say
        self.shipped: Shipped | None = None
        self.claimed: str | None = None
        """The system for which the folder was marked."""
        self._base_again_at = 0.0
        self._drills = 0.0

    def start(self) -> None:
        """Go on for ever beside the caller."""
        threading.Thread(target=self._run, daemon=True).start()
        threading.Thread(target=self._run_bases, daemon=True).start()

    def faults(self) -> list[str]:
        """What is wrong with the copy in the bucket, in words."""
        location = f"{self.bucket.url}/{self.bucket.server}"
        return faults(self.shipped, self.outgoing.newest(), location, self.outgoing.parts)

    def document(self) -> dict[str, Any] | None:
        """How far it is, for machines."""
        return asdict(self.shipped) if self.shipped else None

    def _run(self) -> None:
        while True:
            began = time.monotonic()
            self.round()
            time.sleep(max(0.0, layout.CLOSE_SECONDS - (time.monotonic() - began)))

    def _run_bases(self) -> None:
        while True:
            self.send_base()
            time.sleep(5)

    def round(self) -> None:
        """Close what is being written, and send it. Never raises: what failed is told, and tried again."""
        with contextlib.suppress(Exception):  # a primary that is away: what it wrote before can still be sent
            self.outgoing.close()
        error: str | None = None
        try:
            self.claim()
            for part in self.outgoing.unsent():
                self.outgoing.send(part)
                self._tell(None)
            self._send_drills()
        except Exception as failed:
            error = " ".join(str(failed).split())[:300]
            if self.shipped is None or self.shipped.error != error:
                self.say(f"not sent: {error}")
        self._tell(error)

    def claim(self) -> None:
        """Make sure that the folder is this database's: once, and again for another system. Raises RuntimeError where
        it is not."""
        system = self.outgoing.identifier()
        if system == self.claimed:
            return
        self.claimed = None
        if wrong := self.bucket.claim(system, self.outgoing.before()):
            raise RuntimeError(wrong)
        self.claimed = system

    def send_base(self) -> None:
        """Store the newest good base backup, where it is not there yet."""
        identifier = self.outgoing.newest()
        if not identifier or not self.claimed or time.monotonic() < self._base_again_at:
            return
        if self.shipped and self.shipped.base == identifier:
            return
        try:
            if identifier not in {one.id for one in self.outgoing.stored()}:
                began = time.monotonic()
                self.outgoing.store(identifier)
                self.say(f"base backup {identifier} is in {self.bucket.url}: {time.monotonic() - began:.1f} s")
            self._look(identifier)
        except Exception as failed:
            self._base_again_at = time.monotonic() + RETRY_SECONDS
            self.say(f"base backup {identifier} was not stored: {failed}")

    def _look(self, identifier: str) -> None:
        """Take note of what the bucket has."""
        good = [one for one in self.outgoing.stored() if one.good]
        shipped = self.shipped or Shipped()
        shipped.base, shipped.base_backups = identifier, len(good)
        ends = [one.end for one in good if one.end]
        shipped.restorable_from = stamp(min(ends) + timedelta(seconds=1)) if ends else None
        self.shipped = shipped

    def _send_drills(self) -> None:
        """The ledger of drills, where it has changed: it must outlive the host."""
        changed = self.ledger.stat().st_mtime if self.ledger.exists() else 0.0
        if changed > self._drills:
            self.bucket.put(DRILLS, self.ledger.read_bytes())
            self._drills = changed

    def _tell(self, error: str | None) -> None:
        sent, waiting = self.outgoing.sent(), self.outgoing.unsent()
        shipped = self.shipped or Shipped()
        if sent != shipped.sent_wal:
            shipped.sent_wal, shipped.sent_at = sent, stamp(datetime.now(UTC))
        shipped.backlog, shipped.error = len(waiting), error
        shipped.behind_seconds = round(self.outgoing.age(waiting[0]), 1) if waiting else 0
        self.shipped = shipped
