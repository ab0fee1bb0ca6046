"""Whether another type of a column is more than a note in the catalogue (pure)."""

import re
from enum import StrEnum

from tierstack.migration.changes import Column
from tierstack.migration.lexer import Engine


class Effect(StrEnum):
    """What a change of a column's type does."""

    NONE = "none"
    """The old release works as before, and no row is touched."""
    REBUILD = "rebuild"
    """MySQL: the table is written anew, and writes go on."""
    CHANGE = "change"
    """The table is written anew while nobody writes, or the old release is refused."""
    UNKNOWN = "unknown"


_TYPE = re.compile(r"(?P<name>[a-z][a-z0-9_ ]*)\s*(?:\((?P<arguments>.*)\))?(?P<rest>.*)", re.DOTALL)
_ALIASES = {
    "character varying": "varchar",
    "character": "char",
    "bit varying": "varbit",
    "int4": "integer",
    "int": "integer",
    "int8": "bigint",
    "int2": "smallint",
    "bool": "boolean",
    "decimal": "numeric",
    "float8": "double precision",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
}
_BYTES = 4
"""Of a character in utf8mb4."""


def effect(old: Column | None, new: Column, engine: Engine, *, using: bool = False) -> Effect:
    """What it does to give the column `old` the definition `new`; `old` None: it is not known."""
    if old is None:
        return Effect.UNKNOWN
    if using:
        return Effect.CHANGE
    if engine is Engine.POSTGRESQL:
        return Effect.NONE if _same(old, new) or _widens_postgresql(old.type, new.type) else Effect.CHANGE
    if not (_same(old, new) or _widens_mysql(old.type, new.type)):
        return Effect.CHANGE
    if new.not_null and not old.not_null:
        return Effect.CHANGE
    # The place in the table, or NULL: a rebuild beside which writes go on.
    return Effect.REBUILD if old.not_null != new.not_null or new.placed else Effect.NONE


def _split(type_: str) -> tuple[str, str, str]:
    text = type_.replace("timestamp(0) without time zone", "timestamp(0)")
    match = _TYPE.fullmatch(text)
    if not match:
        return text, "", ""
    name = match["name"].strip()
    rest = match["rest"].strip()
    if name == "timestamp" and rest == "with time zone":
        name, rest = "timestamptz", ""
    if name == "timestamp" and rest == "without time zone":
        rest = ""
    return _ALIASES.get(name, name), (match["arguments"] or "").replace(" ", ""), rest


def _same(old: Column, new: Column) -> bool:
    return _split(old.type) == _split(new.type)


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def _widens_postgresql(old: str, new: str) -> bool:
    """Types between which PostgreSQL keeps the rows as they are, and that hold all that the old one holds."""
    (name, arguments, rest), (to, wider, to_rest) = _split(old), _split(new)
    if rest or to_rest:
        return False
    if name == "varchar" and to in ("varchar", "text"):
        if to == "text" or not wider:
            return True
        was, becomes = _number(arguments), _number(wider)
        return was is not None and becomes is not None and becomes >= was
    if (name, to) in (("text", "varchar"), ("cidr", "inet")):
        return not wider
    if name == to == "numeric":
        if not wider:
            return True
        was, becomes = arguments.split(","), wider.split(",")
        return len(was) == len(becomes) == 2 and was[1] == becomes[1] and int(becomes[0]) >= int(was[0])
    if name == to and name in ("timestamp", "timestamptz", "time", "varbit"):
        was, becomes = _number(arguments), _number(wider)
        return becomes is None or (was is not None and becomes >= was)
    return False


def _widens_mysql(old: str, new: str) -> bool:
    (name, arguments, rest), (to, wider, to_rest) = _split(old), _split(new)
    if rest != to_rest or name != to:
        return False
    if name in ("varchar", "varbinary"):
        was, becomes = _number(arguments), _number(wider)
        if was is None or becomes is None or becomes < was:
            return False
        size = _BYTES if name == "varchar" else 1
        return (was * size > 255) == (becomes * size > 255)  # the length before the text has one byte or two
    if name in ("enum", "set"):
        return wider.startswith(arguments)
    return name in ("integer", "bigint", "smallint", "tinyint", "mediumint")  # the width of the display
