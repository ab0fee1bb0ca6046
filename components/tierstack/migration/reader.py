"""From a statement to what it changes (pure). What is not known to the last token is `Unknown`: never harmless."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence

from tierstack.migration import mysql, mysql_objects, postgresql
from tierstack.migration.changes import (
    Change,
    Column,
    Constraint,
    CreateIndex,
    CreateTable,
    Drop,
    Empty,
    Harmless,
    Lock,
    Restart,
    Revoke,
    Setting,
    Transaction,
    Unknown,
    UpdateAll,
)
from tierstack.migration.columns import column
from tierstack.migration.conditions import rows_of
from tierstack.migration.cursor import Cursor, NotReadError, parts, shortened, written
from tierstack.migration.lexer import Engine, Kind, Statement, Token
from tierstack.migration.session import set_variables

Reader = Callable[[Cursor, Engine], Iterable[Change]]

_WRITES = frozenset({"insert", "update", "delete", "merge", "truncate", "drop", "alter", "create"})
_KNOWN_CALLS = frozenset(
    {
        *("setval", "set_config", "currval", "nextval", "exists", "count", "max", "min", "sum", "coalesce", "version"),
        *("now", "current_setting", "pg_advisory_lock", "pg_advisory_unlock", "pg_advisory_xact_lock", "database"),
        *("pg_try_advisory_lock", "pg_catalog.set_config", "pg_catalog.setval", "schema", "current_database"),
        *("get_lock", "release_lock", "last_insert_id", "found_rows", "row_count", "to_regclass", "concat", "if"),
        *("current_schema", "cast", "length", "lower", "upper", "greatest", "least", "nullif", "pg_sleep", "sleep"),
        *("values", "in", "as", "over", "and", "or", "not", "on", "using", "between", "when", "then", "else", "any"),
        *("pg_get_serial_sequence", "user", "current_user", "connection_id", "ifnull", "information_schema"),
    }
)
"""Functions that change no table; of another one, a SELECT without FROM may be there for what it does."""

_ACTING_CALLS = frozenset(
    {
        *("pg_terminate_backend", "pg_cancel_backend", "pg_drop_replication_slot", "pg_switch_wal", "pg_reload_conf"),
        *("drop_chunks", "lo_unlink", "dblink_exec", "pg_promote", "pg_wal_replay_pause"),
    }
)
"""Functions that do something to others, also where a SELECT calls them for each row of a table."""


def read(statement: Statement, engine: Engine) -> list[Change]:
    """All that a statement changes."""
    if statement.unread:
        return [Unknown(why=statement.unread)]
    cursor = Cursor(statement.tokens)
    try:
        found = [*_by_first_word(cursor, engine)]
        cursor.end()
    except NotReadError as problem:
        return [Unknown(why=f"at `{shortened(str(problem), 40)}`")]
    return found


def _by_first_word(cursor: Cursor, engine: Engine) -> Iterable[Change]:
    for words, reader in _READERS[engine].items():
        if cursor.take(*words.split()):
            return reader(cursor, engine)
    raise NotReadError(cursor.rest())


def _harmless(cursor: Cursor, _engine: Engine) -> Iterable[Change]:
    cursor.skip()
    return [Harmless()]


def _begin(cursor: Cursor, _engine: Engine) -> Iterable[Change]:
    cursor.skip()
    return [Transaction(begins=True)]


def _finish(cursor: Cursor, _engine: Engine) -> Iterable[Change]:
    if any(one.is_("to") for one in cursor.tokens):  # ROLLBACK TO SAVEPOINT
        cursor.skip()
        return [Harmless()]
    undone = cursor.tokens[0].is_("rollback") or cursor.tokens[0].is_("abort")
    cursor.skip()
    return [Transaction(begins=False, undone=undone)]


def _query(cursor: Cursor, engine: Engine) -> Iterable[Change]:
    """SELECT, VALUES, WITH, EXPLAIN: a query changes nothing, unless a function or a part of it does."""
    tokens = cursor.tokens
    begins = frozenset({"(", ")", "explain", "analyze"})
    if any(
        one.kind is Kind.WORD and one.text in _WRITES and before.text in begins
        for before, one in itertools.pairwise(tokens)
    ):
        raise NotReadError("a query that also writes")
    reads = any(one.is_("from") for one in tokens)
    for one, after in itertools.pairwise(tokens):
        called = after.is_("(") and one.kind in (Kind.WORD, Kind.NAME)
        if called and (one.text in _ACTING_CALLS or (not reads and one.text not in _KNOWN_CALLS)):
            raise NotReadError(f"{one.text}(…), which may do anything")
    call = _call(Cursor(tokens[cursor.at :]))
    cursor.skip()
    return [call or Harmless()]


def _call(cursor: Cursor) -> Change | None:
    """What a SELECT of one function with literals does: `set_config`, `setval`. None: nothing that matters here."""
    cursor.take("pg_catalog", ".")
    word = cursor.take_any("set_config", "setval")
    if not word or not cursor.sees("("):
        return None
    arguments = [one[0] for one in parts(cursor.group()) if len(one) == 1]
    if word == "set_config" and len(arguments) == 3:
        name, value, local = (one.text.strip("'").lower() for one in arguments)
        return Setting(name=name, value=value, local=local == "true")
    if word == "setval" and len(arguments) > 1 and arguments[1].kind is Kind.NUMBER:
        return Restart(table=arguments[0].text.strip("'"), to=arguments[1].text)
    return None


def _delete(cursor: Cursor, _engine: Engine) -> Iterable[Change]:
    if not cursor.take("from"):
        raise NotReadError(cursor.rest())  # DELETE of several tables
    cursor.take("only")
    table = cursor.name()
    where = rows_of(cursor)
    return [Empty(table=table, what="DELETE of all rows", where=where) if where else Harmless(table=table)]


def _update(cursor: Cursor, engine: Engine) -> Iterable[Change]:
    if engine is Engine.POSTGRESQL:
        cursor.take("only")
    else:
        cursor.take("ignore")
    table = cursor.name()
    while not cursor.ended and not cursor.sees("set"):
        cursor.next()
    cursor.take("set")
    start = cursor.at
    where = rows_of(cursor)
    assigned = _before_where(cursor.tokens[start:])
    if where:
        return [UpdateAll(table=table, assigned=written(assigned), where=where)]
    names = [one[0].text.lower() for one in parts(assigned) if len(one) > 1 and one[1].is_("=")]
    return [Harmless(table=table, writes=tuple(names))]


def _before_where(tokens: Sequence[Token]) -> Sequence[Token]:
    """What an UPDATE assigns."""
    return Cursor(tokens).until(frozenset({"where", "limit", "order", "returning", "from"}), commas=False)


def _truncate(cursor: Cursor, _engine: Engine) -> Iterable[Change]:
    cursor.take("table")
    cursor.take("only")
    tables = cursor.names()
    cursor.take("*")
    while cursor.take_any("restart identity", "continue identity", "cascade", "restrict"):
        pass
    return [Empty(table=one, what="TRUNCATE") for one in tables]


def _create_table(cursor: Cursor, engine: Engine) -> Iterable[Change]:
    cursor.take("if", "not", "exists")
    table = cursor.name()
    if not cursor.sees("("):  # AS, LIKE, PARTITION OF: a new table all the same
        cursor.skip()
        return [CreateTable(table=table)]
    inside = parts(cursor.group())
    columns = [one for part in inside if (one := _column_of(Cursor(part), engine))]
    found = [one for part in inside if (one := _part_of(Cursor(part), engine, table))]
    charset, collation = _charset_of(cursor) if engine is Engine.MYSQL else ("", "")
    partitioned = any(one.is_("partition") for one in cursor.tokens[cursor.at :])
    cursor.skip()
    return [
        CreateTable(
            table=table,
            columns=tuple(columns),
            parts=tuple(found),
            partitioned=partitioned,
            charset=charset,
            collation=collation,
        )
    ]


def _part_of(cursor: Cursor, engine: Engine, table: str) -> Constraint | CreateIndex | None:
    """A constraint or an index beside the columns of a table. None: it is none, or not read."""
    if cursor.ended or not cursor.sees_any(_NO_COLUMN):
        return None
    return (mysql if engine is Engine.MYSQL else postgresql).part_of_table(cursor, table)


def _charset_of(cursor: Cursor) -> tuple[str, str]:
    """The character set and the collation of a new table of MySQL."""
    while not cursor.ended:
        if found := mysql_objects.charset(cursor):
            return found
        cursor.next()
    return "", ""


_NO_COLUMN = frozenset(
    {"constraint", "primary", "unique", "foreign", "check", "exclude", "like", "key", "index", "fulltext", "spatial"}
)


def _column_of(cursor: Cursor, engine: Engine) -> Column | None:
    if cursor.ended or cursor.sees_any(_NO_COLUMN):
        return None
    try:
        return column(cursor, engine, cursor.part())
    except NotReadError:  # the table is new: nothing is judged by it
        return None


def _drop(what: str, effect: Callable[[str], Change] | None = None) -> Reader:
    def reader(cursor: Cursor, engine: Engine) -> Iterable[Change]:
        cursor.take("if", "exists")
        names: list[str] = []
        while True:
            names.append(cursor.name())
            if cursor.sees("("):  # the arguments of a function
                cursor.group()
            if not cursor.take(","):
                break
        if cursor.take("on") or cursor.take("using"):
            cursor.name()
        cursor.take_any("cascade", "restrict")
        return [effect(one) if effect else Drop(table=one, what=what) for one in names]

    return reader


def _revoke(cursor: Cursor, _engine: Engine) -> Iterable[Change]:
    text = written(cursor.tokens)
    cursor.skip()
    return [Revoke(table=text)]


def _lock(cursor: Cursor, engine: Engine) -> Iterable[Change]:
    cursor.take_any("tables", "table")
    if engine is Engine.POSTGRESQL:
        cursor.take("only")
    table = cursor.name()
    mode = cursor.rest()
    cursor.skip()
    return [Lock(table=table, what=f"a lock by hand ({mode or 'access exclusive mode'})", remedy="leave it out")]


_COMMON: Mapping[str, Reader] = {
    "begin": _begin,
    "start transaction": _begin,
    "commit": _finish,
    "end": _finish,
    "rollback": _finish,
    "abort": _finish,
    "savepoint": _harmless,
    "release": _harmless,
    "select": _query,
    "values": _query,
    "(": _query,
    "with": _query,
    "explain": _query,
    "show": _harmless,
    "insert": _harmless,
    "replace": _harmless,
    "delete": _delete,
    "update": _update,
    "truncate": _truncate,
    "set": set_variables,
    "analyze": _harmless,
    "grant": _harmless,
    "revoke": _revoke,
    "create table": _create_table,
    "create temporary table": _create_table,
    "create or replace view": _harmless,
    "create view": _harmless,
    "create schema": _harmless,
    "create database": _harmless,
    "create role": _harmless,
    "create user": _harmless,
    "create trigger": _harmless,
    "create function": _harmless,
    "create procedure": _harmless,
    "drop table": _drop("table"),
    "drop view": _drop("view"),
    "drop database": _drop("database"),
    "drop schema": _drop("schema"),
    "drop function": _drop("function"),
    "drop procedure": _drop("procedure"),
    "drop trigger": _drop("trigger"),
    "drop role": _drop("role"),
    "drop user": _drop("user"),
    "lock": _lock,
    "unlock tables": _harmless,
}


def _for(engine: Engine) -> Mapping[str, Reader]:
    own = postgresql if engine is Engine.POSTGRESQL else mysql
    made: dict[str, Reader] = {}
    for words, reader in own.STATEMENTS.items():
        made[words] = lambda cursor, _engine, reader=reader: reader(cursor)
    for words in own.HARMLESS:
        made[words] = _harmless
    for words, what in own.DROPS.items():
        made[words] = _drop(what)
    return dict(sorted({**_COMMON, **made}.items(), key=lambda pair: -len(pair[0].split())))


_READERS = {engine: _for(engine) for engine in Engine}
