"""Wrong arguments: one error with every problem, before anything is registered."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import refused
from tierstack.core.diagnostics import Diagnostic
from tierstack.tls import TLS

pytestmark = pytest.mark.graph
TABLE = yaml.safe_load((Path(__file__).parent.parent / "cases/tls/wrong.yaml").read_text())


def laid_over(base: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    both = {key for key in base if isinstance(base[key], dict) and isinstance(given.get(key), dict)}
    return {**base, **{key: {**base[key], **value} if key in both else value for key, value in given.items()}}


def problems_of(case: dict[str, Any]) -> list[Diagnostic]:
    given: Any = laid_over(TABLE["bases"][case["base"]], case["given"])
    return refused(lambda: TLS("tls", given)).problems


@pytest.mark.parametrize("case", TABLE["cases"], ids=lambda case: case["name"])
def test_wrong_arguments(case: dict[str, Any]) -> None:
    found = problems_of(case)
    assert [str(problem) for problem in found] == case["says"]
    assert [problem.code for problem in found] == case["codes"]
