"""The test suite of RFC 7208: a record is an error here exactly when receivers give up on it.

The suite (`tests/cases/dns/rfc7208`) says what a receiver answers to one mail; tierstack judges the record for all mails.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.dns_records.samples import CASES
from tierstack.dns_records.mail.spf import lookups as spf_lookups
from tierstack.dns_records.mail.spf import record as spf
from tierstack.dns_records.resolve.names import LookupUnavailableError
from tierstack.dns_records.rules import errors

FILE = CASES / "rfc7208" / "rfc7208-tests.yml"

WORST_CASE = {"include-at-limit"}
"""Judged for the sender that costs most lookups, and the mail of the test is another: its include matches before."""


class Scenario:
    """The DNS of a scenario. `TIMEOUT` is a server that does not answer."""

    def __init__(self, data: dict[str, list[Any]]) -> None:
        self._data = {name.lower(): records for name, records in data.items()}

    def lookup(self, name: str, type: str, hops: int = 0) -> list[str]:
        """The values of a record set; SPF records stand as TXT too, where no TXT is given (as the suite asks)."""
        records = self._data.get(name.lower().rstrip("."), [])
        if "TIMEOUT" in records:
            raise LookupUnavailableError(name)
        given = [(kind, value) for one in records if isinstance(one, dict) for kind, value in one.items()]
        aliases = [value for kind, value in given if kind == "CNAME"]
        if aliases and hops < 9:
            return self.lookup(aliases[0], type, hops + 1)
        if type == "TXT" and not any(kind == "TXT" for kind, _ in given):
            type = "SPF"
        return [_text(kind, value) for kind, value in given if kind == type and value not in ("NONE", "TIMEOUT")]


def _text(kind: str, value: Any) -> str:
    if kind == "MX":
        return f"{value[0]} {value[1] or '.'}"
    return "".join(value) if isinstance(value, list) else str(value)


def cases() -> Iterator[Any]:
    for scenario in yaml.safe_load_all(FILE.read_text(encoding="utf-8")):
        world = Scenario(scenario["zonedata"])
        for name, case in scenario["tests"].items():
            domain = (case["mailfrom"] or f"postmaster@{case['helo']}").rpartition("@")[2]
            yield pytest.param(world, domain, case["result"], id=name)


def judged(world: Scenario, domain: str) -> set[str] | None:
    """The codes of the errors of a domain's SPF record, None where it has none. `+all` is an error here alone."""
    try:
        texts = world.lookup(domain, "TXT")
    except LookupUnavailableError:
        return None
    records = [text for text in texts if spf.is_spf(text)]
    if len(records) > 1:
        return {"spf-twice"}
    if not records:
        return None
    found = [*spf.check(records[0], domain), *spf_lookups.count(records[0], domain, world).findings]
    return {one.code for one in errors(found)} - {"spf-pass-all"}


@pytest.mark.parametrize(("world", "domain", "result"), list(cases()))
def test_a_record_is_an_error_when_receivers_give_up(
    world: Scenario, domain: str, result: str | list[str], request: pytest.FixtureRequest
) -> None:
    found = judged(world, domain)
    if found is None or request.node.callspec.id in WORST_CASE:
        return
    allowed = {result} if isinstance(result, str) else set(result)
    assert ("permerror" in allowed and bool(found)) or (bool(allowed - {"permerror"}) and not found), found


def test_the_suite_is_whole() -> None:
    assert sum("permerror" in case.values[2] for case in cases()) == 78
