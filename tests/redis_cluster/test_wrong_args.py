"""Wrong arguments: one error with every problem, before anything is registered."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import refused
from tierstack.core.diagnostics import Diagnostic
from tierstack.redis_cluster import RedisCluster

pytestmark = pytest.mark.graph
TABLE = yaml.safe_load((Path(__file__).parent.parent / "cases/redis_cluster/wrong.yaml").read_text())


def problems_of(case: dict[str, Any]) -> list[Diagnostic]:
    given: Any = {**TABLE["bases"][case["base"]], **case["given"]}
    return refused(lambda: RedisCluster("redis", given)).problems


@pytest.mark.parametrize("case", TABLE["cases"], ids=lambda case: case["name"])
def test_wrong_arguments(case: dict[str, Any]) -> None:
    found = problems_of(case)
    assert [str(problem) for problem in found] == case["says"]
    assert [problem.code for problem in found] == case["codes"]
