"""What the guard says of a statement (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass

from tierstack.core.diagnostics import MISSING, Diagnostic, Severity, declared
from tierstack.migration.lexer import Engine, Statement
from tierstack.migration.tables import Tables


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that a rule says of a statement."""

    statement: Statement
    diagnostic: Diagnostic
    lock: str
    """Which lock the server takes, and for how long. Empty: none that matters here."""
    steps: tuple[str, ...]
    """What to do, in order, with the SQL for this very statement."""
    subject: str
    """The table, or the table and its column: what an allowance can be limited to."""
    reason: str = ""
    """Why it is allowed. Empty: it is not."""
    allowed_by: str = ""
    """What allows it."""

    def as_dict(self) -> dict[str, object]:
        """The finding for machines."""
        return {
            **self.diagnostic.as_dict(),
            "file": self.statement.where,
            "line": self.statement.line,
            "migration": self.statement.group or None,
            "statement": self.statement.text,
            "subject": self.subject,
            "lock": self.lock,
            "steps": list(self.steps),
            **({"reason": self.reason, "allowed_by": self.allowed_by} if self.reason else {}),
        }


@dataclass(frozen=True, kw_only=True)
class Look:
    """A statement, and all that a rule may ask of what was before it."""

    statement: Statement
    engine: Engine
    tables: Tables
    scope: str
    """What the tables are new to: the whole input, or one of its files."""
    transaction: str
    """In which transaction it runs: `begin` of the input itself, `framework`, or empty: in none."""
    locked: frozenset[str] = frozenset()
    """Tables on which the transaction holds ACCESS EXCLUSIVE."""
    added: frozenset[str] = frozenset()
    """Constraints that the transaction added."""
    settings: frozenset[tuple[str, str]] = frozenset()
    values: frozenset[str] = frozenset()
    """Values of enumerations, in their quotes, that the transaction added to types that were there before."""

    def is_new(self, table: str) -> bool:
        """Whether this migration made the table itself."""
        return self.tables.is_new(table, self.scope)

    def is_large(self, table: str) -> bool:
        """Whether the table may have so many rows that reading them takes long."""
        return self.tables.is_large(table, self.scope)

    def quoted(self, name: str) -> str:
        """A name as SQL writes it."""
        return quoted(name, self.engine)

    def say(
        self,
        code: str,
        message: str,
        hint: str,
        *,
        subject: str,
        lock: str = "",
        steps: Sequence[str] = (),
        severity: Severity | None = None,
    ) -> Finding:
        """A finding of the rule `code`."""
        where = self.statement.where if not self.statement.line else f"{self.statement.where}:{self.statement.line}"
        level = severity or declared()[code].severities[0]
        return Finding(
            statement=self.statement,
            diagnostic=Diagnostic(where, MISSING, message, hint, code, level),
            lock=lock,
            steps=tuple(steps),
            subject=subject,
        )


def quoted(name: str, engine: Engine) -> str:
    """A name as SQL writes it: in quotes where it needs them."""
    sign = "`" if engine is Engine.MYSQL else '"'
    parts = name.split(".")
    return ".".join(one if _is_plain(one) else f"{sign}{one}{sign}" for one in parts)


def _is_plain(name: str) -> bool:
    return name.isidentifier() and name == name.lower() and name not in _RESERVED


_RESERVED = frozenset(
    {"order", "user", "group", "table", "select", "from", "where", "check", "default", "key", "index"}
)
