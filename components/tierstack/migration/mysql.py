"""What statements of MySQL alone change (pure). Algorithms and locks: MySQL 8.4, Online DDL Operations;
tests/migration/docker asks a real server for each."""

from collections.abc import Callable, Iterable, Mapping

from tierstack.migration import mysql_objects as objects
from tierstack.migration.changes import (
    AddColumn,
    Change,
    ChangeColumn,
    Charset,
    Constraint,
    CreateIndex,
    DropColumn,
    DropConstraint,
    DropDefault,
    DropIndex,
    DropPrimaryKey,
    Empty,
    Harmless,
    Rename,
    Rewrite,
    SetDefault,
)
from tierstack.migration.columns import column, default_of, references, unquoted
from tierstack.migration.cursor import Cursor, NotReadError, parts, written
from tierstack.migration.lexer import Engine, Kind

_ENGINE = Engine.MYSQL


def alter_table(cursor: Cursor) -> Iterable[Change]:
    """ALTER TABLE, with all its actions and options."""
    table = cursor.name()
    found: list[Change] = []
    algorithm = lock = ""
    while not cursor.ended:
        if cursor.take("algorithm"):
            cursor.take("=")
            algorithm = cursor.part()
        elif cursor.take("lock"):
            cursor.take("=")
            lock = cursor.part()
        elif not cursor.take(","):
            found += _action(cursor, table)
    return _at_once(objects.as_asked(_with_keys(found), table, algorithm, lock), table)


def _at_once(found: list[Change], table: str) -> list[Change]:
    """The changes, of which the server writes the table anew once."""
    rewrites = [one for one in found if isinstance(one, Rewrite)]
    if len(rewrites) < 2:
        return found
    blocks = any(one.blocks for one in rewrites)
    what = "; ".join(dict.fromkeys(one.what for one in rewrites if one.blocks or not blocks))
    return [*(one for one in found if one not in rewrites), Rewrite(table=table, what=what, blocks=blocks)]


def _with_keys(found: list[Change]) -> list[Change]:
    """DROP PRIMARY KEY with ADD PRIMARY KEY in one statement is another thing than alone."""
    adds = [one for one in found if isinstance(one, Constraint) and one.kind == "primary key"]
    drops = [one for one in found if isinstance(one, DropPrimaryKey)]
    if not (adds and drops):
        return found
    rebuilt = Rewrite(table=adds[0].table, what="another PRIMARY KEY writes the table anew", blocks=False)
    return [*(one for one in found if one not in (*adds, *drops)), rebuilt]


def _action(cursor: Cursor, table: str) -> list[Change]:
    for word, reader in _ACTIONS.items():
        if cursor.take(*word.split()):
            return reader(cursor, table)
    return [_option(cursor, table)]


def _add(cursor: Cursor, table: str) -> list[Change]:
    if cursor.take("partition"):
        return _add_partition(cursor, table)
    name = ""
    if cursor.take("constraint") and not cursor.sees_any(frozenset({"check", "foreign", "primary", "unique"})):
        name = cursor.part()
    if kind := cursor.take_any("fulltext", "spatial"):
        return [_index(cursor, table, kind=kind)]
    if cursor.take("unique"):
        return [_index(cursor, table, unique=True)]
    if cursor.sees("index") or cursor.sees("key"):
        return [_index(cursor, table)]
    start = cursor.at
    if cursor.take("primary", "key"):
        if cursor.take("using"):
            cursor.part()
        columns = cursor.columns()
        objects.index_options(cursor)
        return [Constraint(table=table, kind="primary key", name=name, columns=columns)]
    if cursor.take("foreign", "key"):
        if not cursor.sees("("):
            cursor.part()
        columns = cursor.columns()
        cursor.want("references")
        target = cursor.name()
        references(cursor)
        text = written(cursor.tokens[start : cursor.at])
        return [Constraint(table=table, kind="foreign key", name=name, columns=columns, references=target, text=text)]
    if cursor.take("check"):
        cursor.group()
        enforced = not cursor.take("not", "enforced")
        cursor.take("enforced")
        text = written(cursor.tokens[start : cursor.at])
        return [Constraint(table=table, kind="check", name=name, valid=enforced, text=text)]
    cursor.take("column")
    if cursor.sees("("):
        return [
            AddColumn(table=table, column=column(inner, _ENGINE, inner.part()))
            for inner in map(Cursor, parts(cursor.group()))
        ]
    return [AddColumn(table=table, column=column(cursor, _ENGINE, cursor.part()))]


def part_of_table(cursor: Cursor, table: str) -> Constraint | CreateIndex | None:
    """A constraint or an index in the parentheses of CREATE TABLE. None: it is not read."""
    try:
        (found,) = _add(cursor, table)
    except (NotReadError, ValueError):  # the table is new: nothing is judged by it
        return None
    return found if isinstance(found, Constraint | CreateIndex) else None


def _index(cursor: Cursor, table: str, *, unique: bool = False, kind: str = "") -> CreateIndex:
    cursor.take_any("index", "key")
    start = cursor.at
    name = "" if cursor.sees("(") or cursor.sees("using") else cursor.part()
    if cursor.take("using"):
        cursor.part()
    names = frozenset(one.text.lower() for one in cursor.group() if one.kind in (Kind.WORD, Kind.NAME))
    objects.index_options(cursor)
    text = written(cursor.tokens[start : cursor.at])
    return CreateIndex(table=table, name=name, unique=unique, kind=kind, names=names, text=text)


def _add_partition(cursor: Cursor, table: str) -> list[Change]:
    if cursor.sees("("):
        cursor.group()
        return [Harmless(table=table)]
    cursor.want("partitions")
    cursor.next()
    return [Rewrite(table=table, what="ADD PARTITION PARTITIONS spreads the rows anew")]


def _drop(cursor: Cursor, table: str) -> list[Change]:
    if cursor.take("primary", "key"):
        return [DropPrimaryKey(table=table)]
    if cursor.take_any("index", "key"):
        return [DropIndex(table=table, name=cursor.part())]
    if cursor.take_any("foreign key", "constraint", "check"):
        return [DropConstraint(table=table, name=cursor.part())]
    if cursor.take("partition"):
        return [Empty(table=table, what=f"DROP PARTITION {', '.join(cursor.names())}")]
    cursor.take("column")
    return [DropColumn(table=table, column=cursor.part())]


def _modify(cursor: Cursor, table: str) -> list[Change]:
    cursor.take("column")
    return [ChangeColumn(table=table, column=column(cursor, _ENGINE, cursor.part()))]


def _change(cursor: Cursor, table: str) -> list[Change]:
    cursor.take("column")
    old, new = cursor.part(), cursor.part()
    changed = ChangeColumn(table=table, column=column(cursor, _ENGINE, old), renamed=old.lower() != new.lower())
    renamed = [Rename(table=table, what="column", old=old, new=new)] if changed.renamed else []
    return [changed, *renamed]


def _rename(cursor: Cursor, table: str) -> list[Change]:
    if cursor.take("column"):
        old = cursor.part()
        cursor.want("to")
        return [Rename(table=table, what="column", old=old, new=cursor.part())]
    if cursor.take_any("index", "key"):
        cursor.part()
        cursor.want("to")
        cursor.part()
        return [Harmless(table=table)]
    cursor.take_any("to", "as")
    return [Rename(table=table, what="table", old=table, new=cursor.name())]


def _alter(cursor: Cursor, table: str) -> list[Change]:
    if cursor.take("index"):
        cursor.part()
        if not cursor.take_any("visible", "invisible"):
            raise NotReadError(cursor.rest())
        return [Harmless(table=table)]
    if cursor.take_any("check", "constraint"):
        cursor.part()
        if cursor.take("not", "enforced"):
            return [Harmless(table=table)]
        cursor.want("enforced")
        return [Constraint(table=table, kind="check")]
    cursor.take("column")
    name = cursor.part()
    if cursor.take("drop", "default"):
        return [DropDefault(table=table, column=name)]
    if cursor.take_any("set visible", "set invisible"):
        return [Harmless(table=table)]
    cursor.want("set", "default")
    text = cursor.until()
    return [SetDefault(table=table, column=name, default=default_of(text, _ENGINE), text=written(text))]


def _rest_of_partitions(what: str) -> Callable[[Cursor, str], list[Change]]:
    def reader(cursor: Cursor, table: str) -> list[Change]:
        cursor.skip()
        return [Rewrite(table=table, what=what)]

    return reader


def _truncate_partition(cursor: Cursor, table: str) -> list[Change]:
    return [Empty(table=table, what=f"TRUNCATE PARTITION {', '.join(cursor.names())}")]


def _exchange(cursor: Cursor, table: str) -> list[Change]:
    cursor.skip()
    return [Empty(table=table, what="EXCHANGE PARTITION")]


def _convert(cursor: Cursor, table: str) -> list[Change]:
    cursor.take_any("character set", "charset")
    charset = unquoted(cursor.next())
    collation = unquoted(cursor.next()) if cursor.take("collate") else ""
    return [
        Rewrite(table=table, what="CONVERT TO CHARACTER SET copies the table"),
        Charset(table=table, charset=charset, collation=collation, convert=True),
    ]


def _order(cursor: Cursor, table: str) -> list[Change]:
    cursor.until(commas=False)
    return [Rewrite(table=table, what="ORDER BY copies the table")]


def _force(_cursor: Cursor, table: str) -> list[Change]:
    return [Rewrite(table=table, what="FORCE writes the table anew", blocks=False)]


def _keys(_cursor: Cursor, table: str) -> list[Change]:
    return [Harmless(table=table)]


_ACTIONS: Mapping[str, Callable[[Cursor, str], list[Change]]] = {
    "add": _add,
    "drop": _drop,
    "modify": _modify,
    "change": _change,
    "rename": _rename,
    "alter": _alter,
    "convert to": _convert,
    "order by": _order,
    "force": _force,
    "enable keys": _keys,
    "disable keys": _keys,
    "partition by": _rest_of_partitions("PARTITION BY copies the table into partitions"),
    "remove partitioning": _rest_of_partitions("REMOVE PARTITIONING copies the table"),
    "reorganize partition": _rest_of_partitions("REORGANIZE PARTITION copies the partitions"),
    "coalesce partition": _rest_of_partitions("COALESCE PARTITION copies the partitions"),
    "rebuild partition": _rest_of_partitions("REBUILD PARTITION copies the partitions"),
    "optimize partition": _rest_of_partitions("OPTIMIZE PARTITION copies the whole table"),
    "truncate partition": _truncate_partition,
    "exchange partition": _exchange,
}
_REBUILDING = {"engine": "ENGINE", "row_format": "ROW_FORMAT", "key_block_size": "KEY_BLOCK_SIZE"}
_PLAIN_OPTIONS = frozenset(
    {
        *("auto_increment", "comment", "stats_persistent", "stats_auto_recalc", "stats_sample_pages", "max_rows"),
        *(
            "min_rows",
            "avg_row_length",
            "checksum",
            "delay_key_write",
            "engine_attribute",
            "secondary_engine_attribute",
        ),
        *("autoextend_size",),
    }
)


def _option(cursor: Cursor, table: str) -> Change:
    if charset := objects.charset(cursor):
        return Charset(table=table, charset=charset[0], collation=charset[1])
    name = cursor.part()
    if name in _REBUILDING or name in _PLAIN_OPTIONS:
        cursor.take("=")
        cursor.next()
        if name in _PLAIN_OPTIONS:
            return Harmless(table=table)
        return Rewrite(table=table, what=f"{_REBUILDING[name]} writes the table anew", blocks=False)
    cursor.at -= 1
    raise NotReadError(cursor.rest())


STATEMENTS: Mapping[str, Callable[[Cursor], Iterable[Change]]] = {"alter table": alter_table, **objects.STATEMENTS}
HARMLESS = objects.HARMLESS
DROPS = objects.DROPS
