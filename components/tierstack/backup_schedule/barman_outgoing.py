"""What a PostgreSQL sends into a bucket from Barman's catalog: complete segments of the write-ahead log, and base
backups by barman-cloud."""

import contextlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tierstack.backup_schedule import layout, shipping, status
from tierstack.backup_schedule.barman_bucket import BarmanBucket
from tierstack.backup_schedule.bucket import DRILLS
from tierstack.backup_schedule.shipping import Outgoing, Shipping

ARRIVAL_SECONDS = 10
"""How long a segment that was closed is waited for: it comes in well under a second where the stream goes on."""


class BarmanOutgoing(Outgoing):
    """Of one server of Barman's."""

    parts = "segments of the write-ahead log"

    def __init__(
        self,
        bucket: BarmanBucket,
        catalog: Path,
        *,
        close: Callable[[], str],
        newest: Callable[[], str | None],
    ) -> None:
        """`catalog`: Barman's directory of the server. `close`: ends the segment that is being written, and returns the
        name of the last one that is complete. `newest`: id of the newest good base backup."""
        self.bucket, self.catalog = bucket, catalog
        self._close, self._newest = close, newest
        self.marker = catalog / "sent-wal"

    def identifier(self) -> str:
        identity = self.catalog / "identity.json"  # Barman writes it when it first meets the primary
        if not identity.exists():
            raise RuntimeError("the database's system identifier is not known yet")
        return str(json.loads(identity.read_text())["systemid"])

    def close(self) -> None:
        """End the segment that is being written, and wait until it has arrived: it would be sent half a minute later
        otherwise."""
        closed, deadline = self._close(), time.monotonic() + ARRIVAL_SECONDS
        while time.monotonic() < deadline and not any(place.exists() for place in self._places(closed)):
            time.sleep(0.1)

    def sent(self) -> str:
        return self.marker.read_text().strip() if self.marker.exists() else ""

    def unsent(self) -> Sequence[str]:
        places = ("streaming/*", "wals/*", "wals/*/*")
        received = (one.name for place in places for one in self.catalog.glob(place) if one.is_file())
        return layout.unsent(received, self.sent())

    def send(self, part: str) -> None:
        if (content := self._content(part)) is not None:
            self.bucket.put_wal(part, content)
        self.marker.write_text(f"{part}\n")

    def _content(self, name: str) -> bytes | None:
        """A file of the log, from where it is: Barman moves it meanwhile. None: the retention removed it."""
        for _ in range(3):
            for place in self._places(name):
                with contextlib.suppress(FileNotFoundError):
                    return place.read_bytes()
        return None

    def age(self, part: str) -> float:
        for place in self._places(part):
            with contextlib.suppress(FileNotFoundError):
                return time.time() - place.stat().st_mtime
        return 0

    def _places(self, name: str) -> tuple[Path, ...]:
        """Where Barman has a file of the log. Segments are archived in a directory of their log, histories beside them:
        the name of a history is as long as that of such a directory."""
        archived = self.catalog / "wals"
        below = archived / name[:16] if layout.SEGMENT.fullmatch(name) else archived
        return self.catalog / "streaming" / name, below / name

    def newest(self) -> str | None:
        return self._newest()

    def stored(self) -> list[status.Backup]:
        return status.backups(self.bucket.base_backups())

    def store(self, identifier: str) -> None:
        """As a hook of Barman does it (barman-cloud-backup(1), "used as hook script")."""
        info = layout.information_file(self.catalog, identifier)
        hook = {
            "BARMAN_HOOK": "backup_retry_script",
            "BARMAN_PHASE": "post",
            "BARMAN_STATUS": "DONE",
            "BARMAN_BACKUP_ID": identifier,
            "BARMAN_BACKUP_DIR": str(self.catalog / "base" / identifier),
            "BARMAN_BACKUP_INFO_PATH": str(info),
        }
        done = self.bucket.barman("backup", "--gzip", self.bucket.url, self.bucket.server, **hook)
        if done.returncode:
            raise RuntimeError(" ".join((done.stdout + done.stderr).split())[-300:])


def of_agent(
    store: Mapping[str, Any],
    config: Path,
    catalog: Path,
    found: Callable[[], list[status.Backup]],
    query: Callable[[str], Any],
    say: Callable[[str], None],
) -> Shipping:
    """The threads of an agent. `catalog`: Barman's directory of the server; `found`: the base backups as they were last
    seen; `query`: asks the primary."""
    bucket = BarmanBucket(store, config, shipping.PROFILE)

    def newest() -> str | None:
        last = status.newest(found())
        return last.id if last else None

    def close() -> str:
        # It returns the end of the record that ended the segment; where nothing was written, the start of the next one.
        return str(query("SELECT pg_walfile_name(pg_switch_wal() - 1)"))

    outgoing = BarmanOutgoing(bucket, catalog, close=close, newest=newest)
    return Shipping(bucket, outgoing, catalog.parent / DRILLS, say)
