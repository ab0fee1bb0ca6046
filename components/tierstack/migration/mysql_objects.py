"""What statements of MySQL about indexes, logins, the server and other objects change (pure)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from tierstack.migration.changes import (
    Change,
    ChangeColumn,
    CreateIndex,
    Drop,
    DropIndex,
    DropPrimaryKey,
    Harmless,
    Lock,
    Rename,
    Revoke,
    Rewrite,
    Server,
    Unknown,
)
from tierstack.migration.columns import unquoted
from tierstack.migration.cursor import Cursor, NotReadError, written
from tierstack.migration.lexer import Kind

_METADATA = (Rewrite, ChangeColumn)
"""What ALGORITHM=INSTANT rules out: the server refuses the statement instead."""


def as_asked(found: list[Change], table: str, algorithm: str, lock: str) -> list[Change]:
    """The changes, by the algorithm and the lock that the statement asks for; the server refuses what it cannot do."""
    if algorithm == "instant":
        found = [one for one in found if not isinstance(one, _METADATA)]
    elif algorithm == "inplace" and lock == "none":
        found = [replace(one, blocks=False) if isinstance(one, Rewrite) else one for one in found]
    if algorithm == "copy":
        found.append(Rewrite(table=table, what="ALGORITHM=COPY copies the table"))
    elif lock in ("shared", "exclusive"):
        found.append(Rewrite(table=table, what=f"LOCK={lock.upper()} stops writes until the statement ends"))
    return found or [Harmless(table=table)]


def index_options(cursor: Cursor) -> None:
    while True:
        if cursor.take("using") or cursor.take("with", "parser"):
            cursor.part()
        elif cursor.take("comment") or cursor.take("key_block_size"):
            cursor.take("=")
            cursor.next()
        elif not cursor.take_any("visible", "invisible"):
            return


def charset(cursor: Cursor) -> tuple[str, str] | None:
    """The character set and the collation of a table's options, one of them or both. None: no such option is next."""
    found = {"charset": "", "collate": ""}
    start = cursor.at
    while True:
        before = cursor.at
        cursor.take("default")
        word = cursor.take_any("character set", "charset", "collate")
        if not word:
            cursor.at = before
            return (found["charset"], found["collate"]) if before > start else None
        cursor.take("=")
        found["collate" if word == "collate" else "charset"] = unquoted(cursor.next())


def _create_index(unique: bool = False, kind: str = "") -> Callable[[Cursor], Iterable[Change]]:
    def reader(cursor: Cursor) -> Iterable[Change]:
        start = cursor.at
        name = cursor.part()
        if cursor.take("using"):
            cursor.part()
        cursor.want("on")
        table = cursor.name()
        names = frozenset(one.text.lower() for one in cursor.group() if one.kind in (Kind.WORD, Kind.NAME))
        index_options(cursor)
        text = f"{name} {written(cursor.tokens[start : cursor.at]).partition(table)[2].strip()}"
        made = CreateIndex(table=table, name=name, unique=unique, kind=kind, names=names, text=text)
        return [made, *_asked(cursor, table)]

    return reader


def _asked(cursor: Cursor, table: str) -> list[Change]:
    """ALGORITHM and LOCK after an index."""
    algorithm = lock = ""
    while not cursor.ended:
        word = cursor.take_any("algorithm", "lock")
        if not word:
            raise NotReadError(cursor.rest())
        cursor.take("=")
        asked = cursor.part()
        algorithm, lock = (asked, lock) if word == "algorithm" else (algorithm, asked)
    return [one for one in as_asked([], table, algorithm, lock) if not isinstance(one, Harmless)]


def _drop_index(cursor: Cursor) -> Iterable[Change]:
    name = cursor.part()
    cursor.want("on")
    table = cursor.name()
    if name == "primary":
        return [DropPrimaryKey(table=table)]
    return [DropIndex(table=table, name=name), *_asked(cursor, table)]


def _rename_tables(cursor: Cursor) -> Iterable[Change]:
    found: list[Change] = []
    while True:
        old = cursor.name()
        cursor.want("to")
        found.append(Rename(table=old, what="table", old=old, new=cursor.name()))
        if not cursor.take(","):
            return found


def _optimize(cursor: Cursor) -> Iterable[Change]:
    cursor.take_any("local", "no_write_to_binlog")
    cursor.want("table")
    return [Rewrite(table=one, what="OPTIMIZE TABLE writes the table anew", blocks=False) for one in cursor.names()]


def _drop_tablespace(cursor: Cursor) -> Iterable[Change]:
    name = cursor.part()
    cursor.skip()
    return [Drop(table=name, what="tablespace")]


def flush(cursor: Cursor) -> Iterable[Change]:
    cursor.take_any("local", "no_write_to_binlog")
    if not cursor.take_any("tables", "table"):
        cursor.skip()  # logs, privileges, status, caches of hosts
        return [Harmless()]
    text = cursor.rest()
    cursor.skip()
    if text.endswith(("with read lock", "for export")):
        what = "FLUSH TABLES … stops all writes until UNLOCK TABLES, and waits for the longest query before it does"
        return [Lock(what=what, remedy="leave it out")]
    what = "FLUSH TABLES waits for the longest query, and all new queries of these tables wait for it"
    return [Lock(what=what, remedy="leave it out: the server closes tables itself", severe=False)]


def reset(cursor: Cursor) -> Iterable[Change]:
    if cursor.take_any("master", "binary logs and gtids"):
        cursor.skip()
        what = "deletes the binary logs: replicas lose their place, and no backup can be brought up to a moment"
        return [Server(what=what, remedy="let the server delete old ones: binlog_expire_logs_seconds")]
    if cursor.take_any("replica", "slave"):
        cursor.skip()
        return [Server(what="takes replication apart", remedy="leave it to who runs the servers")]
    raise NotReadError(cursor.rest())


def purge(cursor: Cursor) -> Iterable[Change]:
    cursor.skip()
    what = "deletes binary logs that replicas and point-in-time recovery may need"
    return [Server(what=what, remedy="let the server delete old ones: binlog_expire_logs_seconds")]


_HARMLESS_FOR_LOGINS = ("account unlock", "retain current password", "discard old password", "password expire never")


def alter_user(cursor: Cursor) -> Iterable[Change]:
    cursor.take("if", "exists")
    name = cursor.next().text
    text = cursor.rest()
    cursor.skip()
    changes = ("identified", "account lock", "password", "require", " max_", "failed_login")
    if any(one in text for one in changes) and not any(one in text for one in _HARMLESS_FOR_LOGINS):
        return [Revoke(table=name.strip("'"), what=f"changes the login {name}", severe=True)]
    return [Harmless()]


def alter_database(cursor: Cursor) -> Iterable[Change]:
    tokens = cursor.tokens
    cursor.skip()
    if any(one.is_("read") for one in tokens) and tokens[-1].text != "0":
        return [Server(what="lets nobody write to the database: READ ONLY", remedy="leave it out")]
    return [Harmless()]


def _create_event(cursor: Cursor) -> Iterable[Change]:
    cursor.skip()
    return [Unknown(why="an event runs by itself, by the clock of the server, what stands in it")]


def alter_event(cursor: Cursor) -> Iterable[Change]:
    off = cursor.tokens[-1].is_("disable")
    cursor.skip()
    return [Harmless()] if off else _create_event(cursor)


def create_by(cursor: Cursor) -> Iterable[Change]:
    """CREATE with a DEFINER, an ALGORITHM or SQL SECURITY before what is made."""
    made = next((one.text for one in cursor.tokens if one.kind is Kind.WORD and one.text in _MADE), "")
    if made == "event":
        return _create_event(cursor)
    if not made:
        raise NotReadError(cursor.rest())
    cursor.skip()
    return [Harmless()]


_MADE = frozenset({"view", "trigger", "procedure", "function", "event"})

STATEMENTS: Mapping[str, Callable[[Cursor], Iterable[Change]]] = {
    "create index": _create_index(),
    "create unique index": _create_index(unique=True),
    "create fulltext index": _create_index(kind="fulltext"),
    "create spatial index": _create_index(kind="spatial"),
    "drop index": _drop_index,
    "rename table": _rename_tables,
    "optimize": _optimize,
    "drop tablespace": _drop_tablespace,
    "flush": flush,
    "reset": reset,
    "purge": purge,
    "alter user": alter_user,
    "alter database": alter_database,
    "alter schema": alter_database,
    "create event": _create_event,
    "alter event": alter_event,
    "create definer": create_by,
    "create algorithm": create_by,
    "create sql security": create_by,
    "create or replace definer": create_by,
    "create or replace algorithm": create_by,
}
HARMLESS = ("use", "check table", "describe", "desc", "load data", "drop temporary table")
DROPS = {"drop event": "event"}
