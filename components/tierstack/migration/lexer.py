"""Tokens and statements of SQL, as PostgreSQL and MySQL read them (pure).

A statement ends where the server's own client ends it: quotes, dollar quotes, comments, `DELIMITER` and the bodies of
stored programs hold semicolons that end nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum


class Engine(StrEnum):
    """The server that the statements are for."""

    POSTGRESQL = "postgresql"
    MYSQL = "mysql"


class Kind(StrEnum):
    """What a token is."""

    WORD = "word"
    """A keyword or a name without quotes, in lower case."""
    NAME = "name"
    """A name in quotes, without them."""
    STRING = "string"
    """A string with its quotes."""
    NUMBER = "number"
    OTHER = "other"
    """An operator, a parenthesis, a comma."""


@dataclass(frozen=True)
class Token:
    """A token and the line that it begins in."""

    kind: Kind
    text: str
    line: int

    def is_(self, word: str) -> bool:
        """Whether it is this keyword or this sign. A name in quotes is neither."""
        return self.text == word and self.kind in (Kind.WORD, Kind.OTHER)


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement."""

    where: str
    """The file, or another name of the input."""
    line: int
    """The line of its first token. 0: the input has no lines that a reader could look up."""
    text: str
    """As written, on one line, without comments around it."""
    tokens: tuple[Token, ...]
    comments: tuple[str, ...] = ()
    """Texts of the comments before it and in it."""
    unread: str = ""
    """Why it could not be cut into tokens. Empty: it could."""
    group: str = ""
    """The migration that it belongs to, where the input names it."""
    transaction: bool = False
    """Whether the framework runs it in a transaction unless it is told not to."""


@dataclass
class _Reading:
    """A statement that is being read."""

    tokens: list[Token] = field(default_factory=list[Token])
    comments: list[str] = field(default_factory=list[str])
    start: int = 0
    depth: int = 0
    """Open parentheses."""
    blocks: int = 0
    """Open BEGIN and CASE in the body of a stored program."""


_SPACE = re.compile(r"\s+")
_LINE_COMMENT = {Engine.POSTGRESQL: re.compile(r"--([^\n]*)"), Engine.MYSQL: re.compile(r"(?:--(?=\s|$)|#)([^\n]*)")}
_WORD = re.compile(r"[^\W\d][\w$]*")
_AT_WORD = re.compile(r"@{1,2}[\w.$]+|:[A-Za-z_]\w*|\$\d+")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+")
_DOLLAR = re.compile(r"\$(?:[^\W\d]\w*)?\$")
_STRINGS = {
    Engine.POSTGRESQL: re.compile(r"[eE]'(?:[^'\\]|\\.|'')*'|(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*'", re.DOTALL),
    Engine.MYSQL: re.compile(r"(?:[bBxXnN]|_[a-z0-9]+\s*)?'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"", re.DOTALL),
}
_NAMES = {
    Engine.POSTGRESQL: re.compile(r"(?:[uU]&)?\"((?:[^\"]|\"\")*)\"", re.DOTALL),
    Engine.MYSQL: re.compile(r"`((?:[^`]|``)*)`", re.DOTALL),
}
_OPERATOR = re.compile(r"::|:=|->>?|<=>|<>|!=|>=|<=|\|\||&&|.", re.DOTALL)
_DELIMITER = re.compile(r"DELIMITER[ \t]+(\S+)[^\n]*", re.IGNORECASE)
_META = re.compile(r"\\[^\n]*")
_VERSIONED = re.compile(r"/\*!\d*")
_BODIES = frozenset({"trigger", "procedure", "function", "event"})


class Lexer:
    """Cuts a text into statements."""

    def __init__(self, text: str, engine: Engine, where: str, first_line: int = 1) -> None:
        self.text, self.engine, self.where = text, engine, where
        self.first_line = first_line
        self.position, self.delimiter = 0, ";"
        self.reading = _Reading()
        self.versioned = False  # in a comment of MySQL that the server runs
        self.line_comments = 0

    def statements(self) -> Iterator[Statement]:
        """Every statement, in order."""
        while self.position < len(self.text):
            if self._skipped():
                continue
            if not self.reading.tokens and (one := self._directive()) is not None:
                yield from one
                continue
            if self._ends():
                self.position += len(self.delimiter)
                yield from self._done()
                continue
            if problem := self._token():
                yield self._unread(problem)
                return
        yield from self._done()

    def line(self, position: int) -> int:
        """The line of a position."""
        return self.first_line + self.text.count("\n", 0, position)

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        return pattern.match(self.text, self.position)

    def _skipped(self) -> bool:
        """Move over space or one comment."""
        if match := self._match(_SPACE):
            self.position = match.end()
            return True
        if match := self._match(_LINE_COMMENT[self.engine]):
            self.reading.comments.append(match[1].strip())
            self.line_comments += 1
            self.position = match.end()
            return True
        if self.engine is Engine.MYSQL and (match := self._match(_VERSIONED)):
            self.position, self.versioned = match.end(), True
            return True
        if self.versioned and self.text.startswith("*/", self.position):
            self.position, self.versioned = self.position + 2, False
            return True
        if self.text.startswith("/*", self.position) and (end := self._comment_end()):
            self.reading.comments.append(self.text[self.position + 2 : end - 2].strip())
            self.position = end
            return True
        return False

    def _comment_end(self) -> int | None:
        """Where a comment ends; those of PostgreSQL nest. None: nowhere."""
        if self.engine is Engine.MYSQL:
            end = self.text.find("*/", self.position + 2)
            return end + 2 if end >= 0 else None
        depth = 0
        for mark in re.compile(r"/\*|\*/").finditer(self.text, self.position):
            depth += 1 if mark[0] == "/*" else -1
            if depth == 0:
                return mark.end()
        return None

    def _directive(self) -> list[Statement] | None:
        """What a client reads itself: `DELIMITER` of MySQL's, a backslash of psql's. None: there is none."""
        if self.engine is Engine.MYSQL and (match := self._match(_DELIMITER)):
            self.position, self.delimiter = match.end(), match[1]
            return []
        if self.engine is Engine.POSTGRESQL and (match := self._match(_META)):
            self.reading.start = self.position
            self.position = match.end()
            return [] if match[0] == "\\." else [self._unread("psql runs it, not the server")]
        return None

    def _ends(self) -> bool:
        if not self.text.startswith(self.delimiter, self.position):
            return False
        return self.delimiter != ";" or (self.reading.blocks == 0 and self.reading.depth == 0)

    def _token(self) -> str:
        """Read one token. Returns what is wrong, or nothing."""
        if not self.reading.tokens:
            self.reading.start = self.position
        postgresql = self.engine is Engine.POSTGRESQL
        if match := self._match(_STRINGS[self.engine]):
            return self._add(Kind.STRING, match[0], match.end())
        if match := self._match(_NAMES[self.engine]):
            return self._add(Kind.NAME, match[1], match.end())
        if postgresql and (match := self._match(_DOLLAR)):
            end = self.text.find(match[0], match.end())
            if end < 0:
                return f"a string that begins with {match[0]} does not end"
            return self._add(Kind.STRING, self.text[self.position : end + len(match[0])], end + len(match[0]))
        for kind, pattern in ((Kind.NUMBER, _NUMBER), (Kind.WORD, _AT_WORD), (Kind.WORD, _WORD)):
            if match := self._match(pattern):
                return self._add(kind, match[0].lower(), match.end())
        sign = self.text[self.position]
        if sign in "'`" or (sign == '"'):
            return f"a quote ({sign}) does not end"
        if self.text.startswith("/*", self.position):
            return "a comment does not end"
        match = self._match(_OPERATOR)
        assert match
        self.reading.depth += {"(": 1, ")": -1}.get(match[0], 0)
        return self._add(Kind.OTHER, match[0], match.end())

    def _add(self, kind: Kind, text: str, end: int) -> str:
        self.reading.tokens.append(Token(kind, text, self.line(self.position)))
        self.position = end
        if kind is Kind.WORD:
            self._body(text)
        return ""

    def _body(self, word: str) -> None:
        """Count the blocks of a stored program: a semicolon in one ends no statement."""
        tokens = self.reading.tokens
        if not (tokens[0].is_("create") and any(one.text in _BODIES for one in tokens[:8])):
            return
        before = tokens[-2].text if len(tokens) > 1 else ""
        postgresql = self.engine is Engine.POSTGRESQL
        opens = (word == "atomic" and before == "begin") if postgresql else word == "begin"
        if opens or (word == "case" and before != "end" and self.reading.blocks):
            self.reading.blocks += 1
        elif word == "end" and self.reading.blocks:
            self.reading.blocks -= 1
        elif word in ("if", "loop", "while", "repeat") and before == "end":
            self.reading.blocks += 1  # `END IF` closed no block

    def _done(self) -> list[Statement]:
        reading, self.reading = self.reading, _Reading()
        if not reading.tokens:
            self.reading.comments = reading.comments  # an empty statement: what was said is of the next
            return []
        made = self._statement(reading)
        if made.tokens[0].is_("copy") and any(one.is_("stdin") for one in made.tokens):
            end = re.compile(r"^\\\.\s*$", re.MULTILINE).search(self.text, self.position)
            self.position = end.end() if end else len(self.text)
        return [made]

    def _statement(self, reading: _Reading, unread: str = "") -> Statement:
        end = self.position
        text = " ".join(self.text[reading.start : end].split()).removesuffix(self.delimiter).rstrip()
        return Statement(
            where=self.where,
            line=self.line(reading.start) if self.first_line else 0,
            text=text,
            tokens=tuple(reading.tokens),
            comments=tuple(reading.comments),
            unread=unread,
        )

    def _unread(self, why: str) -> Statement:
        reading, self.reading = self.reading, _Reading()
        return self._statement(reading, why)


def statements(text: str, engine: Engine, where: str, first_line: int = 1) -> list[Statement]:
    """The statements of a text, each with its file and line. What cannot be read is one statement to the end."""
    return list(Lexer(text, engine, where, first_line).statements())
