"""The rules of GatewayArgs: each wrong input with its whole message."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.gateway.samples import DIGEST, given
from tests.support import refused
from tierstack.core.errors import ArgumentError
from tierstack.gateway import Gateway

CASES = yaml.safe_load((Path(__file__).parents[1] / "cases/gateway/wrong_args.yaml").read_text())


def error_of(case: dict[str, Any]) -> ArgumentError:
    changes = {
        key: value.replace("${digest}", DIGEST) if isinstance(value, str) else value
        for key, value in case["given"].items()
    }
    return refused(lambda: Gateway("gateway", given(case["where"], **changes)))  # type: ignore[arg-type]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['where']} {case['given']}"[:70])
def test_wrong(case: dict[str, Any]) -> None:
    error = error_of(case)
    assert error.subject == 'Gateway "gateway"'
    assert [str(problem) for problem in error.problems] == case["problems"]
    assert [problem.code for problem in error.problems] == case["codes"]
