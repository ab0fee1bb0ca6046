"""What a restore reads: which base backup, which timeline, which part of the log. Pure; the containers run this very
file, for the catalog and for a bucket."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tierstack.backup_schedule import layout, replay, status

CURRENT = "current"
"""The timeline of the base backup (PostgreSQL: `recovery_target_timeline`)."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a restore reads."""

    base: status.Backup
    entry: Mapping[str, Any]
    """What is said of the base backup."""
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
        return replay.hole_problems(hole, at, ended) or self._too_late(at)

    def _too_late(self, at: datetime | None) -> list[str]:
        """What forbids a moment after the last segment of the timeline that is followed: PostgreSQL would not reach it,
        and end with an error."""
        arrived = [one.stored_at for one in self.wals if layout.SEGMENT.fullmatch(one.name)]
        if at is None or at.timestamp() <= max(arrived, default=at.timestamp()):
            return []
        last = status.stamp(datetime.fromtimestamp(max(arrived), UTC))
        return [
            f"--time = {status.stamp(at)}: the database was put back to an earlier moment afterwards, and the last "
            f"write-ahead log of what was given up arrived at {last}; restore to a moment before that"
        ]

    @property
    def size_bytes(self) -> int:
        """What it writes: the base backup, and the log beside it."""
        return self.base.size_bytes + len(self.wals) * status.SEGMENT_BYTES


def choose(
    stored: list[layout.StoredWal], listed: list[dict[str, Any]], histories: Mapping[str, str], at: datetime | None
) -> Choice | None:
    """The base backup for the moment `at`, and the log with which it is replayed. `listed`: the base backups as Barman
    lists them, with `begin_wal`, `end_xlog` and `segment_bytes`; `histories`: the texts of the timelines' histories, by
    file name. None: no base backup leads there."""
    found = status.backups(listed)
    history = layout.History.of(stored, histories, at.timestamp() if at else None)
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
    # All histories, also those that are not followed: by them the server finds a number for its own timeline that
    # nobody has.
    others = [one for one in stored if layout.HISTORY.fullmatch(one.name) and one not in ours]
    wals = layout.needed([*ours, *others], begin, until)
    return Choice(base=start, entry=entries[start.id], wals=wals, timeline=follow, history=history)


def _leads(history: layout.History, entry: Mapping[str, Any]) -> bool:
    ended = entry.get("end_xlog")
    return history.has(int(str(entry["begin_wal"])[:8], 16), layout.position(ended) if ended else None)


def no_base(listed: list[dict[str, Any]], at: datetime | None, where: str = "") -> str:
    """Why there is no base backup to begin with. `where`: ` in s3://…` of a bucket."""
    ends = ", ".join(status.stamp(b.end) for b in status.backups(listed) if b.good and b.end) or "none"
    when = f"--time = {status.stamp(at)}: no base backup had ended by then" if at else "there is no base backup"
    return f"{when}{where}; base backups ended at: {ends}"
