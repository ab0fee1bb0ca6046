"""Rules about constraints: what compares all rows, and under which lock (pure)."""

from collections.abc import Iterator

from tierstack.core.diagnostics import Severity
from tierstack.migration.changes import Constraint, SetNotNull, Validate
from tierstack.migration.findings import Finding, Look
from tierstack.migration.rules.base import (
    copying,
    exclusive,
    gh_ost,
    is_postgresql,
    left_behind,
    of,
    rebuilt,
    validated_later,
    without_transaction,
)


@of(Constraint)
def _constraint(change: Constraint, look: Look) -> Iterator[Finding]:
    if change.index and change.kind == "primary key":
        # It makes the columns of the index NOT NULL.
        for index in (one for one in look.tables.of(change.table).indexes.values() if one.name == change.index):
            for column in sorted(name for name in index.names if look.tables.column(change.table, name)):
                yield from _set_not_null(SetNotNull(table=change.table, column=column), look)
    if not change.valid or change.index or not look.is_large(change.table):
        return
    table = look.quoted(change.table)
    if change.kind == "foreign key":
        off = ("foreign_key_checks", "0") in look.settings or ("foreign_key_checks", "off") in look.settings
        if is_postgresql(look) or not off:
            yield compared(look, change.table, change.references, change.table, change.text, change.name)
    elif change.kind in ("check", "not null"):
        yield from checked(look, change.table, change.text, change.table, change.name)
    elif not is_postgresql(look):
        yield rebuilt(look, change.table, "another PRIMARY KEY sorts the rows", change.table)
    elif change.kind == "exclude":
        yield look.say(
            "migration-unique",
            f"builds the index of an EXCLUDE constraint on {table}: nobody reads or writes it until all rows are "
            "compared",
            "PostgreSQL has no other way; do it while the table is small or unused",
            subject=change.table,
            lock=exclusive(look, table, "until the index is built"),
        )
    else:
        columns = f"({', '.join(map(look.quoted, change.columns))})"
        yield from built_index(look, change.table, change.kind.upper(), columns, change.table, change.name)


def built_index(look: Look, of: str, kind: str, columns: str, subject: str, name: str = "") -> Iterator[Finding]:
    table = look.quoted(of)
    index = look.quoted(name or f"{of.rpartition('.')[2]}_key")
    yield look.say(
        "migration-unique",
        f"builds the index of {kind} {columns} on {table} ({look.tables.size(of)}): nobody reads or writes the table "
        "meanwhile",
        "build the index first, and use it",
        subject=subject,
        lock=exclusive(look, table, "until the index is built"),
        steps=[
            f"outside of a transaction: CREATE UNIQUE INDEX CONCURRENTLY {index} ON {table} {columns};",
            f"ALTER TABLE {table} ADD CONSTRAINT {index} {kind} USING INDEX {index};",
            *left_behind(index),
            *without_transaction(look),
        ],
    )


def compared(look: Look, of: str, references: str, subject: str, text: str, name: str) -> Finding:
    table, other = look.quoted(of), look.quoted(references)
    size = look.tables.size(of)
    if not is_postgresql(look):
        alter = f"ADD CONSTRAINT {name or '…'} {text}"
        return look.say(
            "migration-foreign-key",
            f"adds a foreign key to {table} ({size}): the server copies the table, and writes to it wait meanwhile",
            "add it without comparing the rows, after looking for rows that break it",
            subject=subject,
            lock=copying(table),
            steps=[
                f"look: SELECT count(*) FROM {table} LEFT JOIN {other} ON … WHERE … IS NULL; must be 0",
                f"SET SESSION foreign_key_checks = 0; ALTER TABLE {table} {alter}, ALGORITHM=INPLACE, LOCK=NONE; "
                "SET SESSION foreign_key_checks = 1;",
                "look again: rows written between the two are not compared",
            ],
        )
    constraint = look.quoted(name or f"{of.rpartition('.')[2]}_fk")
    return look.say(
        "migration-foreign-key",
        f"compares all rows of {table} ({size}) with {other}: writes to both tables wait meanwhile",
        "add it NOT VALID, and validate it on its own",
        subject=subject,
        lock=f"SHARE ROW EXCLUSIVE on {table} and {other}, until all rows are compared: reads go on, writes wait",
        steps=validated_later(look, table, constraint, text),
    )


def checked(look: Look, of: str, text: str, subject: str, name: str) -> Iterator[Finding]:
    table, size = look.quoted(of), look.tables.size(of)
    if not is_postgresql(look):
        yield look.say(
            "migration-check",
            f"adds a CHECK to {table} ({size}): the server copies the table, and writes to it wait meanwhile",
            "copy the table online, or add it NOT ENFORCED",
            subject=subject,
            lock=copying(table),
            steps=[gh_ost(look, of, f"ADD {text}")],
        )
        return
    constraint = look.quoted(name or f"{of.rpartition('.')[2]}_check")
    yield look.say(
        "migration-check",
        f"compares all rows of {table} ({size}) with a CHECK: nobody reads or writes the table meanwhile",
        "add it NOT VALID, and validate it on its own",
        subject=subject,
        lock=exclusive(look, table, "until all rows are compared"),
        steps=validated_later(look, table, constraint, text),
    )


@of(SetNotNull)
def _set_not_null(change: SetNotNull, look: Look) -> Iterator[Finding]:
    if look.tables.is_filled(change.table, change.column):
        return
    table, name = look.quoted(change.table), look.quoted(change.column)
    check = look.quoted(f"{change.column}_given")
    large = look.is_large(change.table)
    reads = (
        f"the server reads all rows ({look.tables.size(change.table)}) while nobody reads or writes the table, and "
        if large
        else ""
    )
    yield look.say(
        "migration-set-not-null",
        f"makes {name} of {table} NOT NULL: {reads}the release that still runs is refused where it writes NULL",
        "let a CHECK be validated first",
        subject=f"{change.table}.{change.column}",
        lock=exclusive(look, table, "until all rows are read" if large else "for a moment"),
        steps=[
            "a release before: write the column in every INSERT and UPDATE, and fill what is NULL, in batches",
            f"ALTER TABLE {table} ADD CONSTRAINT {check} CHECK ({name} IS NOT NULL) NOT VALID;",
            f"in a transaction of its own: ALTER TABLE {table} VALIDATE CONSTRAINT {check};",
            f"ALTER TABLE {table} ALTER COLUMN {name} SET NOT NULL; (it finds the CHECK and reads no row)",
            f"ALTER TABLE {table} DROP CONSTRAINT {check};",
        ],
    )


@of(Validate)
def _validate(change: Validate, look: Look) -> Iterator[Finding]:
    if not look.transaction or change.name not in look.added or not look.is_large(change.table):
        return
    table = look.quoted(change.table)
    yield look.say(
        "migration-in-transaction",
        f"validates {change.name} of {table} in the transaction that added it: the lock of the first statement is held "
        "while all rows are read",
        "validate it in a transaction of its own",
        subject=change.table,
        lock=f"that of ADD CONSTRAINT on {table}, until the transaction ends",
        severity=Severity.ERROR if look.transaction == "begin" else Severity.WARNING,
        steps=[
            "commit after ADD CONSTRAINT … NOT VALID",
            f"then ALTER TABLE {table} VALIDATE CONSTRAINT {change.name};",
            *without_transaction(look),
        ],
    )
