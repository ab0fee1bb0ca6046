"""The rules of MtaStsHostArgs: each wrong input with its whole message."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.gateway.samples import endpoint
from tests.mta_sts_host.samples import given
from tests.support import refused
from tierstack.core.errors import ArgumentError
from tierstack.mta_sts_host import MtaStsHost

CASES = yaml.safe_load((Path(__file__).parents[1] / "cases/mta_sts_host/wrong_args.yaml").read_text())


def error_of(case: dict[str, Any]) -> ArgumentError:
    changes = dict(case.get("given", {}))
    if "gateway" in case:
        changes["gateway"] = endpoint(case["where"], **case["gateway"])
    return refused(lambda: MtaStsHost("mta-sts", given(case["where"], **changes)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case['where']} {case.get('given', case.get('gateway'))}"[:70]
)
def test_wrong(case: dict[str, Any]) -> None:
    error = error_of(case)
    assert error.subject == 'MtaStsHost "mta-sts"'
    assert [str(problem) for problem in error.problems] == case["problems"]
