"""Rules about the release that still runs, and about data that is lost (pure)."""

from collections.abc import Iterator

from tierstack.core.diagnostics import Severity
from tierstack.migration.changes import Drop, DropColumn, Empty, Rename, Revoke, Unknown
from tierstack.migration.findings import Finding, Look
from tierstack.migration.rules.base import exclusive, is_postgresql, of

_NOT_NAMED = frozenset({"trigger", "rule", "policy", "temporary table"})
"""What no query names."""


@of(Unknown, new_tables=True)
def _unknown(change: Unknown, look: Look) -> Iterator[Finding]:
    yield look.say(
        "migration-not-judged",
        f"is not judged: {change.why}",
        "read it, and allow it by a comment `-- tierstack: allow not-judged because REASON`",
        subject="",
    )


@of(Drop)
def _drop(change: Drop, look: Look) -> Iterator[Finding]:
    if change.what in _NOT_NAMED:
        return
    name = look.quoted(change.table)
    if change.what == "objects of role":
        yield _owned(name, change, look)
        return
    holds = change.what in ("table", "schema", "database", "materialized view", "foreign table", "tablespace")
    rows = f" with its rows ({look.tables.size(change.table)})" if change.what == "table" else ""
    undo = f"DROP {change.what.upper()} {name};"
    steps = [
        f"release a version that does not use {name}, and let it replace every older one, workers too",
        *([f"keep the rows: ALTER TABLE {name} RENAME TO {look.quoted(f'{change.table}_old')}; and watch for errors"]
          if change.what == "table" else []),
        f"drop it in a later release: {undo}",
    ]  # fmt: skip
    yield look.say(
        "migration-drop-object",
        f"drops {change.what} {name}{rows}; the release that still runs fails where it uses it"
        f"{', and a rollback does not bring back what it held' if holds else ''}",
        "drop it one release after the last use",
        subject=change.table,
        lock=exclusive(look, name) if change.what == "table" else "",
        steps=steps,
    )


def _owned(role: str, change: Drop, look: Look) -> Finding:
    return look.say(
        "migration-drop-object",
        f"drops every table and every other object that role {role} owns in this database, with all rows, and takes "
        "all its rights; the release that still runs fails where it uses one of them",
        "drop by name what no release uses, or hand it over",
        subject=change.table,
        steps=[
            f"hand the objects over: REASSIGN OWNED BY {role} TO <another role>;",
            f"then only the rights are left: DROP OWNED BY {role};",
        ],
    )


@of(DropColumn)
def _drop_column(change: DropColumn, look: Look) -> Iterator[Finding]:
    table, column = look.quoted(change.table), look.quoted(change.column)
    loosen = (
        f"ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL;"
        if is_postgresql(look)
        else f"ALTER TABLE {table} MODIFY {column} <its type> NULL;"
    )
    yield look.say(
        "migration-drop-column",
        f"drops column {column} of {table}: the release that still runs names it in its queries, which then fail; "
        "what it held is lost",
        "drop it one release after the last use",
        subject=f"{change.table}.{change.column}",
        lock=exclusive(look, table),
        steps=[
            f"this release: stop reading and writing {column}; if it is NOT NULL without a default: {loosen}",
            "wait until no older release runs, workers and scheduled jobs too",
            f"next release: ALTER TABLE {table} DROP COLUMN {column};",
        ],
    )


@of(Rename)
def _rename(change: Rename, look: Look) -> Iterator[Finding]:
    old, new, table = look.quoted(change.old), look.quoted(change.new), look.quoted(change.table)
    if change.what == "column":
        known = look.tables.column(change.table, change.old)
        type_ = known.type if known else f"<the type of {old}>"
        yield look.say(
            "migration-rename",
            f"renames column {old} of {table} to {new}: the release that still runs asks for {old} and fails",
            "add the new column, and drop the old one later",
            subject=f"{change.table}.{change.old}",
            lock=exclusive(look, table),
            steps=[
                f"this release: ALTER TABLE {table} ADD COLUMN {new} {type_}; write both columns, read {old}",
                f"copy in batches: UPDATE {table} SET {new} = {old} WHERE id BETWEEN … AND … AND {new} IS NULL;",
                f"next release: read {new}; the one after: stop writing {old}, then drop it",
            ],
        )
        return
    steps = [f"keep the name: only the code calls it {new}"]
    if change.what == "table":
        view = f"CREATE VIEW {old} AS SELECT * FROM {new};"
        one = f"BEGIN; ALTER TABLE {old} RENAME TO {new}; {view} COMMIT;" if is_postgresql(look) else view
        steps = [
            f"in one step, so that both names work: {one}",
            f"release code that uses {new}; wait until no older release runs",
            f"drop the view: DROP VIEW {old};",
        ]
    yield look.say(
        "migration-rename",
        f"renames {change.what} {old} to {new}: the release that still runs asks for {old} and fails",
        "let both names work for a release",
        subject=change.old,
        lock=exclusive(look, old) if change.what == "table" else "",
        steps=steps,
    )


@of(Empty)
def _empty(change: Empty, look: Look) -> Iterator[Finding]:
    if not look.tables.all_rows(change.table, change.where, look.scope):
        return
    table = look.quoted(change.table)
    always = change.what.startswith("DELETE") and " where " in f" {look.statement.text.lower()} "
    how = "DELETE, whose WHERE all rows meet" if always else change.what
    yield look.say(
        "migration-rows-lost",
        f"removes rows of {table} by {how}: the release that still runs no longer finds them, and a rollback "
        "does not bring them back",
        "back the rows up first, and allow it",
        subject=change.table,
        lock="" if change.what.startswith("DELETE") else exclusive(look, table),
        steps=[
            f"keep them: CREATE TABLE {look.quoted(f'{change.table}_before')} AS SELECT * FROM {table};",
            "say in the SQL why: -- tierstack: allow rows-lost because REASON",
        ],
    )


@of(Revoke, new_tables=True)
def _revoke(change: Revoke, look: Look) -> Iterator[Finding]:
    yield look.say(
        "migration-revoke",
        f"{change.what}: the release that still runs is refused if it uses it",
        "do it one release after the last use",
        subject=change.table if change.severe else "",
        severity=Severity.ERROR if change.severe else Severity.WARNING,
    )
