"""Conditions that all rows of a table meet (pure): `WHERE 1 = 1` is as good as none."""

from collections.abc import Sequence

from tierstack.migration.changes import Filter
from tierstack.migration.cursor import Cursor, written
from tierstack.migration.lexer import Kind, Token

_EQUAL = frozenset({"=", "<=>", "<=", ">=", "like", "ilike"})
"""What holds between a value and itself."""
_OPERATORS = _EQUAL | {"<>", "!=", "<", ">"}
_ABOVE_ZERO = frozenset({">0", ">=0", ">=1", "<>0", "!=0", ">-1"})
_ENDS = frozenset({"limit", "returning", "order"})


def rows_of(cursor: Cursor) -> Filter | None:
    """What the rest of an UPDATE or DELETE asks of the rows. None: some rows may not meet it."""
    while not cursor.ended and not cursor.sees("where") and not cursor.sees("limit"):
        if cursor.sees("("):
            cursor.group()
        else:
            cursor.next()
    condition: Sequence[Token] = ()
    if cursor.take("where"):
        condition = cursor.until(_ENDS, commas=False)
    limited = any(one.is_("limit") for one in cursor.tokens[cursor.at :])
    cursor.skip()
    if limited:
        return None
    return filter_of(condition) if condition else Filter()


def filter_of(tokens: Sequence[Token]) -> Filter | None:
    """When all rows meet a condition. None: it may leave rows out."""
    tokens = _without_parentheses(tokens)
    if any(one.is_("case") for one in tokens):
        return None
    if len(choices := _split(tokens, "or")) > 1:
        return _either([one for one in map(filter_of, choices) if one])
    if len(parts := _split(tokens, "and")) > 1:
        return _both([filter_of(one) for one in parts])
    return _simple(tokens)


def _either(filters: Sequence[Filter]) -> Filter | None:
    """The first of several choices that asks for the least."""
    nulls = {name for one in filters for name in one.nulls}
    if nulls & {name for one in filters for name in one.values}:  # x IS NULL OR x IS NOT NULL
        return Filter()
    return min(filters, key=lambda one: len(one.nulls + one.values + one.numbers), default=None)


def _both(filters: Sequence[Filter | None]) -> Filter | None:
    made = Filter()
    for one in filters:
        if one is None:
            return None
        made = Filter(nulls=made.nulls + one.nulls, values=made.values + one.values, numbers=made.numbers + one.numbers)
    return made


def _simple(tokens: Sequence[Token]) -> Filter | None:
    """The same of a condition without AND and OR."""
    cursor = Cursor(tokens)
    if cursor.take("not"):
        return Filter() if len(tokens) == 2 and _truth(tokens[1]) is False else None
    if len(tokens) == 1:
        return Filter() if _truth(tokens[0]) else None
    for end, asks_null in ((("is", "not", "null"), False), (("is", "null"), True)):
        left, right = tokens[: -len(end)], tokens[-len(end) :]
        if left and Cursor(right).sees(*end):
            return _of_null(left, asks_null)
    places = [place for place, one in enumerate(tokens) if _is_operator(one)]
    if len(places) != 1 or any(one.is_("(") for one in tokens):
        return None
    left, sign, right = tokens[: places[0]], tokens[places[0]].text, tokens[places[0] + 1 :]
    name = _column(left)
    if left and (written(left) == written(right) or (name and name == _column(right))):
        return Filter() if sign in _EQUAL else None
    if (one := _number(left)) is not None and (other := _number(right)) is not None:
        return Filter() if _holds(one, sign, other) else None
    if name and f"{sign}{''.join(one.text for one in right)}" in _ABOVE_ZERO:
        return Filter(numbers=(name,))
    return None


def _of_null(tokens: Sequence[Token], asks_null: bool) -> Filter | None:
    if name := _column(tokens):
        return Filter(nulls=(name,)) if asks_null else Filter(values=(name,))
    literal = len(tokens) == 1 and tokens[0].kind in (Kind.NUMBER, Kind.STRING)
    return Filter() if literal and not asks_null else None


def _is_operator(token: Token) -> bool:
    return token.kind in (Kind.WORD, Kind.OTHER) and token.text in _OPERATORS


def _truth(token: Token) -> bool | None:
    if token.kind is Kind.NUMBER:
        return token.text.strip("0.") != ""
    return {"true": True, "false": False}.get(token.text) if token.kind is Kind.WORD else None


def _number(tokens: Sequence[Token]) -> float | None:
    if len(tokens) != 1 or tokens[0].kind is not Kind.NUMBER or "x" in tokens[0].text:
        return None
    return float(tokens[0].text)


def _holds(left: float, sign: str, right: float) -> bool:
    return {
        "=": left == right, "<=>": left == right, "<": left < right, ">": left > right, "<=": left <= right,
        ">=": left >= right, "<>": left != right, "!=": left != right,
    }.get(sign, False)  # fmt: skip


def _column(tokens: Sequence[Token]) -> str:
    """The column that these tokens are, in lower case. Empty: they are something else."""
    names = tokens[::2]
    if not names or any(one.kind not in (Kind.WORD, Kind.NAME) for one in names):
        return ""
    return names[-1].text.lower() if all(one.is_(".") for one in tokens[1::2]) else ""


def _without_parentheses(tokens: Sequence[Token]) -> Sequence[Token]:
    while tokens and tokens[0].is_("("):
        cursor = Cursor(tokens)
        inside = cursor.group()
        if not cursor.ended:
            break
        tokens = inside
    return tokens


def _split(tokens: Sequence[Token], word: str) -> list[Sequence[Token]]:
    """The parts between a keyword, outside of parentheses. The AND of a BETWEEN separates nothing."""
    found: list[Sequence[Token]] = []
    start = depth = 0
    between = False
    for place, one in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(one.text if one.kind is Kind.OTHER else "", 0)
        between = between or one.is_("between")
        if depth == 0 and one.is_(word) and not (word == "and" and between):
            found.append(tokens[start:place])
            start = place + 1
        if one.is_("and"):
            between = False
    return [*found, tokens[start:]]
