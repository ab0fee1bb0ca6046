"""Whether another type of a column is more than a note in the catalogue (pure)."""

import re
from dataclasses import replace
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
    INDEX = "index"
    """PostgreSQL: the rows stay as they are; an index of the column may be built anew."""
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
_BYTES = {
    **dict.fromkeys(("ucs2", "gbk", "gb2312", "sjis", "cp932", "big5", "euckr"), 2),
    **dict.fromkeys(("utf8mb3", "ujis", "eucjpms"), 3),
    **dict.fromkeys(("utf8mb4", "utf16", "utf16le", "utf32", "gb18030"), 4),
}
"""MySQL: the most bytes of a character. All other character sets have one."""
_SERVER_CHARSET = "utf8mb4"
"""Of a table that names none: the default of MySQL from 8.0 on."""
_DEFAULT_COLLATIONS = {
    "utf8mb4": "utf8mb4_0900_ai_ci",
    "latin1": "latin1_swedish_ci",
    "binary": "binary",
}
"""Of the others: with `_general_ci`, as utf8mb3 and ascii have."""
_TEXT = re.compile(r"(?:var)?char\b|character\b|(?:tiny|medium|long)?text\b|enum\b|set\b")


def effect(old: Column | None, new: Column, engine: Engine, *, using: bool = False, indexed: bool = False) -> Effect:
    """What it does to give the column `old` the definition `new`; `old` None: it is not known."""
    if old is None:
        return Effect.UNKNOWN
    if using:
        return Effect.CHANGE
    if engine is Engine.POSTGRESQL:
        if not (_same(old, new) or _widens_postgresql(old.type, new.type)):
            return Effect.CHANGE
        return Effect.INDEX
    stays = same_collation(old, new) or (_takes_four_bytes(old, new) and not indexed)
    if not stays or not (_same(old, new) or _widens_mysql(old, new)) or not _same_border(old, new):
        return Effect.CHANGE
    if new.not_null and not old.not_null:
        return Effect.CHANGE
    # The place in the table, or NULL: a rebuild beside which writes go on.
    return Effect.REBUILD if old.not_null != new.not_null or new.placed else Effect.NONE


def _takes_four_bytes(old: Column, new: Column) -> bool:
    """MySQL: whether utf8mb3 becomes utf8mb4, which holds the same octets (ALTER TABLE, INPLACE; no index)."""
    return (old.charset, new.charset) == ("utf8mb3", "utf8mb4")


def _same_border(old: Column, new: Column) -> bool:
    """MySQL: whether the length before the text of a row has one byte, or two, before and after."""
    (name, arguments, _), (_, wider, _) = _split(old.type), _split(new.type)
    was, becomes = _number(arguments), _number(wider)
    if name not in ("char", "varchar", "varbinary") or was is None or becomes is None:
        return True
    if name == "char" and old.charset == new.charset:
        return True
    return (was * _BYTES.get(old.charset, 1) > 255) == (becomes * _BYTES.get(new.charset, 1) > 255)


def same_collation(old: Column, new: Column) -> bool:
    """Whether both sort and compare alike. MySQL: of columns that `with_charset` made."""
    before, after = ("" if one.collation == "default" else one.collation for one in (old, new))
    return before == after and old.charset == new.charset


def with_charset(column: Column, charset: str, collation: str) -> Column:
    """MySQL: a column with its character set and collation, those of its table where it names none."""
    if not _TEXT.match(column.type):
        return replace(column, charset="", collation="")
    if column.charset or column.collation:
        charset, collation = column.charset, column.collation
    charset = charset or collation.partition("_")[0] or _SERVER_CHARSET
    charset = "utf8mb3" if charset == "utf8" else charset
    if collation.startswith("utf8_"):
        collation = f"utf8mb3_{collation.removeprefix('utf8_')}"
    collation = collation or _DEFAULT_COLLATIONS.get(charset, f"{charset}_general_ci")
    return replace(column, charset=charset, collation=collation)


_INTEGERS = ("tinyint", "smallint", "mediumint", "integer", "bigint")
_TEXTS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext")


def holds_all(old: Column, new: Column, engine: Engine) -> bool:
    """Whether the new type holds each value of the old one, so that the old release works with it."""
    if not (same_collation(old, new) or _takes_four_bytes(old, new)):
        return False
    (name, arguments, rest), (to, wider, to_rest) = _split(old.type), _split(new.type)
    if rest != to_rest:
        return False
    if engine is Engine.POSTGRESQL and _widens_postgresql(old.type, new.type):
        return True
    if name in _INTEGERS and to in _INTEGERS:
        return _INTEGERS.index(name) <= _INTEGERS.index(to)
    if name in _TEXTS and to in _TEXTS:
        was, becomes = _number(arguments), _number(wider)
        if to in ("char", "varchar"):
            return name in ("char", "varchar") and was is not None and becomes is not None and was <= becomes
        return engine is Engine.POSTGRESQL or _TEXTS.index(name) <= _TEXTS.index(to)
    if name == to == "numeric" and len(was_ := arguments.split(",")) == len(new_ := wider.split(",")) == 2:
        whole = int(new_[0]) - int(new_[1]) >= int(was_[0]) - int(was_[1])
        return whole and int(new_[1]) >= int(was_[1])
    return name in ("enum", "set") and name == to and wider.startswith(arguments)


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


def _widens_mysql(old: Column, new: Column) -> bool:
    (name, arguments, rest), (to, wider, to_rest) = _split(old.type), _split(new.type)
    if rest != to_rest or name != to:
        return False
    if name in ("varchar", "varbinary"):
        was, becomes = _number(arguments), _number(wider)
        return was is not None and becomes is not None and becomes >= was
    if name in ("enum", "set"):
        return wider.startswith(arguments)
    return name in ("integer", "bigint", "smallint", "tinyint", "mediumint")  # the width of the display
