"""A drill: writes with a clock, a restore of what the backups had at a moment, and what of the writes came back."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tierstack.backup_schedule.recovery import OnDocker, OnKubernetes
from tierstack.backup_schedule.status import stamp
from tierstack.recovery import dumps_drill, files_drill, restoring, stored
from tierstack.recovery.dialect import Ask, Dialect, UnreadableError
from tierstack.recovery.found import Backups, now
from tierstack.recovery.host import CommandError
from tierstack.recovery.recording import Drilled, figure, ledger_line, recorded, slow
from tierstack.recovery.restoring import Tell
from tierstack.recovery.writer import Writer

_MOMENT = re.compile(r"what was received by now is restored: (\S+)")


@dataclass(frozen=True)
class Row:
    """A row of the writer, which the database has acknowledged."""

    id: int
    at: float
    """When it was made, by the database's clock (seconds since 1970)."""


@dataclass(kw_only=True)
class Result(Drilled):
    """What a drill of a database found."""

    database: str
    moment: str | None = None
    """When the loss was supposed to be: what the backups had received by then was restored."""
    rpo_seconds: float | None = None
    """From the newest acknowledged row that did come back to the newest that was acknowledged by the moment."""
    rto_seconds: float | None = None
    """From the first command of the restore to a database that answers and takes writes."""
    rows_acknowledged: int | None = None
    """Rows that the database had acknowledged by the moment."""
    rows_lost: int | None = None
    """Those of them that did not come back."""
    hole: bool = False
    """Whether a row is missing before one that came back."""
    unreadable: str | None = None
    """What the server said of a table that could not be read."""
    tables: int | None = None
    """Tables that were read from one end to the other."""
    rows: int | None = None
    """Rows in them."""
    checks: dict[str, bool] = field(default_factory=dict[str, bool])
    """The configured checks."""
    base_backup: str | None = None
    """Base backup that the restore began with, by its id."""
    size_bytes: int | None = None
    """Its size."""
    source: str | None = None
    """What was read: `catalog`, the volume on the host, or `bucket`."""


def run(backups: Backups, name: str, tell: Tell) -> Result:
    """Make a drill and record it. One that cannot be carried out is recorded too, as `not verified`."""
    aside = f"{backups.at.catalog}-drill"
    restoring.refuse_beside_another_drill(backups.host, aside)
    result = Result(backups=name, database=backups.at.database)
    with recorded(result, backups.record, lambda: restoring.remove(backups.host, aside)):
        _carry_out(backups, aside, result, tell)
        judge(result, backups.at)
    return result


def _carry_out(backups: Backups, aside: str, result: Result, tell: Tell) -> None:
    at, host = backups.at, backups.host
    status = backups.status()
    base = status.get("last_backup")
    if not base:
        raise CommandError("there is no base backup yet, or the agent does not run: see `tierstack status`")
    result.base_backup, result.size_bytes, result.source = base["id"], base["size_bytes"], "catalog"
    if at.store:
        result.base_backup, result.source = stored.base_of(status), "bucket"
    live = backups.dialect.client(backups.server, at.database)
    first = acknowledged(host.run(live, backups.dialect.prepare))
    with Writer(host, live, backups.dialect.insert) as writer:
        if at.store:
            stored.await_row(backups, live, tell)
        tell("rows are written with a clock, and restored aside:")
        start = now()
        said = restoring.put_aside(backups, aside, None, tell)
        result.rto_seconds = round((now() - start).total_seconds(), 1)
        printed = writer.stop()
    found = _MOMENT.search(said[backups.engine.restoring])
    if not found:
        raise CommandError("the agent is older than this command: `tierstack up` first")
    moment = datetime.fromisoformat(found[1])
    result.moment = stamp(moment)
    kept = acknowledged(_asked(backups, aside, backups.dialect.kept))
    measure(result, [*first, *acknowledged(printed)], kept, moment)

    def ask(statement: str) -> str:
        return _asked(backups, aside, statement)

    look(result, backups.dialect, ask, at, lambda _: restoring.runs(host, aside), tell)


def acknowledged(printed: str) -> list[Row]:
    """The rows that the writer was told of; a line that its end cut short is none."""
    rows: list[Row] = []
    for line in printed.splitlines(keepends=True):
        if line.endswith("\n") and line.count("|") == 1:
            number, at = line.split("|")
            rows.append(Row(int(number), float(at)))
    return rows


def measure(result: Result, rows: Sequence[Row], kept: Sequence[Row], moment: datetime) -> None:
    """What a loss at the moment would have cost, by the database's own clock, which is that of the agent's host.

    A row is back where its time is too: a restore that ends before this drill holds the rows of the one before, which
    have the same ids.
    """
    before = [row for row in rows if row.at <= moment.timestamp()]
    there = set(kept)
    back = [row for row in before if row in there]
    lost = [row for row in before if row not in there]
    result.rows_acknowledged = len(before)
    result.rows_lost = len(lost)
    result.hole = bool(back) and max(row.id for row in back) > min((row.id for row in lost), default=0) > 0
    if before:
        newest = max(row.at for row in back) if back else min(row.at for row in before)
        result.rpo_seconds = round(max(row.at for row in before) - newest, 3)


def look(
    result: Result,
    dialect: Dialect,
    ask: Ask,
    at: OnDocker | OnKubernetes,
    is_of_the_data: Callable[[CommandError], bool],
    tell: Tell,
) -> None:
    """Read every table, and ask what the configuration asks. `is_of_the_data`: whether an error is the server's word on
    a table, and not one of the way to the server, which is raised."""
    try:
        contents = dialect.contents(ask, at.database)
    except UnreadableError as error:
        result.unreadable = str(error)
        return
    except CommandError as error:
        if not is_of_the_data(error):
            raise
        result.unreadable = str(error)
        return
    result.tables, result.rows = len(contents.rows), sum(contents.rows)
    tell(f"  read {result.tables} tables, {result.rows:,} rows")
    for note in contents.notes:
        tell(f"  {note}")
    for name, statement in at.checks.items():
        result.checks[name] = dialect.true(ask(statement).strip())
        tell(f"  check {name}: {'true' if result.checks[name] else 'not true'}")


def _asked(backups: Backups, aside: str, statement: str) -> str:
    return backups.host.run(backups.dialect.client(aside, backups.at.database), statement)


def judge(result: Result, at: OnDocker | OnKubernetes) -> None:
    """What the result of a drill is, by what it found."""
    result.conclude(faults(result, at))


def faults(result: Result, at: OnDocker | OnKubernetes) -> list[str]:
    """What is wrong with what a drill found."""
    found = [f"check `{name}` is not true" for name, ok in result.checks.items() if not ok]
    if result.unreadable:
        found.append(f"a table cannot be read: {result.unreadable}")
    if result.hole:
        found.append("a row is missing before one that came back: the log that was replayed has a hole")
    if result.rows_acknowledged and result.rows_lost == result.rows_acknowledged:
        # How far back the loss reaches, the rows of a few seconds cannot say.
        found.append(
            "no row of this drill came back: the log does not arrive, and the loss reaches further back than the RPO"
        )
    if not result.rows_acknowledged:
        found.append("no row was written before the restore began: nothing says what would be lost")
    if (result.rpo_seconds or 0) > at.max_lost_seconds:
        found.append(f"writes of {result.rpo_seconds:g} s are lost; at most {at.max_lost_seconds} s may be")
    return found + slow(result.rto_seconds, at.max_minutes)


def history(drills: Sequence[Mapping[str, Any]]) -> list[str]:
    """The ledger for people, a line each, the newest last."""
    return [_lines(one)(one) for one in drills]


def _lines(one: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], str]:
    """What makes the line of an entry of its kind."""
    if "expected_files" in one:
        return files_drill.entry_line
    return dumps_drill.entry_line if "expected_tables" in one else _line


def _line(one: Mapping[str, Any]) -> str:
    rpo, rto = figure(one["rpo_seconds"]), figure(one["rto_seconds"])
    lost = "?" if one["rows_lost"] is None else one["rows_lost"]
    return ledger_line(one, f"RPO {rpo}  RTO {rto}  lost {lost} of {one['rows_acknowledged'] or '?'} rows")
