"""Where the backups of a MySQL lie in their volume, and which of them a moment needs. Reads files, changes none.

    copies/<id>/data, copies/<id>/copy.json       base backups, by the second in which they began (UTC)
    logs/<history>/binlog.000001 …                binary logs that are complete
    arriving/<history>/…                          those that the stream writes now
    until/<history>                               when everything that the primary had written was here
    sent/<history>                                how much of it is in the bucket, where there is one
    history  unbroken-since  drills.jsonl  status.json

A history is a row of binary logs without a gap: the UUID of the server, and a number where one begins after a gap. A
server that was restored has another UUID, so what it writes never mixes with what was written before.
The agent in the container runs this very file. It imports the standard library only.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tierstack.backup_schedule import status

COPIES, LOGS, ARRIVING, UNTIL, SENT, WORK = "copies", "logs", "arriving", "until", "sent", "work"
ID = "%Y%m%dT%H%M%S"
_COMPARED = 65536


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A base backup that a server was started on."""

    id: str
    begin: str
    """When it was begun, RFC 3339 in UTC."""
    end: str
    """When all of it had arrived: it holds every transaction before some moment between the two."""
    size_bytes: int
    history: str
    """The binary logs that follow it."""
    first_log: str
    """The binary log that was written when it began: what it lacks is in this one and those that follow."""
    gtids: str
    """The transactions in it."""
    version: str
    """Version of MySQL: its files are for this one."""
    settings: Mapping[str, str]
    """Settings without which no server starts on its files."""
    folders: Sequence[str]
    """Directories below `data`: each database has one, also where it holds nothing."""
    files: Mapping[str, Sequence[object]]
    """Size and SHA-256 of each file, by its path below `data`."""

    def text(self) -> str:
        """As `copy.json` has it."""
        return json.dumps(asdict(self), indent=1) + "\n"


class Catalog:
    """The volume with the backups."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def copies(self) -> list[Copy]:
        """The complete copies, the oldest first."""
        return [Copy(**json.loads(one.read_text())) for one in sorted((self.root / COPIES).glob("*/copy.json"))]

    def unfinished(self) -> list[Path]:
        """What attempts left behind that never became a copy."""
        begun = [one for one in (self.root / COPIES).glob("*") if not (one / "copy.json").exists()]
        return sorted([*begun, *(self.root / WORK).glob("*")])

    def data(self, copy: Copy) -> Path:
        """The files of a copy."""
        return self.root / COPIES / copy.id / "data"

    def history(self) -> str | None:
        """The history that arrives now. None: nothing arrived yet."""
        path = self.root / "history"
        return path.read_text().strip() if path.exists() else None

    def begin_history(self, server: str) -> str:
        """Begin a history of the server with this UUID."""
        number = 1
        while (self.root / LOGS / (name := server if number == 1 else f"{server}.{number}")).exists():
            number += 1
        (self.root / LOGS / name).mkdir(mode=0o700, parents=True)
        (self.root / "history").write_text(name + "\n")
        return name

    def until(self, history: str) -> datetime | None:
        """The last moment of which it is known that everything written before it is here. None: there was none."""
        path = self.root / UNTIL / history
        return moment(path.read_text().strip()) if path.exists() else None

    def logs(self, history: str) -> dict[str, Path]:
        """The binary logs of a history by their names, in their order: of each the longest that is there.

        One that arrives anew after the stream was interrupted is shorter than what had arrived, until it is complete.
        """
        found: dict[str, Path] = {}
        for folder in (LOGS, ARRIVING):
            for path in files(self.root / folder / history):
                held = found.get(path.name)
                if held is None or size(path) > size(held):
                    found[path.name] = path
        return {name: found[name] for name in sorted(found, key=number)}


def files(folder: Path) -> list[Path]:
    """The binary logs in a folder, in their order; what somebody else put there is none."""
    return sorted((one for one in folder.glob("*.*") if one.suffix[1:].isdecimal()), key=lambda one: number(one.name))


def size(path: Path) -> int:
    """Bytes of a file; 0 where it has just gone."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def beginning(path: Path, most: int = _COMPARED) -> bytes:
    """The first bytes of a file: in a binary log they have the times of transactions, and differ from any other's."""
    with path.open("rb") as file:
        return file.read(min(most, _COMPARED))


def number(name: str) -> int:
    """The number of a binary log."""
    return int(name.rpartition(".")[2])


def judged(copies: Sequence[Copy]) -> list[status.Backup]:
    """The copies as the judgement of all engines takes them."""
    return [
        status.Backup(one.id, moment(one.begin), moment(one.end), "DONE", one.size_bytes)
        for one in sorted(copies, key=lambda one: one.id)
    ]


def moment(text: str) -> datetime:
    """A moment of a document, in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


def superfluous(copies: Sequence[Copy], now: datetime, days: int, least: int = 1) -> list[Copy]:
    """The copies that no moment of the last `days` days needs; at least so many of the newest stay in any case."""
    begin = now - timedelta(days=days)
    older = [one for one in copies if moment(one.end) <= begin]
    # The newest of those before the window is where its first moments start from.
    return [one for one in older[:-1] if one in copies[: max(0, len(copies) - least)]]


def needed_from(copies: Sequence[Copy], history: str) -> str | None:
    """The first binary log of a history that a copy needs. None: no copy was made in it."""
    return min((one.first_log for one in copies if one.history == history), key=number, default=None)
