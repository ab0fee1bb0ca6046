"""What brings backups from the catalog into a bucket, beside everything else that the agent does.

The log: every half minute the segment that is being written is closed, and what is complete is sent in its order. Base
backups: the newest good one, by barman-cloud. Where the bucket is away the catalog goes on, and what has piled up is
sent when it is back.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tierstack.backup_schedule import layout
from tierstack.backup_schedule.bucket import DRILLS, Bucket
from tierstack.backup_schedule.status import Backup, newest, stamp

PROFILE = "write"
BEHIND_SECONDS = 120
"""Age of the oldest segment that was not sent, from which on that is a fault."""
ARRIVAL_SECONDS = 10
"""How long a segment that was closed is waited for: it comes in well under a second where the stream goes on."""
RETRY_SECONDS = 300
"""Pause after a base backup that was not stored."""


@dataclass
class Shipped:
    """How far the bucket is."""

    sent_wal: str = ""
    """The newest file of the log that is in the bucket. Empty: none is."""
    sent_at: str | None = None
    """When that was."""
    backlog: int = 0
    """Complete files of the log that are not in the bucket."""
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


def faults(shipped: Shipped | None, newest: str | None, location: str) -> list[str]:
    """What is wrong with the copy in the bucket, in words. `newest`: id of the newest good base backup here."""
    if shipped is None:
        return [f"nothing is in {location} yet"]
    why = f": {shipped.error}" if shipped.error else ""
    wrong: list[str] = []
    if shipped.behind_seconds > BEHIND_SECONDS:
        age = f"{shipped.behind_seconds:.0f} s"
        wrong.append(
            f"{shipped.backlog} segments of the write-ahead log are not in {location}, the oldest of {age}{why}"
        )
    if newest and shipped.base is None:
        wrong.append(f"there is no base backup in {location}{why}")
    return wrong or ([f"{location}{why}"] if why else [])


class Shipping:
    """The thread that sends."""

    def __init__(
        self,
        bucket: Bucket,
        catalog: Path,
        *,
        close: Callable[[], str],
        newest: Callable[[], tuple[str, Path] | None],
        system: Callable[[], str],
        say: Callable[[str], None],
    ) -> None:
        """`catalog`: Barman's directory of the server. `close`: ends the segment that is being written, and returns the
        name of the last one that is complete. `newest`: id and directory of the newest good base backup. `system`:
        identifier of the database system."""
        self.bucket, self.catalog = bucket, catalog
        self.close, self.newest, self.system, self.say = close, newest, system, say
        self.marker = catalog / "sent-wal"
        self.shipped: Shipped | None = None
        self.claimed = False
        self._base_again_at = 0.0
        self._drills = 0.0

    def start(self) -> None:
        """Go on for ever beside the caller."""
        threading.Thread(target=self._run, daemon=True).start()
        threading.Thread(target=self._run_bases, daemon=True).start()

    def faults(self) -> list[str]:
        """What is wrong with the copy in the bucket, in words."""
        here = self.newest()
        return faults(self.shipped, here[0] if here else None, f"{self.bucket.url}/{self.bucket.server}")

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
        """Close the open segment, and send what is complete. Never raises: what failed is told, and tried again."""
        with contextlib.suppress(Exception):  # a primary that is away: what it wrote before can still be sent
            self._await(self.close())
        error: str | None = None
        sent = self.sent()
        try:
            self.claim()
            for name in layout.unsent(self.received(), sent):
                if (content := self.content(name)) is not None:
                    self.bucket.put_wal(name, content)
                sent = name
                self.marker.write_text(f"{name}\n")
                self._tell(sent, None)
            self._send_drills()
        except Exception as failed:
            error = " ".join(str(failed).split())[:300]
            if self.shipped is None or self.shipped.error != error:
                self.say(f"not sent: {error}")
        self._tell(sent, error)

    def _await(self, closed: str) -> None:
        """Wait until the segment that was closed has arrived: it would be sent half a minute later otherwise."""
        deadline = time.monotonic() + ARRIVAL_SECONDS
        while time.monotonic() < deadline and not any(place.exists() for place in self._places(closed)):
            time.sleep(0.1)

    def claim(self) -> None:
        """Once: make sure that the folder is this database's. Raises RuntimeError where it is not."""
        if not self.claimed:
            if wrong := self.bucket.claim(self.system()):
                raise RuntimeError(wrong)
            self.claimed = True

    def sent(self) -> str:
        """The newest file that was sent."""
        return self.marker.read_text().strip() if self.marker.exists() else ""

    def received(self) -> Iterable[str]:
        """The complete files that the catalog has."""
        places = ("streaming/*", "wals/*", "wals/*/*")
        return [one.name for place in places for one in self.catalog.glob(place) if one.is_file()]

    def content(self, name: str) -> bytes | None:
        """A file of the log, from where it is: Barman moves it meanwhile. None: the retention removed it."""
        for _ in range(3):
            for place in self._places(name):
                with contextlib.suppress(FileNotFoundError):
                    return place.read_bytes()
        return None

    def send_base(self) -> None:
        """Store the newest good base backup, where it is not there yet."""
        here = self.newest()
        if not here or not self.claimed or time.monotonic() < self._base_again_at:
            return
        identifier, directory = here
        if self.shipped and self.shipped.base == identifier:
            return
        try:
            if identifier not in {one["backup_id"] for one in self.bucket.base_backups()}:
                began = time.monotonic()
                self._upload(identifier, directory)
                self.say(f"base backup {identifier} is in {self.bucket.url}: {time.monotonic() - began:.1f} s")
            self._look(identifier)
        except Exception as failed:
            self._base_again_at = time.monotonic() + RETRY_SECONDS
            self.say(f"base backup {identifier} was not stored: {failed}")

    def _upload(self, identifier: str, directory: Path) -> None:
        """As a hook of Barman does it (barman-cloud-backup(1), "used as hook script")."""
        info = layout.information_file(self.catalog, identifier)
        hook = {
            "BARMAN_HOOK": "backup_retry_script",
            "BARMAN_PHASE": "post",
            "BARMAN_STATUS": "DONE",
            "BARMAN_BACKUP_ID": identifier,
            "BARMAN_BACKUP_DIR": str(directory),
            "BARMAN_BACKUP_INFO_PATH": str(info),
        }
        done = self.bucket.barman("backup", "--gzip", self.bucket.url, self.bucket.server, **hook)
        if done.returncode:
            raise RuntimeError(" ".join((done.stdout + done.stderr).split())[-300:])

    def _look(self, identifier: str) -> None:
        """Take note of what the bucket has."""
        listed = [one for one in self.bucket.base_backups() if one["status"] == "DONE"]
        shipped = self.shipped or Shipped()
        shipped.base, shipped.base_backups = identifier, len(listed)
        ends = [one["end_time_timestamp"] for one in listed if one["end_time_timestamp"]]
        shipped.restorable_from = stamp(datetime.fromtimestamp(min(ends) + 1, UTC)) if ends else None
        self.shipped = shipped

    def _send_drills(self) -> None:
        """The ledger of drills, where it has changed: it must outlive the host."""
        ledger = self.catalog.parent / DRILLS
        changed = ledger.stat().st_mtime if ledger.exists() else 0.0
        if changed > self._drills:
            self.bucket.put(DRILLS, ledger.read_bytes())
            self._drills = changed

    def _tell(self, sent: str, error: str | None) -> None:
        waiting = layout.unsent(self.received(), sent)
        shipped = self.shipped or Shipped()
        if sent != shipped.sent_wal:
            shipped.sent_wal, shipped.sent_at = sent, stamp(datetime.now(UTC))
        shipped.backlog, shipped.error = len(waiting), error
        shipped.behind_seconds = self._age(waiting[0]) if waiting else 0
        self.shipped = shipped

    def _age(self, name: str) -> float:
        for place in self._places(name):
            with contextlib.suppress(FileNotFoundError):
                return round(time.time() - place.stat().st_mtime, 1)
        return 0

    def _places(self, name: str) -> tuple[Path, ...]:
        """Where Barman has a file of the log. Segments are archived in a directory of their log, histories beside them:
        the name of a history is as long as that of such a directory."""
        archived = self.catalog / "wals"
        below = archived / name[:16] if layout.SEGMENT.fullmatch(name) else archived
        return self.catalog / "streaming" / name, below / name


def of_agent(
    store: Mapping[str, Any],
    config: Path,
    catalog: Path,
    found: Callable[[], list[Backup]],
    query: Callable[[str], Any],
    say: Callable[[str], None],
) -> Shipping:
    """The thread of an agent. `catalog`: Barman's directory of the server; `found`: the base backups as they were last
    seen; `query`: asks the primary."""

    def newest_backup() -> tuple[str, Path] | None:
        last = newest(found())
        return (last.id, catalog / "base" / last.id) if last else None

    def system() -> str:
        identity = catalog / "identity.json"  # Barman writes it when it first meets the primary
        if not identity.exists():
            raise RuntimeError("the database's system identifier is not known yet")
        return str(json.loads(identity.read_text())["systemid"])

    return Shipping(
        Bucket(store, config, PROFILE),
        catalog,
        # It returns the end of the record that ended the segment; where nothing was written, the start of the next one.
        close=lambda: query("SELECT pg_walfile_name(pg_switch_wal() - 1)"),
        newest=newest_backup,
        system=system,
        say=say,
    )
