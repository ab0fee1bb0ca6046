"""Rules about what goes beyond a table: sequences, the server, statements that it refuses (pure)."""

from collections.abc import Iterator

from tierstack.core.diagnostics import Severity
from tierstack.migration.changes import DropDefault, Refused, Restart, Server
from tierstack.migration.findings import Finding, Look
from tierstack.migration.rules.base import exclusive, is_postgresql, of

_LOSES = {
    "default": "a row that the release that still runs inserts without it is refused",
    "identity": "a row that the release that still runs inserts gets no number and is refused",
    "expression": "a row that the release that still runs inserts gets no value in it",
}


@of(DropDefault)
def _drop_default(change: DropDefault, look: Look) -> Iterator[Finding]:
    known = look.tables.column(change.table, change.column)
    if known is None and change.if_exists:
        return
    if known:
        has = bool(known.default_text) if change.what == "default" else known.fills_itself
        # MySQL: a column that takes NULL has no default afterwards, and an INSERT without it is refused.
        if not has or not (known.not_null or change.what == "expression" or not is_postgresql(look)):
            return
    table, column = look.quoted(change.table), look.quoted(change.column)
    unknown = "" if known else " if the column is NOT NULL"
    yield look.say(
        "migration-drop-default",
        f"drops the {change.what} of {column} of {table}: {_LOSES[change.what]}{unknown}",
        "drop it one release after every INSERT names the column",
        subject=f"{change.table}.{change.column}",
        lock=exclusive(look, table),
        steps=[
            f"this release: name {column} in every INSERT",
            "wait until no older release runs, workers and scheduled jobs too",
            f"next release: {look.statement.text};",
        ],
        severity=Severity.ERROR if known else Severity.WARNING,
    )


@of(Restart)
def _restart(change: Restart, look: Look) -> Iterator[Finding]:
    sequence = look.quoted(change.table)
    begins = f"at {change.to}" if change.to else "with its first number"
    yield look.say(
        "migration-sequence-restart",
        f"lets {sequence} begin {begins}: numbers that are taken are given again, and the release that still runs is "
        "refused where they must be unique",
        "leave it out, or begin above all numbers that are taken",
        subject=change.table,
        steps=[f"SELECT setval('{change.table}', (SELECT max(id) FROM <its table>));"],
        severity=Severity.WARNING if change.to else Severity.ERROR,
    )


@of(Server)
def _server(change: Server, look: Look) -> Iterator[Finding]:
    yield look.say(
        "migration-server",
        change.what,
        change.remedy,
        subject=change.table,
        severity=Severity.ERROR if change.severe else Severity.WARNING,
    )


@of(Refused, new_tables=True)
def _refused(change: Refused, look: Look) -> Iterator[Finding]:
    yield look.say("migration-refused", f"fails: {change.what}", change.remedy, subject=change.table)
