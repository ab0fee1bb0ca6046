"""What statements of PostgreSQL about indexes, types, views and other objects change (pure)."""

from collections.abc import Callable, Iterable

from tierstack.migration.changes import (
    Change,
    Concurrent,
    CreateIndex,
    CreateTable,
    DropIndex,
    Empty,
    Harmless,
    Lock,
    Rename,
    Rewrite,
)
from tierstack.migration.cursor import Cursor, NotReadError, written
from tierstack.migration.lexer import Kind


def create_index(cursor: Cursor, *, unique: bool) -> Iterable[Change]:
    concurrently = cursor.take("concurrently")
    cursor.take("if", "not", "exists")
    start = cursor.at
    name = "" if cursor.sees("on") else cursor.name()
    cursor.want("on")
    cursor.take("only")
    table = cursor.name()
    if cursor.take("using"):
        cursor.part()
    cursor.group()
    cursor.skip()
    text = written(cursor.tokens[start:])
    return [CreateIndex(table=table, name=name, unique=unique, concurrently=concurrently, text=text)]


def drop_index(cursor: Cursor) -> Iterable[Change]:
    concurrently = cursor.take("concurrently")
    cursor.take("if", "exists")
    names = cursor.names()
    cursor.take_any("cascade", "restrict")
    return [DropIndex(name=one, concurrently=concurrently) for one in names]


def alter_type(cursor: Cursor) -> Iterable[Change]:
    name = cursor.name()
    if cursor.take("rename", "to"):
        return [Rename(table=name, what="type", old=name, new=cursor.name())]
    if cursor.take("rename", "value"):
        old = cursor.next().text
        cursor.want("to")
        return [Rename(table=name, what="value", old=old, new=cursor.next().text)]
    if cursor.take("add", "value") or cursor.take("owner", "to"):
        cursor.skip()
        return [Harmless()]
    raise NotReadError(cursor.rest())


def alter_view(what: str) -> Callable[[Cursor], Iterable[Change]]:
    def reader(cursor: Cursor) -> Iterable[Change]:
        cursor.take("if", "exists")
        name = cursor.name()
        if cursor.take("rename", "to"):
            return [Rename(table=name, what=what, old=name, new=cursor.name())]
        if cursor.take("rename"):
            cursor.take("column")
            old = cursor.part()
            cursor.want("to")
            return [Rename(table=name, what="column", old=old, new=cursor.part())]
        if cursor.take("set", "schema"):
            return [Rename(table=name, what=what, old=name, new=f"{cursor.part()}.{name.rpartition('.')[2]}")]
        if what == "sequence" or cursor.take("owner", "to") or cursor.take("alter") or cursor.take("set"):
            cursor.skip()
            return [Harmless()]
        raise NotReadError(cursor.rest())

    return reader


OTHERS = ("function", "procedure", "schema", "database", "role", "user", "policy", "trigger")


def alter_other(what: str) -> Callable[[Cursor], Iterable[Change]]:
    def reader(cursor: Cursor) -> Iterable[Change]:
        name = cursor.name()
        if not any(one.is_("rename") or one.is_("schema") for one in cursor.tokens[cursor.at :]):
            cursor.skip()
            return [Harmless()]
        while not cursor.take("to") and not cursor.take("schema"):
            cursor.next()
        return [Rename(table=name, what=what, old=name, new=cursor.name())]

    return reader


def alter_index(cursor: Cursor) -> Iterable[Change]:
    cursor.skip()
    return [Harmless()]


def refresh(cursor: Cursor) -> Iterable[Change]:
    if cursor.take("concurrently"):
        cursor.name()
        cursor.skip()
        return [Harmless()]
    view = cursor.name()
    cursor.skip()
    return [
        Lock(
            table=view,
            what="REFRESH MATERIALIZED VIEW stops who reads the view until it is computed",
            remedy=f"give the view a unique index and write REFRESH MATERIALIZED VIEW CONCURRENTLY {view}",
            severe=False,
        )
    ]


def reindex(cursor: Cursor) -> Iterable[Change]:
    if cursor.sees("("):
        cursor.group()
    what = cursor.take_any("table", "index", "schema", "database", "system")
    concurrently = cursor.take("concurrently")
    name = "" if cursor.ended else cursor.name()
    if concurrently:
        return [Concurrent(table=name, what="REINDEX CONCURRENTLY")]
    return [
        Lock(
            table=name if what == "table" else "",
            what="REINDEX stops writes, and reads that would use the index, until it is built",
            remedy=f"write REINDEX {what.upper()} CONCURRENTLY {name}",
        )
    ]


def vacuum(cursor: Cursor) -> Iterable[Change]:
    options = cursor.group() if cursor.sees("(") else ()
    full = any(one.is_("full") for one in options) or cursor.take("full")
    cursor.take_any("freeze", "verbose", "analyze")
    table = "" if cursor.ended else cursor.name()
    cursor.skip()
    return [Rewrite(table=table, what="VACUUM FULL writes the table anew") if full else Concurrent(what="VACUUM")]


def cluster(cursor: Cursor) -> Iterable[Change]:
    cursor.take("verbose")
    table = "" if cursor.ended else cursor.name()
    cursor.skip()
    return [Rewrite(table=table, what="CLUSTER writes the table anew, in the order of an index")]


def table_of_data(cursor: Cursor) -> Iterable[Change]:
    """CREATE of something that later statements may use as a table."""
    cursor.take("if", "not", "exists")
    table = cursor.name()
    cursor.skip()
    return [CreateTable(table=table)]


def copy(cursor: Cursor) -> Iterable[Change]:
    if not any(one.is_("stdin") or one.is_("stdout") for one in cursor.tokens) and not any(
        one.kind is Kind.STRING for one in cursor.tokens
    ):
        raise NotReadError(cursor.rest())
    cursor.skip()
    return [Harmless()]


def drop_owned(cursor: Cursor) -> Iterable[Change]:
    name = cursor.name()
    cursor.skip()
    return [Empty(table=name, what="DROP OWNED")]
