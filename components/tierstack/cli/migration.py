"""`tierstack migration check`: what pending migrations would do to a running release and to full tables."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click

from tierstack.cli import options, show
from tierstack.core.diagnostics import Diagnostic, Severity
from tierstack.core.errors import nearest
from tierstack.engine.project import UsageError
from tierstack.migration import guard, sources
from tierstack.migration.cursor import shortened
from tierstack.migration.findings import Finding
from tierstack.migration.guard import Verdict
from tierstack.migration.lexer import Engine, Statement
from tierstack.migration.tables import LARGE_ROWS

_INDENT = " " * 9


@click.group
def run() -> None:
    """Migrations of a database."""


def _failed(_stack: str | None, messages: list[str]) -> dict[str, Any]:
    return {"ok": False, "result": "failed", "messages": messages}


@run.command(
    short_help="What pending migrations would break, lock or delete.",
    epilog=options.examples(
        "php artisan migrate --pretend --force | tierstack migration check -",
        "tierstack migration check migrations/ --after 0041_orders.sql --schema schema.sql",
        "tierstack migration check add_index.sql --engine postgresql --rows orders=2000000",
        "tierstack migration check drop.sql --allow 'drop-column@orders.note=unused since 2.3'",
    ),
)
@click.argument("source", nargs=-1, type=options.a_path(dash=True))
@click.option("--engine", **options.choice(Engine), help="The server. Default: by how the SQL is written.")
@click.option(
    "--after",
    metavar="FILE",
    help="The last file of a directory that has run: those up to it tell the tables, those after it are judged.",
)
@click.option(
    "--schema",
    type=options.a_path(),
    metavar="FILE",
    help="The tables as they are, such as pg_dump --schema-only or mysqldump --no-data writes them.",
)
@click.option("--rows", multiple=True, metavar="TABLE=N", help="How many rows a table has (repeatable).")
@click.option("--sizes", type=options.a_path(dash=True), metavar="FILE", help="The same: a table and a number a line.")
@click.option(
    "--large",
    type=click.IntRange(0),
    default=LARGE_ROWS,
    show_default=True,
    metavar="N",
    help="Rows from which a table is large. One whose rows are not known is.",
)
@click.option(
    "--allow",
    multiple=True,
    metavar="RULE=REASON",
    help="A finding that is meant: RULE, RULE@TABLE or RULE@TABLE.COLUMN, and =REASON after it (repeatable).",
)
@options.json_of(_failed)
def check(
    source: tuple[Path, ...],
    engine: Engine | None,
    after: str | None,
    schema: Path | None,
    rows: tuple[str, ...],
    sizes: Path | None,
    large: int,
    allow: tuple[str, ...],
    json: bool,
) -> None:
    """Judge the SQL of pending migrations: SQL files, a directory of them, or `-`, standard input.

    Reads also what `php artisan migrate --pretend`, `phinx migrate --dry-run` and Doctrine's `--dry-run -vv` print.
    Names each statement that loses data, breaks the release that still runs, or keeps others from a table, with the
    steps to take instead. Nothing is run, and no server is asked.

    \b
    A comment before a statement allows what a rule says of it:
      -- tierstack: allow drop-column because no release since 2.3 reads it
    """
    wrong = _Wrong()
    texts = _read(source, after, wrong)
    known = wrong.of(lambda: [("--schema", _text(schema))] if schema else []) or []
    counts = _rows(rows, sizes, wrong)
    reasons = _allowed(allow)
    if wrong:
        wrong += [one.line for one in guard.wrong_allowances(reasons, "--allow")]
        raise UsageError(*wrong)
    for where, text in texts.pending:
        if sources.is_unanswered(text):
            raise UsageError(
                f"{where}: Laravel asks before it runs in production, and nobody answered; "
                "write `php artisan migrate --pretend --force`"
            )
    server = engine or sources.engine_of([*(one for _, one in texts.pending), *(one for _, one in texts.before)])
    # Where nothing is to be done, the dialect makes no difference.
    pending = [sources.read(text, server or Engine.POSTGRESQL, where) for where, text in texts.pending]
    if not texts.nothing and not any(one.statements or one.nothing for one in pending):
        raise UsageError(_no_statement(texts))
    if server is None and any(one.statements for one in pending):
        raise UsageError("the SQL could be of either server: say --engine postgresql or --engine mysql")
    dialect = server or Engine.POSTGRESQL
    before = [one for where, text in (*known, *texts.before) for one in sources.read(text, dialect, where).statements]
    verdict = guard.judge(
        [statement for one in pending for statement in one.statements],
        dialect,
        before=before,
        rows=counts,
        large=large,
        by_file=texts.by_file,
        allow=reasons,
    )
    left_out = [part for one in pending for part in one.left_out] + texts.left_out
    if json:
        show.as_json(_for_machines(verdict, server, pending, left_out))
    else:
        _tell(verdict, server, left_out)
    show.end(ok=verdict.ok)


def judged(given: Sequence[Path]) -> Verdict:
    """What is said of pending migrations where nothing else is given: tables are large, and the server is told by how
    the SQL is written. Raises UsageError where they cannot be read."""
    wrong = _Wrong()
    texts = _read(given, None, wrong)
    if wrong:
        raise UsageError(*wrong)
    dialect = sources.engine_of([one for _, one in texts.pending]) or Engine.POSTGRESQL
    pending = [sources.read(text, dialect, where) for where, text in texts.pending]
    statements = [statement for one in pending for statement in one.statements]
    return guard.judge(statements, dialect, before=[], rows={}, large=LARGE_ROWS, by_file=texts.by_file, allow={})


T = TypeVar("T")


class _Wrong(list[str]):
    """What is wrong with the options: all of it is told at once."""

    def of(self, read: Callable[[], T]) -> T | None:
        """What `read` returns. None: it cannot be had, and what is wrong is noted."""
        try:
            return read()
        except UsageError as error:
            self.extend(error.messages)
            return None


def _no_statement(texts: "_Texts") -> str:
    names = ", ".join(where for where, _ in texts.pending)
    return (
        f"{names}: no statement to judge. If a command before the pipe failed, its error says why "
        "(`set -o pipefail` makes a shell notice)"
    )


@dataclass
class _Texts:
    """What is judged, and what is read for the tables alone: each with the name of its file."""

    pending: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    before: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    left_out: list[str] = field(default_factory=list[str])
    by_file: bool = False
    nothing: bool = False
    """Whether every file has run."""


def _read(given: Sequence[Path], after: str | None, wrong: _Wrong) -> _Texts:
    texts = _Texts()
    if not given:
        wrong.append("no migrations to judge: name SQL files or a directory, or `-` for standard input")
    directories = [one for one in given if one.is_dir()]
    if after is not None and len(directories) != 1:
        wrong.append("--after goes with one directory of SQL files")
        after = None
    for one in given:
        if one in directories:
            wrong.of(lambda one=one: _read_directory(one, after, texts))
        elif (text := wrong.of(lambda one=one: _text(one))) is not None:
            texts.pending.append(("standard input" if str(one) == "-" else str(one), text))
    return texts


def _read_directory(directory: Path, after: str | None, texts: _Texts) -> None:
    files = _files(directory, texts.left_out)
    cut = _place_of(after, files, directory) if after is not None else 0
    texts.before += [(str(file), _text(file)) for file in files[:cut]]
    texts.pending += [(str(file), _text(file)) for file in files[cut:]]
    texts.by_file |= after is None
    texts.nothing = cut == len(files)


def _files(directory: Path, left_out: list[str]) -> list[Path]:
    """The SQL files of a directory and below it, in the order of their names, without those that go back."""
    every = sorted(directory.rglob("*.sql"))
    back = [one for one in every if sources.DOWN_NAMES.search(str(one))]
    left_out += [str(one) for one in back]
    if not every and any(directory.rglob("*.php")):
        raise UsageError(
            f"{directory} has migrations in PHP: give what they would run, "
            "`php artisan migrate --pretend --force | tierstack migration check -`"
        )
    if len(back) == len(every):
        raise UsageError(f"{directory} has no SQL file to judge")
    return [one for one in every if one not in back]


def _place_of(after: str, files: Sequence[Path], directory: Path) -> int:
    """How many of the files are up to `after`, the name of one of them or its beginning."""
    names = [str(one.relative_to(directory)) for one in files]
    hits = [place for place, name in enumerate(names) if name == after or Path(name).stem == after]
    hits = hits or [place for place, name in enumerate(names) if name.startswith(after)]
    if len(hits) == 1:
        return hits[0] + 1
    if hits:
        raise UsageError(f"--after {after}: {len(hits)} files begin so; write more of the name")
    guess = nearest(after, names)
    raise UsageError(f"--after {after}: {directory} has no such file{f'; did you mean `{guess}`?' if guess else ''}")


def _text(path: Path) -> str:
    """A file as text; `-` is the standard input."""
    if path.suffix == ".php":
        raise UsageError(
            f"{path} is PHP; give what it would run: "
            "php artisan migrate --pretend --force | tierstack migration check -"
        )
    try:
        return options.octets(path).decode()
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not text in UTF-8") from None


def _rows(given: Sequence[str], sizes: Path | None, wrong: _Wrong) -> dict[str, int]:
    """The rows of tables, by name."""
    lines = [("--rows", *one.rpartition("=")[::2]) for one in given]
    text = (wrong.of(lambda: _text(sizes)) or "") if sizes else ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            words = line.replace("|", " ").replace(",", " ").replace(";", " ").split()
            count = words[-1] if len(words) == 2 else ""
            table = words[0] if len(words) == 2 else line.strip()
            lines.append((f"--sizes {sizes}:{number}", table, count))
    rows: dict[str, int] = {}
    for option, table, count in lines:
        number_ = count.strip().replace("_", "")
        if number_.upper() == "NULL":  # MySQL: of a view
            continue
        if not table or not number_.lstrip("-").isdigit():
            form = "write orders=2000000" if option == "--rows" else "write orders 2000000"
            wrong.append(f"{option}: `{f'{table} {count}'.strip()}` is no table and its rows; {form}")
        elif int(number_) >= 0:  # PostgreSQL: -1 where nobody has counted yet
            rows[table.strip().strip('"`')] = int(number_)
    return rows


def _allowed(given: Iterable[str]) -> dict[str, str]:
    return {key.strip(): reason.strip() for key, _, reason in (one.partition("=") for one in given)}


def _for_machines(
    verdict: Verdict, engine: Engine | None, pending: Sequence[sources.Source], left_out: Sequence[str]
) -> Mapping[str, Any]:
    return {
        "ok": verdict.ok,
        "engine": engine.value if engine else None,
        "forms": sorted({one.form for one in pending}),
        "statements": verdict.statements,
        "not_judged": verdict.not_judged,
        "diagnostics": [*(one.as_dict() for one in verdict.findings), *(one.as_dict() for one in verdict.problems)],
        "ignored": [one.as_dict() for one in verdict.allowed],
        "left_out": list(left_out),
    }


def _tell(verdict: Verdict, engine: Engine | None, left_out: Sequence[str]) -> None:
    said: Statement | None = None
    for one in verdict.findings:
        _finding(one, again=one.statement is said)
        said = one.statement
    show.findings(verdict.problems, [])
    for one in verdict.allowed:
        code = one.diagnostic.code.removeprefix("migration-")
        show.say(show.dim(f"{'allowed':<8} {one.diagnostic.path}: {code} {one.subject}, because {one.reason}"))
    if left_out:
        show.say(show.dim(f"Not judged, because it goes back: {', '.join(left_out)}"))
    show.say(_sum(verdict, engine))


def _finding(one: Finding, *, again: bool) -> None:
    show.findings([one.diagnostic], [])
    if not again:
        group = f"{one.statement.group}: " if one.statement.group else ""
        show.say(f"{_INDENT}{show.dim('SQL ')} {group}{shortened(one.statement.text, 200)}")
    if one.lock:
        show.say(f"{_INDENT}{show.dim('Lock')} {one.lock}")
    for number, step in enumerate(one.steps, 1):
        show.say(f"{_INDENT}{show.dim(f'{number:>3}.')} {step}")


def _sum(verdict: Verdict, engine: Engine | None) -> str:
    """What was judged, in a line."""
    every: list[Diagnostic] = [*(one.diagnostic for one in verdict.findings), *verdict.problems]
    counts = [
        (sum(one.severity is Severity.ERROR for one in every), "error"),
        (sum(one.severity is Severity.WARNING for one in every), "warning"),
    ]
    parts = [f"{count} {word}{'' if count == 1 else 's'}" for count, word in counts if count]
    if verdict.not_judged:
        parts.append(f"{verdict.not_judged} not judged")
    if verdict.allowed:
        parts.append(f"{len(verdict.allowed)} allowed")
    statements = "1 statement" if verdict.statements == 1 else f"{verdict.statements} statements"
    tell = show.good if verdict.ok else show.bad
    of = f" for {engine.value}" if engine else ""
    return f"{tell(f'{statements}{of}:')} {', '.join(parts) or 'nothing to refuse'}"
