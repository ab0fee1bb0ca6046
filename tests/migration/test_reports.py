"""What others reported of their tools: tests/cases/migration/reports.yaml."""

from typing import Any

import pytest
import yaml

from tests.migration.cases import FOLDER, said
from tests.migration.test_guard import judged
from tierstack.migration.lexer import Engine

REPORTS: list[dict[str, Any]] = yaml.safe_load((FOLDER / "reports.yaml").read_text())


@pytest.mark.parametrize("case", REPORTS, ids=lambda case: case["report"])
def test_a_report(case: dict[str, Any]) -> None:
    verdict = judged(case["sql"], Engine(case.get("engine", "postgresql")), case.get("before", ""))
    assert said(verdict) == case["says"]


def test_every_report_is_another() -> None:
    assert len({case["report"] for case in REPORTS}) == len(REPORTS)
