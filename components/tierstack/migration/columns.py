"""Definitions of columns, in the dialects of both engines (pure)."""

from collections.abc import Sequence

from tierstack.migration.changes import Column, Default
from tierstack.migration.cursor import Cursor, NotReadError, written
from tierstack.migration.lexer import Engine, Kind, Token

_ATTRIBUTES = {
    Engine.POSTGRESQL: frozenset(
        {
            *("not", "null", "default", "constraint", "unique", "primary", "references", "check", "collate"),
            *("generated", "compression", "storage", "deferrable", "initially", "using"),
        }
    ),
    Engine.MYSQL: frozenset(
        {
            *("not", "null", "default", "constraint", "unique", "primary", "references", "check", "collate"),
            *("generated", "as", "auto_increment", "comment", "key", "first", "after", "charset", "on"),
            *("column_format", "storage", "visible", "invisible", "virtual", "stored", "engine_attribute", "srid"),
            *("secondary_engine_attribute",),
        }
    ),
}
"""What ends a type or a default."""
_WITH_A_TYPE = {
    Engine.POSTGRESQL: (
        *("varying", "precision", "with time zone", "without time zone", "array", "year to month", "day to second"),
        *("day to hour", "day to minute", "hour to minute", "hour to second", "minute to second", "year", "month"),
        *("day", "hour", "minute", "second", "character", "char"),
    ),
    Engine.MYSQL: ("unsigned", "signed", "zerofill", "precision", "varying", "varchar", "char", "character", "binary"),
}
"""What follows the first word of a type, or its parentheses."""
_SERIAL = frozenset({"serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"})
_SAME_IN_EACH_ROW = frozenset(
    {
        *("now", "transaction_timestamp", "statement_timestamp", "current_setting", "to_char", "to_timestamp"),
        *("to_date", "date_trunc", "make_date", "make_interval", "make_timestamp", "make_timestamptz", "timezone"),
        *("lower", "upper", "md5", "concat", "coalesce", "jsonb_build_object", "json_build_object", "to_jsonb"),
        *("jsonb_build_array", "json_build_array", "array_fill", "current_schema", "current_database", "user"),
        *("greatest", "least", "nullif", "round", "floor", "ceil", "abs", "trim", "length", "date_part", "age"),
        *("current_timestamp", "localtimestamp", "current_date", "current_time", "localtime"),
        *("varchar", "char", "character", "varying", "numeric", "decimal", "timestamp", "timestamptz", "time", "bit"),
    }
)
"""Functions of PostgreSQL that are not volatile (pg_proc.provolatile), and types that are written like one."""
_MYSQL_NOW = frozenset({"current_timestamp", "now", "localtime", "localtimestamp"})


def column(cursor: Cursor, engine: Engine, name: str) -> Column:
    """The definition of the column `name`, from its type on, to a comma or the end."""
    return _Reader(cursor, engine, name).read()


def type_of(cursor: Cursor, engine: Engine) -> str:
    """Move over a type: a name, and words that go with some of them."""
    start = cursor.at
    cursor.name()
    while not cursor.ended:
        if cursor.sees("("):
            cursor.group()
        elif cursor.take("["):
            if not cursor.sees("]"):
                cursor.next()
            cursor.want("]")
        elif cursor.sees("character", "set") or not cursor.take_any(*_WITH_A_TYPE[engine]):
            break
    return written(cursor.tokens[start : cursor.at]).replace(", ", ",")


def default_of(tokens: Sequence[Token], engine: Engine) -> Default:
    """What a DEFAULT gives to the rows that are there."""
    if not tokens or (len(tokens) == 1 and tokens[0].is_("null")):
        return Default.NONE
    if tokens[0].is_("null") and tokens[1].is_("::"):
        return Default.NONE
    words = [one for one in tokens if one.kind in (Kind.WORD, Kind.NAME)]
    calls = [
        one.text
        for one, after in zip(tokens, [*tokens[1:], None], strict=True)
        if one in words and after is not None and after.is_("(")
    ]
    if engine is Engine.MYSQL:
        # In parentheses stands an expression; else a literal or the time of the statement.
        return Default.CONSTANT if not tokens[0].is_("(") or not calls else Default.COMPUTED
    return Default.COMPUTED if {*calls} - _SAME_IN_EACH_ROW else Default.CONSTANT


class _Reader:
    def __init__(self, cursor: Cursor, engine: Engine, name: str) -> None:
        self.cursor, self.engine, self.name = cursor, engine, name
        self.found: dict[str, object] = {}

    def read(self) -> Column:
        type_ = type_of(self.cursor, self.engine)
        fills_itself = type_ in _SERIAL or (self.engine is Engine.MYSQL and type_ == "serial")
        self.found = {"type": type_, "fills_itself": fills_itself}
        while not self.cursor.ended and not self.cursor.sees(","):
            self._attribute()
        return Column(name=self.name, **self.found)  # type: ignore[arg-type]

    def _attribute(self) -> None:
        cursor = self.cursor
        if cursor.take("constraint"):
            if not cursor.sees("check"):  # MySQL allows one without a name
                cursor.part()
        elif cursor.take("not", "null"):
            self.found["not_null"] = True
            cursor.take("no", "inherit")
        elif cursor.take("null"):
            pass
        elif cursor.take("default"):
            tokens = cursor.until(_ATTRIBUTES[self.engine])
            self.found |= {"default": default_of(tokens, self.engine), "default_text": written(tokens)}
        elif cursor.take("primary", "key") or (self.engine is Engine.MYSQL and cursor.take("key")):
            self.found |= {"primary": True, "not_null": True}
            self._index_parameters()
        elif cursor.take("unique"):
            self.found["unique"] = True
            cursor.take("key")
            if cursor.take("nulls"):
                cursor.take("not")
                cursor.want("distinct")
            self._index_parameters()
        elif cursor.take("references"):
            self.found["references"] = cursor.name()
            self._reference()
        elif cursor.take("check"):
            cursor.group()
            self.found["check"] = True
            if not cursor.take("no", "inherit") and not cursor.take("not", "enforced"):
                cursor.take("enforced")
        else:
            self._of_the_engine()

    def _index_parameters(self) -> None:
        if self.cursor.take("include") or self.cursor.take("with"):
            self.cursor.group()
        if self.cursor.take("using", "index", "tablespace"):
            self.cursor.part()

    def _reference(self) -> None:
        references(self.cursor)

    def _of_the_engine(self) -> None:
        cursor = self.cursor
        if cursor.take("collate"):
            cursor.take("=")
            token = cursor.next()  # MySQL: in quotes, too
            while cursor.take("."):
                token = cursor.next()
            if token.kind is Kind.OTHER:
                raise NotReadError(token.text)
            self.found["collation"] = unquoted(token)
        elif cursor.take("generated", "always", "as", "identity") or cursor.take(
            "generated", "by", "default", "as", "identity"
        ):
            self.found |= {"fills_itself": True, "not_null": True}
            if cursor.sees("("):
                cursor.group()
        elif cursor.take("generated", "always", "as") or (self.engine is Engine.MYSQL and cursor.take("as")):
            cursor.group()
            self.found["fills_itself"] = True
            stored = cursor.take("stored") or cursor.take("persistent")
            virtual = not stored and (cursor.take("virtual") or self.engine is Engine.MYSQL)
            self.found |= {"stored": not virtual, "virtual": virtual}
        elif self.engine is Engine.POSTGRESQL:
            if cursor.take("compression") or cursor.take("storage"):
                cursor.part()
            elif not cursor.take_any("deferrable", "not deferrable", "initially deferred", "initially immediate"):
                raise NotReadError(cursor.rest())
        else:
            self._of_mysql()

    def _of_mysql(self) -> None:
        cursor = self.cursor
        if cursor.take("auto_increment"):
            self.found["fills_itself"] = True
        elif cursor.take("on", "update"):
            if cursor.part() not in _MYSQL_NOW:
                raise NotReadError(cursor.rest())
            if cursor.sees("("):
                cursor.group()
            self.found["updates_itself"] = True
        elif cursor.take_any("character set", "charset"):
            cursor.take("=")
            self.found["charset"] = unquoted(cursor.next())
        elif cursor.take_any("comment", "engine_attribute", "srid"):
            cursor.take("=")
            cursor.next()
        elif cursor.take("first"):
            self.found["placed"] = True
        elif cursor.take("after"):
            cursor.part()
            self.found["placed"] = True
        elif cursor.take("column_format") or cursor.take("storage"):
            cursor.part()
        elif not cursor.take_any("visible", "invisible"):
            raise NotReadError(cursor.rest())


def unquoted(token: Token) -> str:
    """The name of a character set or collation: a word, a name, or a string."""
    return token.text if token.kind is Kind.NAME else token.text.strip("'\"").lower()


def references(cursor: Cursor) -> None:
    """Move over what may stand after the table of a foreign key."""
    if cursor.sees("("):
        cursor.group()
    while True:
        if cursor.take("match"):
            cursor.part()
        elif cursor.take("on", "delete") or cursor.take("on", "update"):
            if not cursor.take_any("cascade", "restrict", "no action", "set null", "set default"):
                raise NotReadError(cursor.rest())
            if cursor.sees("("):
                cursor.group()
        elif not cursor.take_any("deferrable", "not deferrable", "initially deferred", "initially immediate"):
            return
