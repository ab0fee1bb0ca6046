"""What is known of the tables that statements are about (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tierstack.migration import types
from tierstack.migration.changes import (
    AddColumn,
    Change,
    ChangeColumn,
    Charset,
    Column,
    Constraint,
    CreateIndex,
    CreateTable,
    Default,
    Drop,
    DropColumn,
    DropConstraint,
    DropDefault,
    DropIndex,
    DropNotNull,
    Empty,
    Filter,
    Harmless,
    Rename,
    RenameConstraint,
    SetDefault,
    SetNotNull,
    Validate,
)
from tierstack.migration.lexer import Engine

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
    partitioned: bool | None = None
    """PostgreSQL: whether it has partitions. None: it is not known."""
    constraints: dict[str, Constraint] = field(default_factory=dict[str, Constraint])
    """Constraints, by name."""
    indexes: dict[str, CreateIndex] = field(default_factory=dict[str, CreateIndex])
    """Indexes, by name, with those of keys."""
    unset: dict[str, str | None] = field(default_factory=dict[str, str | None])
    """Columns that hold NULL in each row, because the input that stands here added them and nobody filled them."""
    charset: str = ""
    collation: str = ""
    """MySQL: of columns that name none. Empty: those of the server."""

    def copied(self) -> "Table":
        """The table as it is now; what it holds is never changed in place."""
        return replace(
            self,
            columns={**self.columns},
            constraints={**self.constraints},
            indexes={**self.indexes},
            unset={**self.unset},
        )


class Tables:
    """All tables, as the statements so far have left them."""

    def __init__(self, engine: Engine, rows: Mapping[str, int] | None = None, large: int = LARGE_ROWS) -> None:
        self._engine = engine
        self._rows = {key(name): count for name, count in (rows or {}).items()}
        self._large = large
        self._known: dict[str, Table] = {}
        self._dropped: set[str] = set()

    def copied(self) -> "Tables":
        """The tables as they are now: what a ROLLBACK goes back to."""
        other = Tables(self._engine, self._rows, self._large)
        other._known = {name: one.copied() for name, one in self._known.items()}
        other._dropped = {*self._dropped}
        return other

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

    def resolved(self, table: str, column: Column) -> Column:
        """A column with what it has in this table: MySQL gives it the character set and the collation of the table."""
        if self._engine is Engine.POSTGRESQL:
            return column
        known = self.of(table)
        return types.with_charset(column, known.charset, known.collation)

    def is_filled(self, table: str, column: str) -> bool:
        """Whether a column is known to hold no NULL: it is NOT NULL, or a validated CHECK says so."""
        known = self.column(table, column)
        checks = self.of(table).constraints.values()
        filled = any(one.valid and one.not_null.lower() == column.lower() for one in checks if one.not_null)
        return filled or bool(known and known.not_null)

    def all_rows(self, table: str, where: Filter, scope: str) -> bool:
        """Whether all rows of a table meet a condition."""
        unset = self.of(table).unset
        return (
            all(name in unset and unset[name] == scope for name in where.nulls)
            and all(self.is_filled(table, name) for name in where.values)
            and all(self._is_numbered(table, name) for name in where.numbers)
        )

    def _is_numbered(self, table: str, name: str) -> bool:
        """Whether each row has a number above 0: the server gives it, or it is called `id` and not known."""
        known = self.column(table, name)
        return known.fills_itself or "unsigned" in known.type if known else name == "id"

    def indexes_of(self, table: str, column: str) -> list[CreateIndex]:
        """The indexes that a column is in."""
        return [one for one in self.of(table).indexes.values() if column.lower() in one.names]

    def is_unique(self, table: str, column: str) -> bool:
        """Whether a key says that no two rows have the same value in a column."""
        return any(one.unique for one in self.indexes_of(table, column))

    def was_dropped(self, index: str) -> bool:
        """Whether these statements have dropped an index."""
        return key(index) in self._dropped

    def apply(self, change: Change, scope: str | None) -> None:
        """Take note of a change. `scope` None: it is not pending, so what it makes is not new."""
        match change:
            case CreateTable():
                self._create(change, scope)
            case AddColumn():
                self._add(change, scope)
            case ChangeColumn():
                self._change(change)
            case DropColumn() | Rename(what="column"):
                self._move_column(change)
            case Rename(what="table"):
                self._known[key(change.new)] = self._known.pop(key(change.old), Table())
                if (rows := self._rows.get(key(change.old))) is not None:
                    self._rows[key(change.new)] = rows
            case Constraint() | Validate() | DropConstraint() | RenameConstraint():
                self._constraint(change)
            case CreateIndex() | DropIndex():
                self._index(change)
            case Charset():
                self._charset(change)
            case Drop(what="table"):
                self._known.pop(key(change.table), None)
            case Empty(what="TRUNCATE"):
                self._rows[key(change.table)] = 0
            case Harmless(writes=written) if written:
                for name in written:
                    self.of(change.table).unset.pop(name, None)
            case _:
                self._attribute(change)

    def _create(self, change: CreateTable, scope: str | None) -> None:
        table = Table(scope=scope, partitioned=change.partitioned, charset=change.charset, collation=change.collation)
        self._known[key(change.table)] = table
        for column in change.columns:
            self._put(change.table, column)
        for part in change.parts:
            self.apply(part, scope)

    def _put(self, name: str, column: Column) -> None:
        """A column and the index that it brings."""
        table, of = self.of(name), column.name.lower()
        table.columns[of] = self.resolved(name, column)
        if column.unique or column.primary:
            made = CreateIndex(table=name, name=f"{name}_{of}_key", unique=True, names=frozenset({of}))
            table.indexes[made.name.lower()] = made

    def _add(self, change: AddColumn, scope: str | None) -> None:
        self._put(change.table, change.column)
        if change.column.default is Default.NONE and not change.column.fills_itself:
            self.of(change.table).unset[change.column.name.lower()] = scope

    def _change(self, change: ChangeColumn) -> None:
        """MySQL: another definition; PostgreSQL: another type of the same column."""
        columns, name = self.of(change.table).columns, change.column.name.lower()
        if change.type_alone and (known := columns.get(name)):
            columns[name] = replace(known, type=change.column.type, collation=change.column.collation)
        else:
            columns[name] = self.resolved(change.table, change.column)

    def _move_column(self, change: DropColumn | Rename) -> None:
        table = self.of(change.table)
        old = (change.column if isinstance(change, DropColumn) else change.old).lower()
        known = table.columns.pop(old, None)
        unset = table.unset.pop(old, None)
        checks = {name: one for name, one in table.constraints.items() if one.not_null.lower() == old}
        if isinstance(change, DropColumn):
            table.constraints = {name: one for name, one in table.constraints.items() if name not in checks}
            table.indexes = {name: one for name, one in table.indexes.items() if old not in one.names}
            return
        new = change.new.lower()
        if known:
            table.columns[new] = replace(known, name=change.new)
        if unset is not None:
            table.unset[new] = unset
        table.constraints |= {name: replace(one, not_null=new) for name, one in checks.items()}
        table.indexes = {
            name: replace(one, names=one.names - {old} | {new}) if old in one.names else one
            for name, one in table.indexes.items()
        }

    def _constraint(self, change: Constraint | Validate | DropConstraint | RenameConstraint) -> None:
        table = self.of(change.table)
        match change:
            case Constraint():
                # What PostgreSQL calls a CHECK of one column that has no name.
                name = change.name or f"{change.table.rpartition('.')[2]}_{change.not_null}_check"
                table.constraints[name.lower()] = change
                if change.columns and change.kind in ("unique", "primary key"):
                    names = frozenset(one.lower() for one in change.columns)
                    table.indexes[name.lower()] = CreateIndex(table=change.table, name=name, unique=True, names=names)
                if change.kind == "primary key":
                    for column in change.columns:
                        self._attribute(SetNotNull(table=change.table, column=column))
            case Validate() if known := table.constraints.get(change.name.lower()):
                table.constraints[change.name.lower()] = replace(known, valid=True)
            case DropConstraint():
                table.constraints.pop(change.name.lower(), None)
                table.indexes.pop(change.name.lower(), None)
            case RenameConstraint() if known := table.constraints.pop(change.old.lower(), None):
                table.constraints[change.new.lower()] = known
            case _:
                pass

    def _index(self, change: CreateIndex | DropIndex) -> None:
        if isinstance(change, CreateIndex):
            self.of(change.table).indexes[change.name.lower() or f"unnamed {change.text}"] = change
            self._dropped.discard(key(change.name))
            return
        self._dropped.add(key(change.name))
        for table in [self.of(change.table)] if change.table else self._known.values():
            table.indexes.pop(key(change.name), None)

    def _charset(self, change: Charset) -> None:
        table = self.of(change.table)
        table.charset, table.collation = change.charset, change.collation
        if change.convert:
            table.columns = {
                name: self.resolved(change.table, replace(one, charset="", collation=""))
                for name, one in table.columns.items()
            }

    def _attribute(self, change: Change) -> None:
        """What changes one attribute of a column that is known."""
        if not isinstance(change, SetNotNull | DropNotNull | SetDefault | DropDefault):
            return
        columns, name = self.of(change.table).columns, change.column.lower()
        if not (known := columns.get(name)):
            return
        match change:
            case SetNotNull() | DropNotNull():
                columns[name] = replace(known, not_null=isinstance(change, SetNotNull))
            case SetDefault():
                columns[name] = replace(known, default=change.default, default_text=change.text)
            case DropDefault(what="default"):
                columns[name] = replace(known, default=Default.NONE, default_text="")
            case DropDefault():
                columns[name] = replace(known, fills_itself=False)
