"""What differs between two environments, and whether that is meant."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tierstack.diff.environments import Judgement, compared
from tierstack.diff.marks import SECRET

FILE = Path(__file__).parents[1] / "cases" / "diff" / "environments.yaml"
CASES: list[dict[str, Any]] = yaml.safe_load(FILE.read_text())
NAMES = ("staging", "prod")


def marked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: marked(one) for key, one in value.items()}
    return SECRET if value == "(secret)" else value


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['path']} {case['judgement']}")
def test_a_difference_is_judged(case: dict[str, Any]) -> None:
    (found,) = compared(marked(case["first"]), marked(case["second"]), NAMES).differences
    assert (found.path, found.judgement.value) == (case["path"], case["judgement"])
    assert case.get("says", "") in found.why
    assert "{" not in found.why
    assert "correct-horse" not in f"{found.first} {found.second}"


def test_what_both_have_is_no_difference() -> None:
    same = {"app": {"php": {"document_root": "/srv"}, "hostnames": ["a"]}, "tier": "1M"}
    assert compared(same, same, NAMES).differences == ()


def test_of_two_encrypted_values_nothing_is_said_but_that() -> None:
    one = {"app": {"secrets": {"PIN": SECRET}}}
    found = compared(one, one, NAMES)
    assert (found.differences, found.encrypted) == ((), ("app.secrets.PIN",))


def test_the_least_expected_comes_first() -> None:
    first = {"tier": "100k", "images": {"app": "a"}, "backups": {"schedule": "a"}}
    second = {"tier": "1M", "images": {"app": "b"}, "backups": {"schedule": "b"}}
    found = compared(first, second, NAMES)
    assert [one.judgement for one in found.differences] == list(Judgement)
    assert [one.path for one in found.of(Judgement.CHECK)] == ["backups.schedule"]
