"""Rules about new columns and other types of columns (pure)."""

from collections.abc import Iterator

from tierstack.migration.changes import AddColumn, ChangeColumn, Default
from tierstack.migration.findings import Finding, Look
from tierstack.migration.rules.base import (
    copying,
    exclusive,
    gh_ost,
    is_postgresql,
    nobody,
    of,
    rebuilt,
    rewritten,
)
from tierstack.migration.rules.constraints import built_index, checked, compared
from tierstack.migration.types import Effect, effect


@of(ChangeColumn)
def _change_column(change: ChangeColumn, look: Look) -> Iterator[Finding]:
    table, name, new = look.quoted(change.table), look.quoted(change.column.name), change.column.type
    old = look.tables.column(change.table, change.column.name)
    does = effect(old, change.column, look.engine, using=change.using)
    if does is Effect.NONE or (does is Effect.UNKNOWN and change.renamed):
        return
    subject = f"{change.table}.{change.column.name}"
    if does is Effect.REBUILD:
        if look.is_large(change.table):
            yield rebuilt(look, change.table, f"another NULL or place of {name} writes the table anew", subject)
        return
    was = f"from {old.type} " if old else ""
    writes = "writes" if old else "may write"
    if old and not is_postgresql(look) and change.column.not_null and not old.not_null:
        yield look.say(
            "migration-set-not-null",
            f"makes {name} of {table} NOT NULL: the release that still runs may write NULL and is refused, and rows "
            "with NULL fail the statement",
            "stop writing NULL first, and fill the rows that hold NULL",
            subject=subject,
            lock="a rebuild of the table; writes go on",
            steps=[
                f"this release: write {name} in every INSERT and UPDATE",
                f"fill in batches: UPDATE {table} SET {name} = … WHERE id BETWEEN … AND … AND {name} IS NULL;",
                f"next release: ALTER TABLE {table} MODIFY {name} {new} NOT NULL, ALGORITHM=INPLACE, LOCK=NONE;",
            ],
        )
        return
    unknown = "" if old else "; the old type is not known, give it by --schema if it only gets wider"
    bigger = look.quoted(f"{change.column.name}_new")
    steps = [
        f"this release: ALTER TABLE {table} ADD COLUMN {bigger} {new}; write both columns",
        f"copy in batches: UPDATE {table} SET {bigger} = {name} WHERE id BETWEEN … AND … AND {bigger} IS NULL;",
        f"next release: read and write {bigger} alone; the one after: drop {name}",
    ]
    if not is_postgresql(look):
        steps = [f"if both releases can work with {new}: {gh_ost(look, change.table, f'MODIFY {name} {new}')}",
                 *steps]  # fmt: skip
    yield look.say(
        "migration-type-change",
        f"changes the type of {name} of {table} {was}to {new}: the server {writes} the whole table "
        f"({look.tables.size(change.table)}) anew while {nobody(look)}{unknown}",
        "add a column of the new type, and move over",
        subject=subject,
        lock=exclusive(look, table, "until the copy is done") if is_postgresql(look) else copying(table),
        steps=steps,
    )


@of(AddColumn)
def _add_column(change: AddColumn, look: Look) -> Iterator[Finding]:
    column = change.column
    table, name, subject = look.quoted(change.table), look.quoted(column.name), f"{change.table}.{column.name}"
    if column.not_null and column.default is Default.NONE and not column.fills_itself and not column.primary:
        happens = (
            "the statement fails if the table has a row"
            if is_postgresql(look)
            else "rows that are there get an empty value that means nothing"
        )
        yield look.say(
            "migration-required-column",
            f"adds column {name} to {table}, NOT NULL and without a default: {happens}, and the release that still "
            "runs inserts rows without it and is refused",
            "give it a default, or let it take NULL for a release",
            subject=subject,
            lock=exclusive(look, table),
            steps=[
                f"if one value fits all rows: ALTER TABLE {table} ADD COLUMN {name} {column.type} NOT NULL DEFAULT …;",
                f"else this release: ALTER TABLE {table} ADD COLUMN {name} {column.type}; and write it",
                f"fill in batches: UPDATE {table} SET {name} = … WHERE id BETWEEN … AND … AND {name} IS NULL;",
                f"next release: {_not_null(look, table, name, column.type)}",
            ],
        )
    if look.is_large(change.table):
        yield from _filled_column(change, look, subject)


def _not_null(look: Look, table: str, name: str, type_: str) -> str:
    """How a column gets NOT NULL without a lock that lasts."""
    if not is_postgresql(look):
        return f"ALTER TABLE {table} MODIFY {name} {type_} NOT NULL, ALGORITHM=INPLACE, LOCK=NONE;"
    check = look.quoted(f"{name.strip(chr(34))}_given")
    return (
        f"ALTER TABLE {table} ADD CONSTRAINT {check} CHECK ({name} IS NOT NULL) NOT VALID; then, in a transaction of "
        f"its own, ALTER TABLE {table} VALIDATE CONSTRAINT {check}; then ALTER TABLE {table} ALTER COLUMN {name} "
        f"SET NOT NULL; and ALTER TABLE {table} DROP CONSTRAINT {check};"
    )


def _filled_column(change: AddColumn, look: Look, subject: str) -> Iterator[Finding]:
    """A new column for which the server writes or reads all rows."""
    column, table, name = change.column, look.quoted(change.table), look.quoted(change.column.name)
    postgresql = is_postgresql(look)
    if column.default is Default.COMPUTED:
        yield rewritten(
            look,
            change.table,
            f"column {name} with DEFAULT {column.default_text} is another value in each row",
            subject,
            [
                f"ALTER TABLE {table} ADD COLUMN {name} {column.type};",
                f"ALTER TABLE {table} ALTER COLUMN {name} SET DEFAULT {column.default_text};",
                f"fill in batches: UPDATE {table} SET {name} = {column.default_text} "
                f"WHERE id BETWEEN … AND … AND {name} IS NULL;",
            ],
        )
    elif column.stored or (postgresql and column.fills_itself and not column.virtual):
        what = "is generated and STORED" if column.stored else "numbers the rows"
        yield rewritten(
            look,
            change.table,
            f"column {name} {what}",
            subject,
            [
                f"ALTER TABLE {table} ADD COLUMN {name} <its type>; let the application or a trigger write it",
                f"fill in batches: UPDATE {table} SET {name} = … WHERE id BETWEEN … AND …;",
            ],
        )
    elif not postgresql and column.fills_itself and not column.virtual:
        yield rewritten(look, change.table, f"column {name} numbers the rows", subject, [])
    elif postgresql and (column.unique or column.primary):
        yield from built_index(look, change.table, "UNIQUE", f"({name})", subject)
    elif postgresql and column.references and column.default is not Default.NONE:
        yield compared(look, change.table, column.references, subject, f"FOREIGN KEY ({name}) REFERENCES "
                        f"{look.quoted(column.references)}", "")  # fmt: skip
    elif column.check:  # compared with each row, also where the column is new and NULL in all of them
        yield from checked(look, change.table, f"CHECK (… {name} …)", subject, "")
