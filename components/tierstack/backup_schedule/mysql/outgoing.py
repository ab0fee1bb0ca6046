"""What a MySQL sends into a bucket: what has arrived of its binary logs, in parts, and base backups.

The log that the primary writes now is sent as far as it is here. It is not closed for that: to close one, a user needs
the privilege that also removes all of them (RELOAD).
"""

import contextlib
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tierstack.backup_schedule import shipping, status
from tierstack.backup_schedule.bucket import DRILLS
from tierstack.backup_schedule.mysql import server
from tierstack.backup_schedule.mysql.bucket import MySQLBucket
from tierstack.backup_schedule.mysql.catalog import ARRIVING, LOGS, SENT, Catalog, beginning, judged, number, size
from tierstack.backup_schedule.mysql.parts import Part, part_of
from tierstack.backup_schedule.shipping import Outgoing, Shipping
from tierstack.core.gtids import parse_set

TRIES = 3
"""Looks at files that the stream may move at that moment; each move is over before the next look."""
PART_BYTES = 16 * 2**20
"""Bytes of a part at most: it is compressed in memory."""


class MySQLOutgoing(Outgoing):
    """Of one catalog."""

    parts = "parts of the binary logs"

    def __init__(self, bucket: MySQLBucket, catalog: Catalog, newest: Callable[[], str | None]) -> None:
        """`newest`: id of the newest base backup of the catalog."""
        self.bucket, self.catalog, self._newest = bucket, catalog, newest
        self._waiting: tuple[tuple[str, str, int], float] | None = None

    def identifier(self) -> str:
        return self._history().partition(".")[0]

    def _history(self) -> str:
        history = self.catalog.history()
        if history is None:
            raise RuntimeError("no binary log has arrived yet")
        return history

    def before(self) -> Collection[str]:
        """Servers whose transactions this one has: one that was restored, or promoted, goes on with their data."""
        made = [one.gtids for one in self.catalog.copies() if one.history == self._history()]
        return {*parse_set(made[-1] if made else server.executed()).intervals}

    def close(self) -> None:
        """Nothing: also the log that is open is sent."""

    def sent(self) -> str:
        at = self._sent(history) if (history := self.catalog.history()) else None
        return "{}:{}".format(*at) if at else ""

    def _sent(self, history: str) -> tuple[str, int] | None:
        """Name of the newest log of a history that was sent, and how many of its bytes. None: nothing was."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            name, length = (self.catalog.root / SENT / history).read_text().split()
            return name, int(length)
        return None

    def unsent(self) -> Sequence[str]:
        current = self.catalog.history()
        folders = [*self.catalog.root.glob(f"{LOGS}/*"), *self.catalog.root.glob(f"{ARRIVING}/*")]
        histories = {one.name for one in folders if one.is_dir()}
        return [
            one.name for each in sorted(histories, key=lambda name: (name == current, name)) for one in self._of(each)
        ]

    def _of(self, history: str) -> Iterator[Part]:
        """The parts of a history that were not sent."""
        sent = self._sent(history)
        for name, path in self._settled(history).items():
            if sent and number(name) < number(sent[0]):
                continue
            begin, length = (sent[1] if sent and name == sent[0] else 0), size(path)
            if not length:
                return  # it has just been moved, or begun
            while begin < length:
                yield Part(history, name, begin, end := min(length, begin + PART_BYTES))
                begin = end

    def _settled(self, history: str) -> Mapping[str, Path]:
        """The logs that are here. One that the stream moves while its folders are listed would seem to be missing, and
        those after it be sent first."""
        found = self._logs(history)
        for _ in range(TRIES):
            before, found = found, self._logs(history)
            if before.keys() == found.keys():
                break
        return found

    def _logs(self, history: str) -> dict[str, Path]:
        """The logs that are here: of one that arrives anew what was here before, where that is another file."""
        found = self.catalog.logs(history)
        for name, path in found.items():
            kept = self.catalog.root / LOGS / history / name
            with contextlib.suppress(FileNotFoundError):
                if path != kept and kept.exists() and beginning(path, size(kept)) != beginning(kept, size(path)):
                    found[name] = kept
        return found

    def _content(self, part: Part) -> bytes | None:
        """The bytes of a part, from where they are: the stream moves files meanwhile. None: the retention removed
        them."""
        for _ in range(TRIES):
            with contextlib.suppress(FileNotFoundError, KeyError):
                with self._logs(part.history)[part.log].open("rb") as file:
                    file.seek(part.begin)
                    content = file.read(part.end - part.begin)
                if len(content) < part.end - part.begin:
                    raise RuntimeError(f"{part.log} became shorter while it was sent")
                return content
        return None

    def send(self, part: str) -> None:
        found = part_of(part)
        assert found  # it is one of `unsent`
        if (content := self._content(found)) is not None:
            self.bucket.put_part(found, content)
        marker = self.catalog.root / SENT / found.history
        marker.parent.mkdir(mode=0o700, exist_ok=True)
        staged = marker.with_name(f"{marker.name}.new")
        staged.write_text(f"{found.log} {found.end}\n")
        staged.replace(marker)

    def age(self, part: str) -> float:
        found = part_of(part)
        assert found
        what = found.history, found.log, found.begin
        if self._waiting is None or self._waiting[0] != what:
            self._waiting = what, time.monotonic()
        logs = self._logs(found.history)
        age = time.monotonic() - self._waiting[1]
        if found.log in logs and found.log != [*logs][-1]:  # nothing is added to it any more
            with contextlib.suppress(FileNotFoundError):
                age = max(age, time.time() - logs[found.log].stat().st_mtime)
        return age

    def newest(self) -> str | None:
        return self._newest()

    def stored(self) -> list[status.Backup]:
        return judged(self.bucket.copies())

    def store(self, identifier: str) -> None:
        copy = next(one for one in self.catalog.copies() if one.id == identifier)
        self.bucket.put_copy(copy, self.catalog.data(copy))


def of_agent(
    store: Mapping[str, Any],
    config: Path,
    catalog: Catalog,
    found: Callable[[], list[status.Backup]],
    say: Callable[[str], None],
) -> Shipping:
    """The threads of an agent. `found`: the base backups as they were last seen."""
    bucket = MySQLBucket(store, config, shipping.PROFILE)

    def newest() -> str | None:
        last = status.newest(found())
        return last.id if last else None

    return Shipping(bucket, MySQLOutgoing(bucket, catalog, newest), catalog.root / DRILLS, say)
