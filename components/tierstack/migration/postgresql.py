"""What statements of PostgreSQL alone change (pure).

Locks and rewrites: PostgreSQL, ALTER TABLE, CREATE INDEX, Explicit Locking; tests/migration/docker asks a real server.
"""

from collections.abc import Callable, Iterable, Mapping

from tierstack.migration import postgresql_objects as objects
from tierstack.migration.changes import (
    AddColumn,
    Attach,
    Change,
    ChangeColumn,
    Column,
    Concurrent,
    Constraint,
    CreateIndex,
    Default,
    DropColumn,
    DropConstraint,
    DropDefault,
    DropNotNull,
    Harmless,
    Lock,
    Rename,
    RenameConstraint,
    Restart,
    Rewrite,
    SetDefault,
    SetNotNull,
    Validate,
)
from tierstack.migration.columns import column, default_of, references, type_of
from tierstack.migration.cursor import Cursor, NotReadError, written
from tierstack.migration.lexer import Engine

_ENGINE = Engine.POSTGRESQL


def alter_table(cursor: Cursor) -> Iterable[Change]:
    """ALTER TABLE, with all its actions."""
    cursor.take("if", "exists")
    cursor.take("only")
    table = cursor.name()
    cursor.take("*")
    if cursor.take("rename"):
        return [_rename(cursor, table)]
    found: list[Change] = []
    while True:
        found.append(_action(cursor, table))
        if not cursor.take(","):
            return _at_once(found)


def _at_once(found: list[Change]) -> list[Change]:
    """The actions of one statement: what allows NULL comes first, and a default that is given anew is not lost."""
    given = [one.column for one in found if isinstance(one, SetDefault)]
    kept = [one for one in found if not (isinstance(one, DropDefault) and one.column in given)]
    return sorted(kept, key=lambda one: not isinstance(one, DropNotNull))


def _rename(cursor: Cursor, table: str) -> Change:
    if cursor.take("to"):
        return Rename(table=table, what="table", old=table, new=cursor.name())
    if cursor.take("constraint"):
        name = cursor.part()
        cursor.want("to")
        return RenameConstraint(table=table, old=name, new=cursor.part())
    cursor.take("column")
    old = cursor.part()
    cursor.want("to")
    return Rename(table=table, what="column", old=old, new=cursor.part())


def _action(cursor: Cursor, table: str) -> Change:
    if cursor.take("add"):
        return _add(cursor, table)
    if cursor.take("alter"):
        return _alter(cursor, table)
    if cursor.take("drop"):
        return _drop(cursor, table)
    if cursor.take("validate", "constraint"):
        return Validate(table=table, name=cursor.part())
    if cursor.take("attach", "partition"):
        part = cursor.name()
        cursor.skip()
        return Attach(table=part, parent=table)
    if cursor.take("detach", "partition"):
        part = cursor.name()
        if cursor.take_any("concurrently", "finalize"):
            return Concurrent(table=table, what="DETACH PARTITION CONCURRENTLY")
        return Lock(
            table=table,
            what=f"DETACH PARTITION takes ACCESS EXCLUSIVE, and the rows of {part} are gone from {table}",
            remedy="write DETACH PARTITION … CONCURRENTLY, once no release reads those rows",
        )
    if cursor.take("set", "schema"):
        return Rename(table=table, what="table", old=table, new=f"{cursor.part()}.{table.rpartition('.')[2]}")
    for words, what in _REWRITES.items():
        if cursor.take(*words.split()):
            if words.endswith(("tablespace", "method")):
                cursor.part()
            return Rewrite(table=table, what=what)
    for words in _MOMENTS:
        if cursor.take(*words.split()):
            cursor.until()
            return Harmless(table=table, exclusive=words != "set (" and words not in _WEAK)
    raise NotReadError(cursor.rest())


_REWRITES = {
    "set logged": "SET LOGGED writes the table to the log",
    "set unlogged": "SET UNLOGGED writes the table anew, and its rows are lost in a crash",
    "set tablespace": "SET TABLESPACE copies the table",
    "set access method": "SET ACCESS METHOD writes the table anew",
}
_WEAK = frozenset({"cluster on", "set without cluster"})
_MOMENTS = (
    *("owner to", "replica identity", "cluster on", "set without cluster", "set without oids"),
    *("enable trigger", "enable always trigger", "enable replica trigger", "inherit", "no inherit"),
    "reset",
    "set",
)


def _add(cursor: Cursor, table: str) -> Change:
    named = cursor.take("constraint")
    name = cursor.part() if named else ""
    if named or cursor.sees_any(frozenset({"check", "foreign", "primary", "exclude"})) or _sees_unique(cursor):
        return constraint(cursor, table, name)
    cursor.take("column")
    cursor.take("if", "not", "exists")
    return AddColumn(table=table, column=column(cursor, _ENGINE, cursor.part()))


def _sees_unique(cursor: Cursor) -> bool:
    return cursor.sees("unique", "(") or cursor.sees("unique", "using") or cursor.sees("unique", "nulls")


def part_of_table(cursor: Cursor, table: str) -> Constraint | CreateIndex | None:
    """A constraint in the parentheses of CREATE TABLE. None: it is none, or not read."""
    try:
        return constraint(cursor, table, cursor.part() if cursor.take("constraint") else "")
    except NotReadError:  # the table is new: nothing is judged by it
        return None


def constraint(cursor: Cursor, table: str, name: str) -> Constraint:
    """A constraint of a table, from its kind on."""
    start = cursor.at
    kind = cursor.take_any("check", "foreign key", "unique", "primary key", "exclude", "not null")
    columns: tuple[str, ...] = ()
    target = not_null = ""
    index = ""
    if kind == "check":
        inside = cursor.group()
        not_null = _asks_for_a_value(inside)
    elif kind == "foreign key":
        columns = cursor.columns()
        cursor.want("references")
        target = cursor.name()
        references(cursor)
    elif kind in ("unique", "primary key"):
        if cursor.take("nulls"):
            cursor.take("not")
            cursor.want("distinct")
        if cursor.take("using", "index"):
            index = cursor.part()
        else:
            columns = cursor.columns()
            if cursor.take("include"):
                cursor.group()
    elif kind == "not null":
        not_null = cursor.part()
        columns = (not_null,)
    elif kind != "exclude":
        raise NotReadError(cursor.rest())
    end = cursor.at
    valid = True
    while not cursor.ended and not cursor.sees(","):
        if cursor.take("not", "valid") or cursor.take("not", "enforced"):
            valid = False
        elif kind == "exclude" or cursor.take("with") or cursor.take("where"):
            cursor.until()
        elif cursor.take("using", "index", "tablespace"):
            cursor.part()
        elif not cursor.take_any(*_AFTER_A_CONSTRAINT):
            raise NotReadError(cursor.rest())
    return Constraint(
        table=table,
        kind=kind,
        name=name,
        valid=valid,
        index=index,
        columns=columns,
        references=target,
        not_null=not_null,
        text=written(cursor.tokens[start:end]),
    )


_AFTER_A_CONSTRAINT = (
    *("deferrable", "not deferrable", "initially deferred", "initially immediate", "no inherit", "enforced"),
)


def _asks_for_a_value(inside: tuple[object, ...]) -> str:
    """The column of `column IS NOT NULL`, alone or in more parentheses. Empty: the CHECK asks for something else."""
    cursor = Cursor(inside)  # type: ignore[arg-type]
    while cursor.sees("("):
        cursor = Cursor(cursor.group())
    try:
        name = cursor.part()
    except NotReadError:
        return ""
    return name if cursor.take("is", "not", "null") and cursor.ended else ""


def _alter(cursor: Cursor, table: str) -> Change:
    if cursor.take("constraint"):
        cursor.part()
        cursor.until()
        return Harmless(table=table, exclusive=True)
    cursor.take("column")
    name = cursor.part()
    if cursor.take("set", "data", "type") or cursor.take("type"):
        return _type(cursor, table, name)
    if cursor.take("set", "not", "null"):
        return SetNotNull(table=table, column=name)
    if cursor.take("set", "expression"):
        cursor.until()
        return Rewrite(table=table, what="SET EXPRESSION computes the column anew")
    if cursor.take("drop", "not", "null"):
        return DropNotNull(table=table, column=name)
    if cursor.take("drop") and (what := cursor.take_any("default", "identity", "expression")):
        return DropDefault(table=table, column=name, what=what, if_exists=cursor.take("if", "exists"))
    if cursor.take("set", "default"):
        text = cursor.until()
        default = default_of(text, _ENGINE)
        if default is Default.NONE:
            return DropDefault(table=table, column=name)
        return SetDefault(table=table, column=name, default=default, text=written(text))
    if cursor.take("add", "generated"):
        cursor.until()
        return Harmless(table=table, exclusive=True)
    if cursor.take("restart"):
        cursor.take("with")
        return Restart(table=f"{table}.{name}", to=written(cursor.until()) if not cursor.ended else "")
    if cursor.take("set") or cursor.take("reset"):
        if not cursor.until():
            raise NotReadError("the end")
        return Harmless(table=table, exclusive=True)
    raise NotReadError(cursor.rest())


def _type(cursor: Cursor, table: str, name: str) -> Change:
    new = type_of(cursor, _ENGINE)
    collation = ""
    if cursor.take("collate"):
        collation = cursor.name().rpartition(".")[2]
    using = False
    if cursor.take("using"):
        using = _is_cast(cursor.until(), name, new)
    changed = Column(name=name, type=new, collation=collation)
    return ChangeColumn(table=table, column=changed, type_alone=True, using=using)


def _is_cast(tokens: tuple[object, ...], name: str, new: str) -> bool:
    """Whether USING computes something else than a cast to the new type."""
    text = written(tokens).replace('"', "").strip("()")  # type: ignore[arg-type]
    return text not in (f"{name}::{new}", name, f"{name})::{new}")


def _drop(cursor: Cursor, table: str) -> Change:
    if cursor.take("constraint"):
        cursor.take("if", "exists")
        name = cursor.part()
        cursor.take_any("cascade", "restrict")
        return DropConstraint(table=table, name=name)
    cursor.take("column")
    cursor.take("if", "exists")
    name = cursor.part()
    cursor.take_any("cascade", "restrict")
    return DropColumn(table=table, column=name)


STATEMENTS: Mapping[str, Callable[[Cursor], Iterable[Change]]] = {
    "alter table": alter_table,
    "create index": lambda cursor: objects.create_index(cursor, unique=False),
    "create unique index": lambda cursor: objects.create_index(cursor, unique=True),
    "drop index": objects.drop_index,
    "alter type": objects.alter_type,
    "alter view": objects.alter_view("view"),
    "alter materialized view": objects.alter_view("materialized view"),
    "alter sequence": objects.alter_sequence,
    "alter index": objects.alter_index,
    **{f"alter {what}": objects.alter_other(what) for what in objects.OTHERS},
    "refresh materialized view": objects.refresh,
    "reindex": objects.reindex,
    "vacuum": objects.vacuum,
    "cluster": objects.cluster,
    "create materialized view": objects.table_of_data,
    "create unlogged table": objects.table_of_data,
    "create temp table": objects.table_of_data,
    "copy": objects.copy,
    "drop owned by": objects.drop_owned,
    "create type": objects.create_type,
    "create rule": objects.create_rule,
    "create or replace rule": objects.create_rule,
    "reset": objects.reset,
    "discard": objects.reset,
    "alter role": objects.alter_login,
    "alter user": objects.alter_login,
    "alter database": objects.alter_database,
}
HARMLESS = (
    *("create sequence", "create extension", "create domain", "create policy", "create aggregate"),
    *("create or replace function", "create or replace procedure", "create or replace trigger", "create cast"),
    *("create constraint trigger", "create event trigger", "create publication", "create subscription"),
    *("create statistics", "create collation", "create operator"),
    *(
        "create text search",
        "create foreign data wrapper",
        "create server",
        "create foreign table",
        "create user mapping",
    ),
    *("create group", "create recursive view", "create or replace recursive view", "create temp view"),
    *("comment on", "listen", "notify", "unlisten", "checkpoint"),
    *("alter default privileges", "alter extension", "alter publication", "alter statistics", "security label"),
)
DROPS = {
    "drop materialized view": "materialized view",
    "drop type": "type",
    "drop domain": "domain",
    "drop sequence": "sequence",
    "drop extension": "extension",
    "drop policy": "policy",
    "drop rule": "rule",
    "drop aggregate": "aggregate",
    "drop publication": "publication",
    "drop foreign table": "foreign table",
}
