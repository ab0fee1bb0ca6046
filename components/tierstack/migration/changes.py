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
    stored: bool = False
    """Whether it is generated and kept in the row."""
    virtual: bool = False
    unique: bool = False
    primary: bool = False
    references: str = ""
    """The table that it refers to. Empty: none."""
    check: bool = False
    placed: bool = False
    """Whether it has FIRST or AFTER."""


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


@dataclass(frozen=True, kw_only=True)
class Unknown(Change):
    """Something that no reader knows."""

    why: str


@dataclass(frozen=True, kw_only=True)
class CreateTable(Change):
    columns: tuple[Column, ...] = ()
    references: tuple[str, ...] = ()


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
    using: bool = False
    """Whether USING computes more than a cast."""
    renamed: bool = False
    """MySQL: whether the same CHANGE gives it another name."""


@dataclass(frozen=True, kw_only=True)
class SetNotNull(Change):
    column: str


@dataclass(frozen=True, kw_only=True)
class Constraint(Change):
    """A new constraint; `kind` is `check`, `foreign key`, `unique`, `primary key`, `exclude` or `not null`."""

    kind: str
    name: str = ""
    valid: bool = True
    """False: NOT VALID."""
    index: bool = False
    """Whether an index that exists is used."""
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
class DropPrimaryKey(Change):
    pass


@dataclass(frozen=True, kw_only=True)
class CreateIndex(Change):
    name: str = ""
    unique: bool = False
    concurrently: bool = False
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
    """All rows go: TRUNCATE, DELETE without WHERE, a partition that is dropped."""

    what: str


@dataclass(frozen=True, kw_only=True)
class UpdateAll(Change):
    """Every row is changed by one statement."""

    assigned: str = ""


@dataclass(frozen=True, kw_only=True)
class Lock(Change):
    """A lock that stops readers or writers for as long as the statement or its transaction takes."""

    what: str
    remedy: str
    severe: bool = True


@dataclass(frozen=True, kw_only=True)
class Revoke(Change):
    pass


@dataclass(frozen=True, kw_only=True)
class Transaction(Change):
    begins: bool


@dataclass(frozen=True, kw_only=True)
class Setting(Change):
    """A variable of the session, such as `lock_timeout` or `foreign_key_checks`."""

    name: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Concurrent(Change):
    """Something else that PostgreSQL runs outside of a transaction alone."""

    what: str


def is_exclusive(change: Change) -> bool:
    """PostgreSQL: whether a change takes ACCESS EXCLUSIVE on its table."""
    if isinstance(change, Harmless):
        return change.exclusive
    return isinstance(change, AddColumn | DropColumn | ChangeColumn | SetNotNull | Rename | Constraint)
