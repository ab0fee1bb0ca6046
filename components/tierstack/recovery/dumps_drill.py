"""A drill of dumps: the newest one restored aside, every table read, and the configured checks asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tierstack.backup_schedule.status import stamp
from tierstack.recovery.dialect import UnreadableError
from tierstack.recovery.dumps import StoredDumps, choose, contents, put_aside
from tierstack.recovery.found import now
from tierstack.recovery.recording import Drilled, figure, ledger_line, recorded, slow
from tierstack.recovery.restoring import Tell, refuse_beside_another_drill, remove

_MIB = 2**20


@dataclass(kw_only=True)
class DumpResult(Drilled):
    """What a drill of dumps found."""

    dump: str | None = None
    """The dump that was restored, by its id."""
    moment: str | None = None
    """When it began: its rows are of that moment."""
    size_bytes: int | None = None
    """Its size."""
    rpo_seconds: float | None = None
    """From the dump to the drill: what was written since would be lost."""
    rto_seconds: float | None = None
    """From the first command of the restore to a database that answers."""
    expected_tables: int | None = None
    """Tables whose rows are in the dump."""
    tables: int | None = None
    """Tables that came back, read from one end to the other."""
    rows: int | None = None
    """Rows in them."""
    errors: str | None = None
    """What the server refused of the dump."""
    unreadable: str | None = None
    """What the server said of a table that could not be read."""
    checks: dict[str, bool] = field(default_factory=dict[str, bool])
    """The configured checks."""
    source: str | None = None
    """What was read: `volume` or `bucket`."""


def run(backups: StoredDumps, name: str, tell: Tell) -> DumpResult:
    """Make a drill and record it. One that cannot be carried out is recorded too, as `not verified`."""
    aside = f"{backups.at.catalog}-drill"
    refuse_beside_another_drill(backups.host, aside)
    result = DumpResult(backups=name)
    with recorded(result, backups.record, lambda: remove(backups.host, aside)):
        _carry_out(backups, aside, result, tell)
        judge(result, backups.at.max_minutes)
    return result


def _carry_out(backups: StoredDumps, aside: str, result: DumpResult, tell: Tell) -> None:
    at, began = backups.at, now()
    result.source = "bucket" if at.network else "volume"
    image = backups.server_image()
    dump = choose(at, backups.dumps(), None, None, began)
    newest = dump.snapshot
    result.dump, result.moment, result.size_bytes = newest.id, stamp(newest.began), newest.size_bytes
    result.rpo_seconds = round((began - newest.began).total_seconds(), 1)
    tell(f"dump `{dump.job}` of {result.moment} is restored aside: {newest.size_bytes / _MIB:,.1f} MiB")
    restored = put_aside(backups, aside, dump, (), image, tell)
    result.rto_seconds, result.errors = round(restored.seconds, 1), restored.errors
    result.expected_tables = len(restored.tables)
    try:
        found = contents(backups, aside)
    except UnreadableError as error:
        result.unreadable = str(error)
        return
    result.tables, result.rows = len(found.rows), sum(found.rows)
    tell(f"  read {result.tables} tables with {result.rows:,} rows")
    client = backups.dialect.client(aside, at.database)
    for name, statement in at.checks.items():
        result.checks[name] = backups.dialect.true(backups.host.run(client, statement).strip())
        tell(f"  check {name}: {'true' if result.checks[name] else 'not true'}")


def judge(result: DumpResult, max_minutes: int) -> None:
    """What the result of a drill is, by what it found: a dump without a row has proven nothing."""
    found = [f"check `{name}` is not true" for name, ok in result.checks.items() if not ok]
    if result.errors:
        found.append(f"the server refused a part of the dump: {result.errors}")
    if result.unreadable:
        found.append(f"a table cannot be read: {result.unreadable}")
    elif (result.tables or 0) < (result.expected_tables or 0):
        found.append(f"{result.tables} tables came back, and the dump has {result.expected_tables}")
    found += slow(result.rto_seconds, max_minutes)
    unproven = "the dump has no row: nothing shows that rows come back"
    result.conclude(found, None if result.rows else unproven)


def entry_line(one: Mapping[str, Any]) -> str:
    """A drill of dumps for people."""
    tables = f"{one['tables'] if one['tables'] is not None else '?'} of {one['expected_tables'] or '?'} tables"
    rows = f"{one['rows']:,} rows" if one["rows"] is not None else "? rows"
    return ledger_line(one, f"{tables}, {rows}  RTO {figure(one['rto_seconds'])}")
