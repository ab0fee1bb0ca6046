"""What a statement changes, as the readers find it (pure)."""

from dataclasses import dataclass
from enum import StrEnum


class Default(StrEnum):
    """What a new column is filled with."""

    NONE = "none"
    CONSTANT = "constant"
    """The same value in each row, which the servers keep once."""
    COMPUTED = "computed"
    """Another value in each row, or a function of which that is not known."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column as a statement describes it."""

    name: str
    type: str
    """In lower case, without spaces that mean nothing: `varchar(255)`, `int unsigned`."""
    not_null: bool = False
    default: Default = Default.NONE
    default_text: str = ""
    fills_itself: bool = False
    """Whether the server numbers or computes it: identity, serial, AUTO_INCREMENT, generated."""
    updates_itself: bool = False
    """MySQL: whether it has ON UPDATE."""
    stored: bool = False
    """Whether it is generated and kept in the row."""
    virtual: bool = False
    charset: str = ""
    """MySQL: the character set. Empty: that of its table, until `Tables` looks it up."""
    collation: str = ""
    """Empty: that of its type (PostgreSQL), of its character set or its table (MySQL)."""
    unique: bool = False
    primary: bool = False
    references: str = ""
    """The table that it refers to. Empty: none."""
    check: bool = False
    placed: bool = False
    """Whether it has FIRST or AFTER."""


@dataclass(frozen=True, kw_only=True)
class Filter:
    """A condition that all rows meet where its columns are as it says. Without columns: always."""

    nulls: tuple[str, ...] = ()
    """Columns that hold NULL in each row."""
    values: tuple[str, ...] = ()
    """Columns that hold no NULL."""
    numbers: tuple[str, ...] = ()
    """Columns that the server numbers from 1 on."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that a statement changes. A subclass is what it is."""

    table: str = ""
    """The table, without quotes, with its schema where that is written. Empty: it is about no table."""


@dataclass(frozen=True, kw_only=True)
class Harmless(Change):
    """Something that a running release and a full table do not feel, or feel for a moment."""

    exclusive: bool = False
    """PostgreSQL: whether it needs ACCESS EXCLUSIVE, for which it queues."""
    writes: tuple[str, ...] = ()
    """Columns that it fills in some rows."""


@dataclass(frozen=True, kw_only=True)
class Unknown(Change):
    """Something that no reader knows."""

    why: str


@dataclass(frozen=True, kw_only=True)
class CreateTable(Change):
    columns: tuple[Column, ...] = ()
    parts: tuple["Constraint | CreateIndex", ...] = ()
    """Constraints and indexes that stand beside the columns."""
    partitioned: bool = False
    charset: str = ""
    collation: str = ""


@dataclass(frozen=True, kw_only=True)
class Drop(Change):
    """An object with all in it: `what` is `table`, `view`, `type` …, `table` its name."""

    what: str


@dataclass(frozen=True, kw_only=True)
class DropColumn(Change):
    column: str


@dataclass(frozen=True, kw_only=True)
class Rename(Change):
    """`what` is `table`, `column`, `view`, `value` …; `old` and `new` are its names."""

    what: str
    old: str
    new: str


@dataclass(frozen=True, kw_only=True)
class AddColumn(Change):
    column: Column


@dataclass(frozen=True, kw_only=True)
class ChangeColumn(Change):
    """Another definition of a column. PostgreSQL: the type alone."""

    column: Column
    type_alone: bool = False
    """PostgreSQL: all else about the column stays."""
    using: bool = False
    """Whether USING computes more than a cast."""
    renamed: bool = False
    """MySQL: whether the same CHANGE gives it another name."""


@dataclass(frozen=True, kw_only=True)
class SetNotNull(Change):
    column: str


@dataclass(frozen=True, kw_only=True)
class DropNotNull(Change):
    column: str


@dataclass(frozen=True, kw_only=True)
class SetDefault(Change):
    column: str
    default: Default
    text: str


@dataclass(frozen=True, kw_only=True)
class DropDefault(Change):
    """`what` is `default`, `identity` or `expression`; `if_exists`: there may be none."""

    column: str
    what: str = "default"
    if_exists: bool = False


@dataclass(frozen=True, kw_only=True)
class Charset(Change):
    """MySQL: the character set of columns that come later; `convert`: also of those that are there."""

    charset: str = ""
    collation: str = ""
    convert: bool = False


@dataclass(frozen=True, kw_only=True)
class Constraint(Change):
    """A new constraint; `kind` is `check`, `foreign key`, `unique`, `primary key`, `exclude` or `not null`."""

    kind: str
    name: str = ""
    valid: bool = True
    """False: NOT VALID."""
    index: str = ""
    """The index that exists and is used. Empty: none."""
    columns: tuple[str, ...] = ()
    references: str = ""
    not_null: str = ""
    """The column whose absence of NULL a CHECK asks for. Empty: it asks for something else."""
    text: str = ""
    """What stands after the name."""


@dataclass(frozen=True, kw_only=True)
class Validate(Change):
    name: str


@dataclass(frozen=True, kw_only=True)
class DropConstraint(Change):
    name: str


@dataclass(frozen=True, kw_only=True)
class RenameConstraint(Change):
    old: str
    new: str


@dataclass(frozen=True, kw_only=True)
class DropPrimaryKey(Change):
    pass


@dataclass(frozen=True, kw_only=True)
class CreateIndex(Change):
    name: str = ""
    unique: bool = False
    concurrently: bool = False
    if_not_exists: bool = False
    only: bool = False
    """PostgreSQL: ON ONLY, without the partitions of the table."""
    names: frozenset[str] = frozenset()
    """All names in it, in lower case: columns, and functions of them."""
    computed: bool = False
    """Whether it has an expression or a condition."""
    kind: str = ""
    """MySQL: `fulltext` or `spatial`; empty: an ordinary one."""
    text: str = ""
    """From the name of the index on."""


@dataclass(frozen=True, kw_only=True)
class DropIndex(Change):
    name: str
    concurrently: bool = False


@dataclass(frozen=True, kw_only=True)
class Rewrite(Change):
    """The whole table is written anew, or read under a lock that stops writes. `blocks`: writes wait meanwhile."""

    what: str
    blocks: bool = True


@dataclass(frozen=True, kw_only=True)
class Empty(Change):
    """All rows go: TRUNCATE, DELETE of all rows, a partition that is dropped."""

    what: str
    where: Filter = Filter()


@dataclass(frozen=True, kw_only=True)
class UpdateAll(Change):
    """Every row is changed by one statement."""

    assigned: str = ""
    where: Filter = Filter()


@dataclass(frozen=True, kw_only=True)
class Attach(Change):
    """PostgreSQL: a table that becomes a partition of `parent`."""

    parent: str


@dataclass(frozen=True, kw_only=True)
class Lock(Change):
    """A lock that stops readers or writers for as long as the statement or its transaction takes."""

    what: str
    remedy: str
    severe: bool = True


@dataclass(frozen=True, kw_only=True)
class Revoke(Change):
    what: str = "takes a right away"
    severe: bool = False


@dataclass(frozen=True, kw_only=True)
class Server(Change):
    """Something that all who use the server feel."""

    what: str
    remedy: str
    severe: bool = True


@dataclass(frozen=True, kw_only=True)
class Refused(Change):
    """A statement that the server does not take."""

    what: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class Restart(Change):
    """A sequence (`table`) that begins anew. `to`: the number; empty: its first."""

    to: str = ""


@dataclass(frozen=True, kw_only=True)
class CreateType(Change):
    pass


@dataclass(frozen=True, kw_only=True)
class AddValue(Change):
    """A value more of an enumeration (`table`), in its quotes."""

    value: str


@dataclass(frozen=True, kw_only=True)
class Transaction(Change):
    begins: bool
    undone: bool = False
    """Whether it ends by ROLLBACK."""


@dataclass(frozen=True, kw_only=True)
class Setting(Change):
    """A variable of the session, such as `lock_timeout` or `foreign_key_checks`. `name` may be `all`."""

    name: str
    value: str
    """Empty: its default."""
    local: bool = False
    """Whether it holds until the transaction ends, and not at all outside of one."""


@dataclass(frozen=True, kw_only=True)
class Concurrent(Change):
    """Something else that PostgreSQL runs outside of a transaction alone."""

    what: str


_EXCLUSIVE = (
    *(AddColumn, DropColumn, ChangeColumn, SetNotNull, DropNotNull, SetDefault, DropDefault, Rename, Constraint),
    *(DropConstraint, RenameConstraint),
)


def is_exclusive(change: Change) -> bool:
    """PostgreSQL: whether a change takes ACCESS EXCLUSIVE on its table."""
    return change.exclusive if isinstance(change, Harmless) else isinstance(change, _EXCLUSIVE)
