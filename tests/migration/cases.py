"""The cases of tests/cases/migration, for the guard and for real servers."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tierstack.migration import guard, sources
from tierstack.migration.guard import Verdict
from tierstack.migration.lexer import Engine, Statement

FOLDER = Path(__file__).parents[1] / "cases/migration"
DATA: dict[Engine, dict[str, Any]] = {one: yaml.safe_load((FOLDER / f"{one}.yaml").read_text()) for one in Engine}
ADVICE = "migration-lock-timeout"


@dataclass(frozen=True)
class Case:
    engine: Engine
    sql: str
    says: tuple[str, ...]
    """Rules, without `migration-`."""
    server: dict[str, Any] = field(default_factory=dict, compare=False)


def cases(engine: Engine) -> list[Case]:
    return [
        Case(engine, sql, tuple(one["says"]), one.get("server", {}))
        for one in DATA[engine]["cases"]
        for sql in one["sql"]
    ]


def statements(engine: Engine, sql: str) -> list[Statement]:
    return sources.read(sql, engine, "case.sql").statements


@functools.cache
def schema(engine: Engine) -> list[Statement]:
    """The tables that are there before a case."""
    return statements(engine, DATA[engine]["schema"])


def judged(case: Case) -> Verdict:
    """What the guard says of a case on the tables of its file, all of them large."""
    return guard.judge(statements(case.engine, case.sql), case.engine, before=schema(case.engine))


def said(verdict: Verdict) -> list[str]:
    """The rules that found something, without the advice that goes with nearly all."""
    found: Iterator[str] = (one.diagnostic.code for one in verdict.findings if one.diagnostic.code != ADVICE)
    return sorted(code.removeprefix("migration-") for code in found)
