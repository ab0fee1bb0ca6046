"""How a rule of migrations is written, and what several of them say alike (pure)."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from tierstack.core.diagnostics import Severity
from tierstack.migration.changes import Change
from tierstack.migration.findings import Finding, Look
from tierstack.migration.lexer import Engine

C = TypeVar("C", bound=Change)
Judge = Callable[[Any, Look], Iterator[Finding]]
_RULES: list[tuple[type[Change], Judge, bool]] = []


def of(kind: type[C], *, new_tables: bool = False) -> Callable[[Callable[[C, Look], Iterator[Finding]]], Judge]:
    """A rule about one kind of change. `new_tables`: it also judges tables that the same migration creates, which are
    empty and which no release uses."""

    def add(rule: Callable[[C, Look], Iterator[Finding]]) -> Judge:
        _RULES.append((kind, rule, new_tables))
        return rule

    return add


def judge(change: Change, look: Look) -> Iterator[Finding]:
    """All that the rules say of a change."""
    is_new = look.is_new(change.table)
    for kind, rule, new_tables in _RULES:
        if isinstance(change, kind) and (new_tables or not is_new):
            yield from rule(change, look)


def is_postgresql(look: Look) -> bool:
    return look.engine is Engine.POSTGRESQL


def exclusive(look: Look, table: str, until: str = "for a moment") -> str:
    """The lock of an ALTER TABLE, in words."""
    if is_postgresql(look):
        return (
            f"ACCESS EXCLUSIVE on {table}, {until}: it waits for every transaction that uses the table, and all "
            "queries of the table wait behind it"
        )
    return f"an exclusive metadata lock on {table}, {until}: it waits for every transaction that uses the table"


def nobody(look: Look) -> str:
    """Who waits while the server writes a table anew, as a clause."""
    return "nobody reads or writes it" if is_postgresql(look) else "nobody writes to it"


def copying(table: str) -> str:
    """MySQL: the lock of a copy, in words."""
    return f"ALGORITHM=COPY: {table} can be read and not written until the copy is done"


def gh_ost(look: Look, table: str, alter: str) -> str:
    return (
        f'copy the table online: gh-ost --table={table.rpartition(".")[2]} --alter="{alter}" --execute '
        "(docs/how-to/change-a-large-table.md)"
    )


def left_behind(index: str) -> list[str]:
    name = index or "<the index>"
    return [f"if it fails or is cut off, it leaves an INVALID index: DROP INDEX CONCURRENTLY {name}; and again"]


def validated_later(look: Look, table: str, constraint: str, text: str) -> list[str]:
    """PostgreSQL: how a constraint is added without comparing the rows under its lock."""
    return [
        f"ALTER TABLE {table} ADD CONSTRAINT {constraint} {text} NOT VALID;",
        f"in a transaction of its own, while writes go on: ALTER TABLE {table} VALIDATE CONSTRAINT {constraint};",
        *without_transaction(look),
    ]


def without_transaction(look: Look) -> list[str]:
    if look.transaction != "framework":
        return []
    return ["in the Laravel migration: `public $withinTransaction = false;`, and nothing else in it"]


def rewritten(look: Look, table: str, why: str, subject: str, steps: list[str]) -> Finding:
    """The table is written anew, and nobody writes to it meanwhile."""
    name = look.quoted(table)
    if not is_postgresql(look):
        alter = look.statement.text.partition(table.rpartition(".")[2])[2].lstrip('`" ')
        steps = [gh_ost(look, table, alter or "…")]
    return look.say(
        "migration-rewrite",
        f"writes all of {name} ({look.tables.size(table)}) anew, and {nobody(look)} meanwhile: {why}",
        "do it in steps that touch no row" if is_postgresql(look) else "copy the table online",
        subject=subject,
        lock=exclusive(look, name, "until the table is written") if is_postgresql(look) else copying(name),
        steps=steps or ["do it while nobody uses the table, or copy the rows into a new table in batches"],
    )


def rebuilt(look: Look, table: str, why: str, subject: str) -> Finding:
    """The table is written anew beside writes that go on."""
    name = look.quoted(table)
    return look.say(
        "migration-rewrite",
        f"writes all of {name} ({look.tables.size(table)}) anew: {why}; writes go on, replicas and disk feel it",
        "write ALGORITHM=INPLACE, LOCK=NONE, so that the server refuses it where writes would wait",
        subject=subject,
        lock=f"an exclusive metadata lock on {name}, for a moment at the beginning and at the end",
        steps=["let it run while few write: replicas apply it as one statement and lag as long as it took"],
        severity=Severity.WARNING,
    )
