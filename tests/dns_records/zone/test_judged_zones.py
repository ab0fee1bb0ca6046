"""What is right to say of zones as they are found: most of them are right, and must not be called wrong."""

from typing import Any

import pytest
import yaml

from tests.dns_records.samples import CASES, expand
from tests.dns_records.zone.test_wrong_zones import zone_of
from tierstack.core.diagnostics import Diagnostic, Severity
from tierstack.dns_records.zone.check import check_zone

DATA = yaml.safe_load((CASES / "judged_zones.yaml").read_text())
SIBLINGS = yaml.safe_load((CASES / "sibling_zones.yaml").read_text())
CLEAN = yaml.safe_load((CASES / "clean_zones.yaml").read_text())


def findings_of(case: dict[str, Any]) -> list[Diagnostic]:
    return check_zone(expand(case["zone"]) if "zone" in case else zone_of(case), case.get("domain", "example.org"))


@pytest.mark.parametrize("case", DATA["cases"] + SIBLINGS["cases"], ids=lambda case: case["name"])
def test_the_verdict_is_right(case: dict[str, Any]) -> None:
    found = [one for one in findings_of(case) if one.severity is not Severity.ADVICE]
    shown = sorted(f"{one.severity.value[0].upper()} {one.code}" for one in found)
    assert shown == sorted(case["finds"]), "\n".join(map(str, found))
    assert all(one.hint for one in found)
    if "fix" in case:
        assert case["fix"] in found[0].hint


@pytest.mark.parametrize("case", CLEAN["cases"], ids=lambda case: case["name"])
def test_a_right_zone_has_no_errors(case: dict[str, Any]) -> None:
    found = [one for one in findings_of(case) if one.severity is not Severity.ADVICE]
    assert sorted(one.code for one in found) == case.get("warns", []), "\n".join(map(str, found))
    assert {one.severity for one in found} <= {Severity.WARNING}


def test_each_case_is_named_once() -> None:
    names = [case["name"] for case in DATA["cases"] + SIBLINGS["cases"] + CLEAN["cases"]]
    assert len(names) == len(set(names))
