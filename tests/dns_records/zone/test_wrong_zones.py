"""Every mistake of the table is found in an existing zone, by its code, with its message and the rule's
source."""

from typing import Any

import pytest
import yaml

from tests.dns_records.samples import CASES, expand
from tierstack.core.diagnostics import Severity
from tierstack.dns_records.records.zonefile import parse, render
from tierstack.dns_records.zone.check import check_zone

DATA = yaml.safe_load((CASES / "wrong_zones.yaml").read_text())
DOMAIN = "example.org"


def zone_of(case: dict[str, Any]) -> str:
    sets, findings = parse(expand(DATA["base"]), DOMAIN)
    assert not findings
    without = set(case.get("without", []))
    assert without <= {one.key for one in sets}, "takes out what the base does not have"
    base = render([one for one in sets if one.key not in without], DOMAIN, 3600)
    return base + expand(case.get("add", "")) + "\n"


def test_the_base_is_a_good_zone() -> None:
    found = check_zone(expand(DATA["base"]), DOMAIN)
    assert {one.severity for one in found} <= {Severity.ADVICE}


@pytest.mark.parametrize("case", DATA["cases"], ids=lambda case: case["name"])
def test_the_mistake_is_found(case: dict[str, Any]) -> None:
    found = [one for one in check_zone(zone_of(case), DOMAIN) if one.severity is not Severity.ADVICE]
    assert sorted(one.code for one in found) == sorted(case["finds"]), "\n".join(map(str, found))
    named = next(one for one in found if one.code == case["finds"][0])
    assert case["message"] in named.message
    assert named.source == case["source"]
    assert named.hint


def test_the_table_is_long_and_names_each_case_once() -> None:
    names = [case["name"] for case in DATA["cases"]]
    assert len(names) == len(set(names))
    assert len(names) >= 80
