"""The guard on several hundred statements: destructive ones, and harmless siblings that look like them."""

import pytest

from tests.migration.cases import DATA, cases, judged, said, statements
from tierstack.core.diagnostics import declared
from tierstack.migration import guard
from tierstack.migration.changes import Unknown
from tierstack.migration.lexer import Engine
from tierstack.migration.reader import read

EVERY = [one for engine in Engine for one in cases(engine)]


@pytest.mark.parametrize("engine", Engine)
def test_every_statement_is_judged_as_its_case_says(engine: Engine) -> None:
    verdicts = {case: judged(case) for case in cases(engine)}
    wrong = {case.sql: (said(one), case.says) for case, one in verdicts.items() if said(one) != sorted(case.says)}
    assert wrong == {}
    assert [case.sql for case, one in verdicts.items() if one.statements != 1] == []


@pytest.mark.parametrize("engine", Engine)
def test_the_tables_of_the_cases_are_read_to_the_last_word(engine: Engine) -> None:
    made = statements(engine, DATA[engine]["schema"])
    assert [one.text for one in made for change in read(one, engine) if isinstance(change, Unknown)] == []


def test_there_are_as_many_harmless_siblings_as_destructive_statements() -> None:
    assert len(EVERY) == len(set(EVERY))
    harmless = sum(not one.says for one in EVERY)
    assert harmless > 150
    assert len(EVERY) - harmless > 150


@pytest.mark.parametrize("code", guard.codes())
def test_the_examples_of_a_rule_run(code: str) -> None:
    rule = declared()[code]
    for text, breaks in ((rule.wrong, True), (rule.right, False)):
        verdict = guard.judge(statements(Engine.POSTGRESQL, text), Engine.POSTGRESQL)
        assert (code in {one.diagnostic.code for one in verdict.findings}) is breaks, text


def test_every_rule_has_a_case() -> None:
    rest = {"lock-timeout", "in-transaction"}  # they depend on what is before the statement: test_guard.py
    assert {code.removeprefix("migration-") for code in guard.codes()} - {
        rule for one in EVERY for rule in one.says
    } == rest
