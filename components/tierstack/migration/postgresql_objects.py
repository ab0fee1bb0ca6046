"""What statements of PostgreSQL about indexes, types, views and other objects change (pure)."""

from collections.abc import Callable, Iterable

from tierstack.migration.changes import (
    AddValue,
    Change,
    Concurrent,
    CreateIndex,
    CreateTable,
    CreateType,
    Drop,
    DropIndex,
    Harmless,
    Lock,
    Refused,
    Rename,
    Restart,
    Revoke,
    Rewrite,
    Server,
    Setting,
    Unknown,
)
from tierstack.migration.cursor import Cursor, NotReadError, written
from tierstack.migration.lexer import Kind


def create_index(cursor: Cursor, *, unique: bool) -> Iterable[Change]:
    concurrently = cursor.take("concurrently")
    if_not_exists = cursor.take("if", "not", "exists")
    start = cursor.at
    name = "" if cursor.sees("on") else cursor.name()
    cursor.want("on")
    only = cursor.take("only")
    table = cursor.name()
    if cursor.take("using"):
        cursor.part()
    inside = cursor.group()
    cursor.skip()
    rest = cursor.tokens[start:]
    made = CreateIndex(
        table=table,
        name=name,
        unique=unique,
        concurrently=concurrently,
        if_not_exists=if_not_exists,
        only=only,
        names=frozenset(one.text.lower() for one in rest if one.kind in (Kind.WORD, Kind.NAME)),
        computed=any(one.is_("(") for one in inside) or any(one.is_("where") for one in rest),
        text=written(rest),
    )
    return [made]


def drop_index(cursor: Cursor) -> Iterable[Change]:
    concurrently = cursor.take("concurrently")
    cursor.take("if", "exists")
    names = cursor.names()
    cascade = cursor.take_any("cascade", "restrict") == "cascade"
    found: list[Change] = [DropIndex(name=one, concurrently=concurrently) for one in names]
    if concurrently and (len(names) > 1 or cascade):
        what = "several indexes" if len(names) > 1 else "an index with CASCADE"
        steps = "; ".join(f"DROP INDEX CONCURRENTLY {one}" for one in names)
        found.append(Refused(what=f"DROP INDEX CONCURRENTLY drops no {what}", remedy=f"write {steps}"))
    return found


def create_type(cursor: Cursor) -> Iterable[Change]:
    name = cursor.name()
    cursor.skip()
    return [CreateType(table=name)]


def create_rule(cursor: Cursor) -> Iterable[Change]:
    cursor.skip()
    return [Unknown(why="a rule does something else or more than the statements that a release sends")]


def alter_type(cursor: Cursor) -> Iterable[Change]:
    name = cursor.name()
    if cursor.take("rename", "to"):
        return [Rename(table=name, what="type", old=name, new=cursor.name())]
    if cursor.take("rename", "value"):
        old = cursor.next().text
        cursor.want("to")
        return [Rename(table=name, what="value", old=old, new=cursor.next().text)]
    if cursor.take("add", "value"):
        cursor.take("if", "not", "exists")
        value = cursor.next().text
        cursor.skip()
        return [AddValue(table=name, value=value)]
    if cursor.take("owner", "to"):
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
        if cursor.take("owner", "to") or cursor.take("alter") or cursor.take("set"):
            cursor.skip()
            return [Harmless()]
        raise NotReadError(cursor.rest())

    return reader


def alter_sequence(cursor: Cursor) -> Iterable[Change]:
    start = cursor.at
    cursor.take("if", "exists")
    name = cursor.name()
    if cursor.sees("rename") or cursor.sees("set", "schema") or cursor.sees("owner", "to"):
        cursor.at = start
        return alter_view("sequence")(cursor)
    found: list[Change] = [Harmless()]
    while not cursor.ended:
        if cursor.take("restart"):
            cursor.take("with")
            negative = cursor.take("-")
            number = not cursor.ended and cursor.tokens[cursor.at].kind is Kind.NUMBER
            found.append(Restart(table=name, to=f"{'-' if negative else ''}{cursor.next().text}" if number else ""))
        elif cursor.take("no", "cycle"):
            pass
        elif cursor.take("cycle"):
            found.append(Restart(table=name))
        else:
            cursor.next()
    return found


_SETTINGS_OF_READERS = frozenset({"search_path", "role", "session_authorization", "default_transaction_read_only"})
"""Settings of a login without which a release finds no table or may not write."""
_MORE_RIGHTS = frozenset(
    {
        *("with", "login", "superuser", "createdb", "createrole", "inherit", "replication", "bypassrls", "connection"),
        "limit",
    }
)


def alter_login(cursor: Cursor) -> Iterable[Change]:
    """ALTER ROLE and ALTER USER."""
    name = cursor.name()
    if cursor.take("rename", "to"):
        return [Rename(table=name, what="role", old=name, new=cursor.name())]
    if cursor.take("in", "database"):
        cursor.part()
    if cursor.sees("set") or cursor.sees("reset"):
        return [_setting_of(cursor, f"role {name}")]
    words = [one.text for one in cursor.tokens[cursor.at :]]
    unlimited = words[words.index("limit") + 1 :][:2] == ["-", "1"] if "limit" in words else True
    takes = [one for one in words if one not in _MORE_RIGHTS and not one.isdigit() and one != "-"]
    cursor.skip()
    if not takes and unlimited:
        return [Harmless()]
    what = takes[0].upper() if takes else "CONNECTION LIMIT"
    return [Revoke(table=name, what=f"changes the login {name} ({what})", severe=True)]


def alter_database(cursor: Cursor) -> Iterable[Change]:
    name = cursor.name()
    if cursor.take("rename", "to"):
        return [Rename(table=name, what="database", old=name, new=cursor.name())]
    if cursor.take("set", "tablespace"):
        cursor.part()
        what = f"SET TABLESPACE copies database {name}, and nobody may be connected meanwhile"
        return [Server(what=what, remedy="do it in a planned downtime")]
    if cursor.sees("set") or cursor.sees("reset"):
        return [_setting_of(cursor, f"database {name}")]
    if any(one.is_("allow_connections") or one.is_("connection") for one in cursor.tokens[cursor.at :]):
        what = f"limits who can connect to database {name}"
        cursor.skip()
        return [Revoke(table=name, what=what, severe=True)]
    if cursor.take_any("owner to", "with", "is_template", "refresh collation version"):
        cursor.skip()
        return [Harmless()]
    raise NotReadError(cursor.rest())


def _setting_of(cursor: Cursor, owner: str) -> Change:
    """ALTER ROLE … SET and ALTER DATABASE … SET, which hold for sessions that begin later."""
    resets = cursor.next().is_("reset")
    setting = cursor.name()
    cursor.skip()
    if setting in _SETTINGS_OF_READERS or (resets and setting == "all"):
        what = f"changes {setting} of {owner} for all sessions that begin later, also those of the release that runs"
        return Server(what=what, remedy="set it in the session or in the connection of the new release")
    return Harmless()


def reset(cursor: Cursor) -> Iterable[Change]:
    """RESET and DISCARD: settings go back to their defaults."""
    names = [one.text for one in cursor.tokens[cursor.at :]]
    cursor.skip()
    return [Setting(name=".".join(one for one in names if one != "."), value="")]


OTHERS = ("function", "procedure", "schema", "policy", "trigger")


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
    names = cursor.names()
    cursor.take_any("cascade", "restrict")
    return [Drop(table=one, what="objects of role") for one in names]
