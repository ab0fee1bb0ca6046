"""Wrong arguments: one error with every problem, before anything is registered."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import refused
from tierstack.backup_schedule import BackupSchedule
from tierstack.core.diagnostics import Diagnostic

pytestmark = pytest.mark.graph
TABLE = yaml.safe_load((Path(__file__).parent.parent / "cases/backup_schedule/wrong.yaml").read_text())


def arguments(case: dict[str, Any]) -> dict[str, Any]:
    base, given = TABLE["bases"][case["base"]], dict(case["given"])
    return {**base, **given}


def problems_of(case: dict[str, Any]) -> list[Diagnostic]:
    return refused(lambda: BackupSchedule("backups", arguments(case))).problems  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("case", TABLE["cases"], ids=lambda case: case["name"])
def test_wrong_arguments(case: dict[str, Any]) -> None:
    assert [str(problem) for problem in problems_of(case)] == case["says"]
