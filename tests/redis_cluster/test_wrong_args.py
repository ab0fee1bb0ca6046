"""Wrong arguments: one error with every problem, before anything is registered."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import refused
from tierstack.redis_cluster import RedisCluster

pytestmark = pytest.mark.graph
TABLE = yaml.safe_load((Path(__file__).parent.parent / "cases/redis_cluster/wrong.yaml").read_text())


@pytest.mark.parametrize("case", TABLE["cases"], ids=lambda case: case["name"])
def test_wrong_arguments(case: dict[str, Any]) -> None:
    given: Any = {**TABLE["bases"][case["base"]], **case["given"]}
    error = refused(lambda: RedisCluster("redis", given))
    assert [str(problem) for problem in error.problems] == case["says"]
    assert [problem.code for problem in error.problems] == case["codes"]
