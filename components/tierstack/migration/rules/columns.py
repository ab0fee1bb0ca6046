"""Rules about new columns and other types of columns (pure)."""

from collections.abc import Iterator
from dataclasses import replace

from tierstack.core.diagnostics import Severity
from tierstack.migration.changes import AddColumn, ChangeColumn, Column, Default
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
from tierstack.migration.types import Effect, effect, holds_all, same_collation


@of(ChangeColumn)
def _change_column(change: ChangeColumn, look: Look) -> Iterator[Finding]:
    column = look.tables.resolved(change.table, change.column)
    old = look.tables.column(change.table, column.name)
    if old and not change.type_alone:
        yield from _lost(old, change, look)
        if column.not_null and not old.not_null:
            yield _refuses_null(change, look)
            old = replace(old, not_null=True)
    indexed = bool(look.tables.indexes_of(change.table, column.name))
    does = effect(old, column, look.engine, using=change.using, indexed=indexed)
    if does is Effect.NONE or (does is Effect.UNKNOWN and change.renamed):
        return
    large = look.is_large(change.table)
    if old and does is Effect.INDEX:
        yield from _index_again(old, column, change.table, look)
    elif does is Effect.REBUILD:
        if large:
            why = f"another NULL or place of {look.quoted(column.name)} writes the table anew"
            yield rebuilt(look, change.table, why, f"{change.table}.{column.name}")
    elif large or old is None or change.using or not holds_all(old, column, look.engine):
        # Else a moment, and the old release works with the new type.
        yield _another_type(old, column, change.table, look, large=large)


def _refuses_null(change: ChangeColumn, look: Look) -> Finding:
    table, name = look.quoted(change.table), look.quoted(change.column.name)
    return look.say(
        "migration-set-not-null",
        f"makes {name} of {table} NOT NULL: the release that still runs may write NULL and is refused, and rows "
        "with NULL fail the statement",
        "stop writing NULL first, and fill the rows that hold NULL",
        subject=f"{change.table}.{change.column.name}",
        lock="a rebuild of the table; writes go on",
        steps=[
            f"this release: write {name} in every INSERT and UPDATE",
            f"fill in batches: UPDATE {table} SET {name} = … WHERE id BETWEEN … AND … AND {name} IS NULL;",
            f"next release: ALTER TABLE {table} MODIFY {name} {change.column.type} NOT NULL, ALGORITHM=INPLACE, "
            "LOCK=NONE;",
        ],
    )


def _another_type(old: Column | None, column: Column, of: str, look: Look, *, large: bool) -> Finding:
    table, name = look.quoted(of), look.quoted(column.name)
    kind, was, new = "type", f"from {old.type} " if old else "", column.type
    if old and old.type == new:
        kind, was = "character set or collation", f"from {old.collation or 'the default'} "
        new = column.collation or "the default"
    writes = "writes" if old else "may write"
    happens = (
        f"the server {writes} the whole table ({look.tables.size(of)}) anew while {nobody(look)}"
        if large
        else "the release that still runs may be refused, or read another value"
    )
    unknown = "" if old else "; the old type is not known, give it by --schema if it only gets wider"
    bigger = look.quoted(f"{column.name}_new")
    steps = [
        f"this release: ALTER TABLE {table} ADD COLUMN {bigger} {column.type}; write both columns",
        f"copy in batches: UPDATE {table} SET {bigger} = {name} WHERE id BETWEEN … AND … AND {bigger} IS NULL;",
        f"next release: read and write {bigger} alone; the one after: drop {name}",
    ]
    if not is_postgresql(look):
        alter = look.statement.text.partition(of.rpartition(".")[2])[2].lstrip('`" ')
        steps = [f"if both releases can work with {new}: {gh_ost(look, of, alter)}", *steps]
        if look.tables.is_unique(of, column.name):
            equal = f"look for values of {name} that become equal"
            steps.insert(0, f"{equal}: gh-ost keeps one row of them and loses the others")
    return look.say(
        "migration-type-change",
        f"changes the {kind} of {name} of {table} {was}to {new}: {happens}{unknown}",
        "add a column of the new type, and move over",
        subject=f"{of}.{column.name}",
        lock=_lock_of_a_copy(look, table) if large else "",
        steps=steps,
    )


def _lock_of_a_copy(look: Look, table: str) -> str:
    return exclusive(look, table, "until the copy is done") if is_postgresql(look) else copying(table)


def _lost(old: Column, change: ChangeColumn, look: Look) -> Iterator[Finding]:
    """MySQL: what MODIFY and CHANGE take from a column, because they do not say it again."""
    new = change.column
    lost: list[str] = []
    if old.fills_itself and not new.fills_itself:
        lost.append("GENERATED" if old.stored or old.virtual else "AUTO_INCREMENT")
    if old.default is not Default.NONE and not new.default_text and not new.fills_itself:
        lost.append(f"DEFAULT {old.default_text}")
    if old.updates_itself and not new.updates_itself:
        lost.append("ON UPDATE CURRENT_TIMESTAMP")
    if not lost:
        return
    what = " and ".join(lost)
    table, name = look.quoted(change.table), look.quoted(new.name)
    refused = new.not_null and not what.startswith("ON UPDATE")
    then = "a row without it is refused" if refused else "it is NULL, or keeps its old value, where nobody writes it"
    yield look.say(
        "migration-drop-default",
        f"takes {what} from {name} of {table}, because the statement does not say it again: {then}",
        f"write {what} into the definition",
        subject=f"{change.table}.{new.name}",
        steps=[f"{look.statement.text} {what}; or, one release after the last use of it, allow it"],
        severity=Severity.ERROR if refused else Severity.WARNING,
    )


def _index_again(old: Column, new: Column, of: str, look: Look) -> Iterator[Finding]:
    """PostgreSQL: the rows stay, and indexes of the column are built anew."""
    other = not same_collation(old, new)
    indexes = [one.name for one in look.tables.indexes_of(of, new.name) if other or one.computed]
    if not indexes or not look.is_large(of):
        return
    table, name = look.quoted(of), look.quoted(new.name)
    why = f"another collation of {name} sorts differently" if other else "an expression or a condition names the column"
    yield look.say(
        "migration-type-change",
        f"changes {name} of {table} ({look.tables.size(of)}) so that {', '.join(map(look.quoted, indexes))} is built "
        f"anew while {nobody(look)}: {why}",
        "build the new index beside the old one, before",
        subject=f"{of}.{new.name}",
        lock=exclusive(look, table, "until the indexes are built"),
        steps=[
            f"this release: ALTER TABLE {table} ADD COLUMN {look.quoted(f'{new.name}_new')} {new.type}; write both",
            "copy in batches, and build its indexes with CREATE INDEX CONCURRENTLY",
            f"next release: read and write the new column alone; the one after: drop {name}",
        ],
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
