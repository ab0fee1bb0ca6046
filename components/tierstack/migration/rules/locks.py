"""Rules about indexes, copies and locks: who waits while a statement works (pure)."""

import re
from collections.abc import Iterator

from tierstack.core.diagnostics import Severity
from tierstack.migration.changes import (
    Attach,
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
from tierstack.migration.lexer import Kind
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
from tierstack.migration.session import OFF, limits_waits


@of(CreateIndex, new_tables=True)
def _create_index(change: CreateIndex, look: Look) -> Iterator[Finding]:
    table = look.quoted(change.table)
    partitioned = look.tables.of(change.table).partitioned
    if change.concurrently:
        yield from outside(look, f"CREATE INDEX CONCURRENTLY on {table}", change.table)
        if partitioned:
            yield _refused_index(change, look)
        elif change.if_not_exists and not look.is_new(change.table) and not look.tables.was_dropped(change.name):
            yield _invalid_index(change, look)
        return
    if change.only and partitioned is not False:
        return  # no partition is read: the index is in the catalogue alone
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
    if partitioned:
        steps = _steps_by_partition(change, look)
    yield look.say(
        "migration-index",
        f"builds an index on {table} ({size}): writes wait until it is built",
        "build it on each partition, and attach it" if partitioned else "write CREATE INDEX CONCURRENTLY",
        subject=change.table,
        lock=f"SHARE on {table}, until the index is built: reads go on, writes wait",
        steps=[*steps, *without_transaction(look)],
    )


def _steps_by_partition(change: CreateIndex, look: Look) -> list[str]:
    table, name = look.quoted(change.table), look.quoted(change.name) if change.name else "<the index>"
    columns = change.text.partition(change.table.rpartition(".")[2])[2].strip('" ')
    return [
        f"CREATE INDEX {name} ON ONLY {table} {columns};",
        f"for each partition, outside of a transaction: CREATE INDEX CONCURRENTLY … ON <the partition> {columns};",
        f"then for each: ALTER INDEX {name} ATTACH PARTITION <its index>;",
    ]


def _refused_index(change: CreateIndex, look: Look) -> Finding:
    return look.say(
        "migration-refused",
        f"fails: {look.quoted(change.table)} has partitions, and CONCURRENTLY builds no index of all of them",
        "build it on each partition, and attach it",
        subject=change.table,
        steps=_steps_by_partition(change, look),
    )


def _invalid_index(change: CreateIndex, look: Look) -> Finding:
    name = look.quoted(change.name)
    return look.say(
        "migration-invalid-index",
        f"takes an INVALID {name}, which a build that failed left behind, for the finished index: IF NOT EXISTS looks "
        "for the name alone, and no query would use it",
        "drop the index first, and leave IF NOT EXISTS out",
        subject=change.table,
        steps=[
            f"DROP INDEX CONCURRENTLY IF EXISTS {name};",
            f"{re.sub(r'(?i) if not exists', '', look.statement.text, count=1)};",
        ],
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
    if not look.is_large(change.table) or not look.tables.all_rows(change.table, change.where, look.scope):
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


@of(Attach)
def _attach(change: Attach, look: Look) -> Iterator[Finding]:
    checks = look.tables.of(change.table).constraints.values()
    if not look.is_large(change.table) or any(one.kind == "check" and one.valid for one in checks):
        return
    part = look.quoted(change.table)
    yield look.say(
        "migration-lock",
        f"ATTACH PARTITION reads all of {part} ({look.tables.size(change.table)}) under ACCESS EXCLUSIVE",
        "let a CHECK say before that its rows are within the bounds",
        subject=change.table,
        lock=exclusive(look, part, "until its rows are compared with the bounds"),
        steps=[
            f"ALTER TABLE {part} ADD CONSTRAINT bounds CHECK (<the bounds>) NOT VALID;",
            f"in a transaction of its own: ALTER TABLE {part} VALIDATE CONSTRAINT bounds;",
            f"{look.statement.text};",
        ],
        severity=Severity.WARNING,
    )


@of(Change)
def _lock_timeout(change: Change, look: Look) -> Iterator[Finding]:
    value = dict(look.settings).get("lock_timeout", "")
    if not is_postgresql(look) or not is_exclusive(change) or limits_waits(value) or not change.table:
        return
    given = value not in OFF
    wait = f"up to lock_timeout = '{value}'" if given else "without a limit"
    yield look.say(
        "migration-lock-timeout",
        f"waits for {look.quoted(change.table)} {wait}: while one long transaction uses the table, all other queries "
        "queue behind this statement",
        "run SET lock_timeout = '2s'; first (SET LOCAL only in a transaction: it ends with it), and try again where it "
        "gives up",
        subject=change.table,
    )


def values_used(look: Look) -> Iterator[Finding]:
    """PostgreSQL: values of an enumeration that the transaction has added and that the statement uses."""
    tokens = look.statement.tokens
    if not tokens or tokens[0].text not in _USERS:
        return
    for value in sorted(look.values & {one.text for one in tokens if one.kind is Kind.STRING}):
        yield look.say(
            "migration-in-transaction",
            f"uses {value}, which ALTER TYPE added in the same transaction: PostgreSQL refuses a new value until the "
            "transaction that added it is committed",
            "add the value in a transaction of its own",
            subject="",
            severity=Severity.ERROR if look.transaction == "begin" else Severity.WARNING,
            steps=["commit after ALTER TYPE … ADD VALUE", *without_transaction(look)],
        )


_USERS = frozenset({"insert", "update", "delete", "select", "with", "alter", "create", "merge", "values"})
"""First words of statements in which a string may be a value of an enumeration."""
