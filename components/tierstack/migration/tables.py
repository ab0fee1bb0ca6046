"""What is known of the tables that statements are about (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tierstack.migration.changes import (
    AddColumn,
    Change,
    ChangeColumn,
    Column,
    Constraint,
    CreateTable,
    Drop,
    DropColumn,
    Empty,
    Rename,
    SetNotNull,
    Validate,
)

LARGE_ROWS = 100_000
"""Rows from which a table counts as large: a choice. Below it, reading all rows is the matter of a moment."""


def key(name: str) -> str:
    """A table's name as it is compared: without the schema that is there by default."""
    return name.lower().removeprefix("public.")


@dataclass
class Table:
    """One table."""

    scope: str | None = None
    """The input that made it. None: it was there before."""
    columns: dict[str, Column] = field(default_factory=dict[str, Column])
    complete: bool = False
    """Whether all its columns are known."""
    pending: dict[str, Constraint] = field(default_factory=dict[str, Constraint])
    """Constraints that are not validated yet, by name."""
    filled: set[str] = field(default_factory=set[str])
    """Columns of which a validated CHECK says that they hold no NULL."""


class Tables:
    """All tables, as the statements so far have left them."""

    def __init__(self, rows: Mapping[str, int] | None = None, large: int = LARGE_ROWS) -> None:
        self._rows = {key(name): count for name, count in (rows or {}).items()}
        self._large = large
        self._known: dict[str, Table] = {}

    def of(self, name: str) -> Table:
        """What is known of a table."""
        return self._known.setdefault(key(name), Table())

    def is_new(self, name: str, scope: str) -> bool:
        """Whether the input `scope` made the table itself: it is empty, and no release knows it."""
        made = self.of(name).scope
        return made is not None and made == scope

    def is_large(self, name: str, scope: str) -> bool:
        """Whether the table may have so many rows that reading all of them takes long. Not known counts as yes."""
        return not self.is_new(name, scope) and self._rows.get(key(name), self._large) >= self._large

    def size(self, name: str) -> str:
        """How many rows a table has, in words."""
        rows = self._rows.get(key(name))
        return "unknown size" if rows is None else f"{rows:,} rows"

    def column(self, table: str, name: str) -> Column | None:
        """The definition of a column. None: it is not known."""
        return self.of(table).columns.get(name.lower())

    def apply(self, change: Change, scope: str | None) -> None:
        """Take note of a change. `scope` None: it is not pending, so what it makes is not new."""
        table = self.of(change.table)
        match change:
            case CreateTable():
                columns = {one.name.lower(): one for one in change.columns}
                self._known[key(change.table)] = Table(scope=scope, columns=columns, complete=bool(columns))
            case AddColumn() | ChangeColumn():
                table.columns[change.column.name.lower()] = change.column
            case DropColumn():
                table.columns.pop(change.column.lower(), None)
            case SetNotNull() if known := table.columns.get(change.column.lower()):
                table.columns[change.column.lower()] = replace(known, not_null=True)
            case Rename(what="table"):
                self._known[key(change.new)] = self._known.pop(key(change.old))
                if (rows := self._rows.get(key(change.old))) is not None:
                    self._rows[key(change.new)] = rows
            case Rename(what="column") if known := table.columns.pop(change.old.lower(), None):
                table.columns[change.new.lower()] = replace(known, name=change.new)
            case Constraint(kind="check", valid=True) if change.not_null:
                table.filled.add(change.not_null.lower())
            case Constraint(valid=False):
                table.pending[change.name] = change
            case Validate() if (checked := table.pending.pop(change.name, None)) and checked.not_null:
                table.filled.add(checked.not_null.lower())
            case Drop(what="table"):
                self._known.pop(key(change.table), None)
            case Empty(what="TRUNCATE"):
                self._rows[key(change.table)] = 0
            case _:
                pass
