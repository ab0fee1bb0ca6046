"""The guard: statements in, findings out (pure)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tierstack.core.diagnostics import Diagnostic, Severity, declared
from tierstack.migration import allowed as allowing
from tierstack.migration import rules
from tierstack.migration.allowed import PREFIX, Allowance
from tierstack.migration.changes import (
    AddValue,
    Change,
    Constraint,
    CreateType,
    DropDefault,
    SetDefault,
    Setting,
    Transaction,
    is_exclusive,
)
from tierstack.migration.declared import ACCEPTED
from tierstack.migration.findings import Finding, Look
from tierstack.migration.lexer import Engine, Statement
from tierstack.migration.reader import read
from tierstack.migration.tables import LARGE_ROWS, Tables, key

_ONCE = frozenset({"migration-lock-timeout"})
"""What is said of the first statement alone, and allowed once: it is about all of them."""


@dataclass
class Verdict:
    """What the guard says of all statements."""

    findings: list[Finding] = field(default_factory=list[Finding])
    allowed: list[Finding] = field(default_factory=list[Finding])
    """Findings that somebody accepts, each with a reason."""
    problems: list[Diagnostic] = field(default_factory=list[Diagnostic])
    """What is wrong with what is allowed."""
    statements: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing stops the migration."""
        every = [*(one.diagnostic for one in self.findings), *self.problems]
        return not any(one.severity is Severity.ERROR for one in every)

    @property
    def not_judged(self) -> int:
        """How many statements no reader knows."""
        return sum(one.diagnostic.code == f"{PREFIX}not-judged" for one in self.findings)


def codes() -> list[str]:
    """The rules that can be allowed."""
    return sorted(code for code, rule in declared().items() if rule.accepted == ACCEPTED)


def wrong_allowances(allow: Mapping[str, str], option: str) -> list[Diagnostic]:
    """What is wrong with what is allowed, where nothing is judged yet."""
    return allowing.given(allow, option, codes())[1]


def judge(
    pending: Sequence[Statement],
    engine: Engine,
    *,
    before: Iterable[Statement] = (),
    rows: Mapping[str, int] | None = None,
    large: int = LARGE_ROWS,
    by_file: bool = False,
    allow: Mapping[str, str] | None = None,
    option: str = "--allow",
) -> Verdict:
    """Judge the pending statements.

    `before`: statements that made the tables as they are, such as a dump of the schema; they are not judged.
    `rows`: how many rows the tables have, by name; a table that is not named counts as large.
    `large`: rows from which a table is large.
    `by_file`: what one file makes is not new to the next, because some of the files may have run long ago.
    `allow`: RULE or RULE@TABLE or RULE@TABLE.COLUMN → the reason; `option`: where that was given.
    """
    guard = _Guard(engine, Tables(engine, rows, large), by_file)
    for statement in before:
        for change in read(statement, engine):
            guard.tables.apply(change, None)
    given, problems = allowing.given(allow or {}, option, guard.codes)
    if engine is Engine.POSTGRESQL:
        given = [replace(one, subject=key(one.subject)) for one in given]
    verdict = Verdict(statements=len(pending), problems=problems)
    for statement in pending:
        guard.look_at(statement, given, verdict)
    verdict.problems += allowing.unused([*given, *guard.in_comments])
    return verdict


def _weight(finding: Finding) -> int:
    """What stops the migration comes first."""
    return [*Severity].index(finding.diagnostic.severity)


class _Guard:
    def __init__(self, engine: Engine, tables: Tables, by_file: bool) -> None:
        self.engine, self.tables, self.by_file = engine, tables, by_file
        self.codes = codes()
        self.in_comments: list[Allowance] = []
        self.session: dict[str, str] = {}
        self.begun = False
        self.before: tuple[Tables, dict[str, str]] | None = None
        """What a ROLLBACK goes back to."""
        self.group = ""
        self._forget()

    def _forget(self) -> None:
        """A transaction ends, and with it its locks and all that other sessions did not see of it."""
        self.locked: set[str] = set()
        self.added: set[str] = set()
        self.local: dict[str, str] = {}
        self.types: set[str] = set()
        self.values: set[str] = set()
        self.defaults: list[Finding] = []

    def look_at(self, statement: Statement, given: Sequence[Allowance], verdict: Verdict) -> None:
        """Judge one statement, and take note of what it changes."""
        if statement.group != self.group:
            self.group = statement.group
            self._forget()
        where = f"{statement.where}:{statement.line}"
        here, problems = allowing.in_comments(statement.comments, where, self.codes)
        self.in_comments += here
        verdict.problems += problems
        for finding in rules.values_used(self._look(statement)):
            self._add(finding, [*here, *given], verdict)
        for change in read(statement, self.engine):
            for finding in sorted(rules.judge(change, self._look(statement)), key=_weight):
                self._add(finding, [*here, *given], verdict)
                if isinstance(change, DropDefault):
                    self.defaults.append(finding)
            self._note(change, statement, verdict)

    def _look(self, statement: Statement) -> Look:
        framework = "framework" if statement.transaction else ""
        return Look(
            statement=statement,
            engine=self.engine,
            tables=self.tables,
            scope=self._scope(statement),
            transaction="begin" if self.begun else framework,
            locked=frozenset(self.locked),
            added=frozenset(self.added),
            settings=frozenset({**self.session, **self.local}.items()),
            values=frozenset(self.values),
        )

    def _scope(self, statement: Statement) -> str:
        return statement.where if self.by_file else ""

    def _add(self, finding: Finding, allowances: Sequence[Allowance], verdict: Verdict) -> None:
        code = finding.diagnostic.code
        subject = key(finding.subject) if self.engine is Engine.POSTGRESQL else finding.subject
        covering = [one for one in allowances if one.covers(code, subject)]
        for one in covering:
            one.used = True
        to = verdict.allowed if covering else verdict.findings
        if code in _ONCE and any(one.diagnostic.code == code for one in to):
            return
        if covering:
            finding = replace(finding, reason=covering[0].reason, allowed_by=covering[0].where)
        to.append(finding)

    def _note(self, change: Change, statement: Statement, verdict: Verdict) -> None:
        in_one = self.begun or statement.transaction
        match change:
            case Transaction():
                self._transaction(change)
            case Setting():
                self._setting(change, in_one=in_one)
            case CreateType() if in_one:
                self.types.add(key(change.table))
            case AddValue() if in_one and key(change.table) not in self.types:
                self.values.add(change.value)
            case SetDefault() if in_one:  # nobody saw the column without one
                subject = f"{change.table}.{change.column}"
                again = [one for one in self.defaults if one.subject == subject]
                verdict.findings = [one for one in verdict.findings if not any(one is other for other in again)]
            case Constraint() if in_one:
                self.added.add(change.name)
            case _:
                pass
        if in_one and is_exclusive(change):
            self.locked.add(change.table.lower())
        self.tables.apply(change, self._scope(statement))

    def _transaction(self, change: Transaction) -> None:
        if change.undone and self.before:
            self.tables, self.session = self.before
        self.before = (self.tables.copied(), {**self.session}) if change.begins else None
        self.begun = change.begins
        self._forget()

    def _setting(self, change: Setting, *, in_one: bool) -> None:
        if change.name == "all":
            self.session, self.local = {}, {}
        elif not change.local:
            self.session[change.name] = change.value
            self.local.pop(change.name, None)
        elif in_one:  # outside of a transaction, SET LOCAL does nothing
            self.local[change.name] = change.value
