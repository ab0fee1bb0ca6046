"""Texts with SQL in them: files, and what frameworks print of migrations that they would run (pure)."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from tierstack.migration.lexer import Engine, Lexer, Statement, statements


@dataclass
class Source:
    """A text, cut into statements."""

    statements: list[Statement] = field(default_factory=list[Statement])
    form: str = "SQL"
    """What it was read as."""
    left_out: list[str] = field(default_factory=list[str])
    """Parts that are there to go back, and are not judged."""
    nothing: bool = False
    """Whether a framework says that nothing is to be done."""


_COLOR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_BULLET = re.compile(r"\s*⇂ ?(.*)")
_DETAIL = re.compile(r"\s*(\S.*?) \.{3,}.*")
_BADGE = re.compile(r"\s*(INFO|WARN|WARNING|ERROR|FAIL)\b\s*(.*)")
_NOTHING = re.compile(
    r"nothing to (?:migrate|rollback|roll back)|no migrations? to execute|already at the latest", re.I
)
_NAMED = re.compile(r"((?:[A-Z]\w*|\d{4}_\d\d_\d\d_\d{6}_\w+)(?:\\\w+)*): (?=\S)(.*)")
_ROLLING = re.compile(r"(?:Migrating|Rolling back|Migrated|Rolled back): .*")
_CREATED = re.compile(r"^Migration table created successfully\.$", re.M)
_PRODUCTION = re.compile(
    r"^(?! *(?:--|#|/\*))\W*(?:(?:alert|warn)\s+)?(?:application (?:is )?in production|command cancell?ed)\W*$",
    re.M | re.I,
)
_PHINX = re.compile(
    r"^(?:Phinx by | ==? \d+ \w+: |using (?:environment|adapter|database|config|connection|migration paths|paths)|"
    r"dry-run mode)",
    re.M,
)
_PHINX_HEAD = re.compile(r"Phinx by .*|using .*|ordering by .*|warning .*|dry-run mode.*|\s*-\s+\S.*|\s*|All Done.*")
"""What Phinx writes before the first migration: what it works with, and paths below that."""
_PHINX_NOISE = re.compile(r"^(?: ==.*|All Done\..*| -- .*|\s+-> [\d.]+s)$", re.M)
_PHINX_ERROR = re.compile(r"^\s*--== ERROR ==--.*$", re.M)
_PHINX_START = re.compile(r"^(?=(?:ALTER|CREATE|DROP|RENAME|TRUNCATE|INSERT|START|COMMIT)\b)", re.M | re.I)
_DOCTRINE = re.compile(r"^\[(?:notice|info|debug|warning|error)\] |^\s+\+\+ migrating |^\s+-> ", re.M)
_DOCTRINE_SQL = re.compile(r"(?:\[debug\]|\s+->) (.*)")
_DOWN = re.compile(r"^-- *(?:\+goose Down|migrate:down|Down Migration|rambler down|\+migrate Down)\b.*$", re.M | re.I)
_UP = re.compile(r"^-- *(?:\+goose Up|migrate:up|Up Migration|rambler up|\+migrate Up)\b", re.M | re.I)
DOWN_NAMES = re.compile(r"\.down\.sql$|(?:^|/)U\d[\w.]*__.*\.sql$|[._-](?:down|rollback|undo|revert)\.sql$", re.I)
"""Names of files that go back to what was before."""


def read(text: str, engine: Engine, where: str) -> Source:
    """Cut a text into statements, by its form."""
    text = _COLOR.sub("", text.removeprefix("\ufeff").replace("\r\n", "\n"))
    return _form_of(text)(text, engine, where)


def is_unanswered(text: str) -> bool:
    """Whether Laravel asks if it may run in production, and nobody answers: there is no SQL then."""
    return bool(_PRODUCTION.search(text))


def _form_of(text: str) -> Callable[[str, Engine, str], Source]:
    lines = text.split("\n")
    if any(_BULLET.fullmatch(line) for line in lines) or any(_BADGE.fullmatch(line) for line in lines):
        return _bullets
    if (
        any(_NAMED.fullmatch(line) for line in lines)
        or _CREATED.search(text)
        or (_NOTHING.search(text) and len(text.strip()) < 200)
    ):
        return _named
    if _PHINX.search(text):
        return _phinx
    if _DOCTRINE.search(text) and not text.lstrip().startswith("--"):
        return _doctrine
    return _sql


def _sql(text: str, engine: Engine, where: str) -> Source:
    """Statements as a client of the server reads them."""
    source = Source()
    if (down := _DOWN.search(text)) and _UP.search(text):
        lines = text.count("\n", 0, down.start()) + 1
        source.left_out.append(f"{where}:{lines}, `{down[0].strip()}`")
        text = text[: down.start()]
    source.statements = statements(text, engine, where)
    return source


def _bullets(text: str, engine: Engine, where: str) -> Source:
    """`php artisan migrate --pretend` from Laravel 9 on: a line for each statement, below the name of its migration."""
    source, group, item = Source(form="Laravel's --pretend"), "", None
    for number, line in enumerate(text.split("\n"), 1):
        if match := _BULLET.fullmatch(line):
            if item:
                source.statements += item.statements(engine)
            item = _Item(where, number, group, match[1].strip())
        elif badge := _BADGE.fullmatch(line):
            source.nothing |= bool(_NOTHING.search(line))
            if badge[1] in ("ERROR", "FAIL"):
                source.statements.append(_unread(where, number, line, "the framework reports an error"))
        elif match := _DETAIL.fullmatch(line):
            group = match[1]
        elif line.strip() and item and line.startswith(" "):
            item.text += f" {line.strip()}"  # cut at the width of a terminal
        elif line.strip():
            source.statements.append(_unread(where, number, line, "this line is no part of what Laravel prints"))
    if item:
        source.statements += item.statements(engine)
    return source


def _named(text: str, engine: Engine, where: str) -> Source:
    """The same up to Laravel 8: `CreateUsersTable: create table …`."""
    source, item = Source(form="Laravel's --pretend", nothing=bool(_NOTHING.search(text))), None
    for number, line in enumerate(text.split("\n"), 1):
        if _ROLLING.fullmatch(line) or _CREATED.fullmatch(line) or _NOTHING.search(line):
            continue
        if match := _NAMED.fullmatch(line):
            if item:
                source.statements += item.statements(engine)
            item = _Item(where, number, match[1], match[2], whole=True)
        elif item:
            item.text += f"\n{line}"
        elif line.strip():
            source.statements.append(_unread(where, number, line, "this line is no part of what Laravel prints"))
    if item:
        source.statements += item.statements(engine)
    return source


@dataclass
class _Item:
    """A statement that a framework prints."""

    where: str
    line: int
    group: str
    text: str
    whole: bool = False
    """Whether its lines are as in the migration."""

    def statements(self, engine: Engine) -> Iterator[Statement]:
        """It, or several where it holds several."""
        lexer = Lexer(self.text, engine, self.where, self.line)
        made = [*lexer.statements()]
        transaction = engine is Engine.POSTGRESQL
        if lexer.line_comments and not self.whole:
            # What follows the comment is on its line, so that it looks like a part of it.
            why = "a comment with `--` hides what follows it on the line; write it as /* … */"
            made = [_unread(self.where, self.line, self.text, why)]
        for one in made:
            yield replace(one, group=self.group, transaction=transaction)


def _unread(where: str, number: int, line: str, why: str) -> Statement:
    return Statement(where=where, line=number, text=" ".join(line.split()), tokens=(), unread=why)


def _phinx(text: str, engine: Engine, where: str) -> Source:
    """`phinx migrate --dry-run`: statements between lines of its own; older versions write no semicolon."""
    source = Source(form="Phinx' --dry-run")
    first = re.search(rf"^ ==|{_PHINX_START.pattern}", text, re.M | re.I)
    body = first.start() if first else len(text)
    for number, line in enumerate(text[:body].split("\n"), 1):
        if not _PHINX_HEAD.fullmatch(line):
            source.statements.append(_unread(where, number, line, "this line is no part of what Phinx prints"))
    for match in _PHINX_ERROR.finditer(text):
        number = text.count("\n", 0, match.start()) + 1
        source.statements.append(_unread(where, number, match[0], "the framework reports an error"))
    cut = _PHINX_ERROR.sub("", _PHINX_NOISE.sub(";", text[body:]))
    source.statements += statements(_PHINX_START.sub(";", cut), engine, where, text.count("\n", 0, body) + 1)
    source.nothing = not source.statements and bool(re.search(r"^All Done\.", text, re.M))
    return source


def _doctrine(text: str, engine: Engine, where: str) -> Source:
    """`doctrine:migrations:migrate --dry-run -vv`."""
    source = Source(form="Doctrine's --dry-run", nothing=bool(_NOTHING.search(text)))
    for number, line in enumerate(text.split("\n"), 1):
        if match := _DOCTRINE_SQL.fullmatch(line):
            sql = re.sub(r" ?\(parameters: .*\)$|^(.*\S)\s*\[\]$", r"\1", match[1]).strip()
            source.statements += _Item(where, number, "", sql).statements(engine)
        elif line.startswith("[error]"):
            source.statements.append(_unread(where, number, line, "the framework reports an error"))
    return source


_MYSQL_SIGNS = re.compile(
    r"`\w+`|\bengine\s*=|\bauto_increment\b|\bunsigned\b|^\s*delimiter\s|/\*!\d|\bmodify\s+(?:column\s+)?\w|"
    r"\bchange\s+(?:column\s+)?\w+\s+\w|\balgorithm\s*=|\brename\s+table\b|\bdrop\s+foreign\s+key\b|\bfulltext\b",
    re.I | re.M,
)
_POSTGRESQL_SIGNS = re.compile(
    r"\b(?:table|on|into|exists|column|update|from|index)\s+(?:only\s+)?\"\w+\"|::\w|\bconcurrently\b|\$\w*\$|\bjsonb\b|"
    r"\b(?:big|small)?serial\b|\bwithout time zone\b|\btimestamptz\b|\bbytea\b|"
    r"\balter\s+(?:column\s+)?\S+\s+(?:set|type|drop\s+not)\b|"
    r"\bnot\s+valid\b|\bvalidate\s+constraint\b|\block_timeout\b|\bcreate\s+extension\b",
    re.I,
)


def engine_of(texts: Sequence[str]) -> Engine | None:
    """The engine whose SQL alone looks like this. None: that of both or of neither."""
    text = "\n".join(texts)
    mysql, postgresql = bool(_MYSQL_SIGNS.search(text)), bool(_POSTGRESQL_SIGNS.search(text))
    if mysql == postgresql:
        return None
    return Engine.MYSQL if mysql else Engine.POSTGRESQL
