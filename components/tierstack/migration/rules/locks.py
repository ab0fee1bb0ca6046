"""Rules about indexes, copies and locks: who waits while a statement works (pure)."""

import re
from collections.abc import Iterator

from tierstack.core.diagnostics import Severity
from tierstack.migration.changes import (
    Change,
    Concurrent,
    CreateIndex,
    DropIndex,
    DropPrimaryKey,
    Lock,
    Rewrite,
    UpdateAll,
    is_exclusive,
)
from tierstack.migration.findings import Finding, Look
from tierstack.migration.rules.base import (
    exclusive,
    gh_ost,
    is_postgresql,
    left_behind,
    of,
    rebuilt,
    rewritten,
    without_transaction,
)


@of(CreateIndex, new_tables=True)
def _create_index(change: CreateIndex, look: Look) -> Iterator[Finding]:
    table = look.quoted(change.table)
    if change.concurrently:
        yield from outside(look, f"CREATE INDEX CONCURRENTLY on {table}", change.table)
        return
    if not look.is_large(change.table) or (not is_postgresql(look) and not change.kind):
        return
    size = look.tables.size(change.table)
    if not is_postgresql(look):
        yield look.say(
            "migration-index",
            f"builds a {change.kind.upper()} index on {table} ({size}): writes wait until it is built",
            "copy the table online",
            subject=change.table,
            lock=f"LOCK=SHARED: {table} can be read and not written until the index is built",
            steps=[gh_ost(look, change.table, f"ADD {change.kind.upper()} INDEX {change.text}")],
        )
        return
    online = re.sub(r"(?i)\bindex\b", "INDEX CONCURRENTLY", look.statement.text, count=1)
    steps = [f"outside of a transaction: {online};", *left_behind(look.quoted(change.name) if change.name else "")]
    yield look.say(
        "migration-index",
        f"builds an index on {table} ({size}): writes wait until it is built",
        "write CREATE INDEX CONCURRENTLY",
        subject=change.table,
        lock=f"SHARE on {table}, until the index is built: reads go on, writes wait",
        steps=[*steps, *without_transaction(look)],
    )


@of(DropIndex, new_tables=True)
def _drop_index(change: DropIndex, look: Look) -> Iterator[Finding]:
    if not is_postgresql(look):
        return
    name = look.quoted(change.name)
    if change.concurrently:
        yield from outside(look, f"DROP INDEX CONCURRENTLY {name}", change.name)
        return
    yield look.say(
        "migration-drop-index",
        f"drops index {name} under ACCESS EXCLUSIVE on its table: it waits for every transaction that uses the table, "
        "and all queries of the table wait behind it",
        "write DROP INDEX CONCURRENTLY",
        subject=change.name,
        lock="ACCESS EXCLUSIVE on the table of the index, for a moment",
        steps=[f"outside of a transaction: DROP INDEX CONCURRENTLY {name};", *without_transaction(look)],
    )


@of(Concurrent, new_tables=True)
def _concurrent(change: Concurrent, look: Look) -> Iterator[Finding]:
    yield from outside(look, change.what, change.table)


def outside(look: Look, what: str, subject: str) -> Iterator[Finding]:
    """What PostgreSQL refuses in a transaction."""
    if not look.transaction:
        return
    framework = look.transaction == "framework"
    said = (
        f"{what} fails in a transaction, and Laravel runs a migration in one on PostgreSQL"
        if framework
        else f"{what} fails in a transaction: nothing after BEGIN may be CONCURRENTLY"
    )
    yield look.say(
        "migration-in-transaction",
        said,
        "set `public $withinTransaction = false;` in the migration" if framework else "move it out of the transaction",
        subject=subject,
        severity=Severity.WARNING if framework else Severity.ERROR,
        steps=["if the migration has that already, allow it: the output does not show it"] if framework else [],
    )


@of(DropPrimaryKey)
def _drop_primary_key(change: DropPrimaryKey, look: Look) -> Iterator[Finding]:
    if look.is_large(change.table):
        yield rewritten(look, change.table, "DROP PRIMARY KEY copies the table", change.table, [])


@of(Rewrite)
def _rewrite(change: Rewrite, look: Look) -> Iterator[Finding]:
    if change.table and not look.is_large(change.table):
        return
    if change.blocks:
        yield rewritten(look, change.table, change.what, change.table, [])
    else:
        yield rebuilt(look, change.table, change.what, change.table)


@of(UpdateAll)
def _update_all(change: UpdateAll, look: Look) -> Iterator[Finding]:
    if not look.is_large(change.table):
        return
    table = look.quoted(change.table)
    held = change.table.lower() in look.locked
    also = ", under the ACCESS EXCLUSIVE that an earlier statement of the transaction took" if held else ""
    yield look.say(
        "migration-update-all",
        f"changes every row of {table} ({look.tables.size(change.table)}) in one statement{also}: each row stays "
        "locked until it ends",
        "change them in batches, in transactions of their own",
        subject=change.table,
        lock=exclusive(look, table, "until the transaction ends") if held else f"a lock on each row of {table}",
        steps=[
            f"UPDATE {table} SET {change.assigned or '…'} WHERE id BETWEEN 1 AND 10000; then the next 10,000, with a "
            "commit after each"
        ],
        severity=Severity.ERROR if held and look.transaction == "begin" else Severity.WARNING,
    )


@of(Lock)
def _lock(change: Lock, look: Look) -> Iterator[Finding]:
    yield look.say(
        "migration-lock",
        change.what,
        change.remedy,
        subject=change.table,
        lock=exclusive(look, look.quoted(change.table), "until it ends") if change.table else "",
        severity=Severity.ERROR if change.severe else Severity.WARNING,
    )


@of(Change)
def _lock_timeout(change: Change, look: Look) -> Iterator[Finding]:
    limited = any(name == "lock_timeout" and value not in ("0", "default") for name, value in look.settings)
    if not is_postgresql(look) or not is_exclusive(change) or limited or not change.table:
        return
    yield look.say(
        "migration-lock-timeout",
        f"waits for {look.quoted(change.table)} without a limit: while one long transaction uses the table, all other "
        "queries queue behind this statement",
        "run SET lock_timeout = '2s'; first, and try again where it gives up",
        subject=change.table,
    )
