"""A domain judged as the DNS shows it."""

from collections.abc import Collection

import pytest

from tests.dns_records.mail.test_spf import Fixed
from tests.dns_records.samples import rsa_key
from tierstack.core.diagnostics import Diagnostic, Severity
from tierstack.dns_records.mail.spf.lookups import LookupUnavailableError
from tierstack.dns_records.records.model import RecordSet
from tierstack.dns_records.zone.check import check_zone
from tierstack.dns_records.zone.observe import check_live, observe

KEY = f"v=DKIM1; k=rsa; p={rsa_key(2048)}"
GOOD = {
    ("example.org", "A"): ["198.51.100.10"],
    ("example.org", "MX"): ["10 mail.example.org.", "20 mx.example.net."],
    ("example.org", "TXT"): ["v=spf1 a:out.example.org include:_spf.example.org -all", "other"],
    ("example.org", "CAA"): ['0 issue "letsencrypt.org"'],
    ("example.org", "DS"): ["1 13 2 00"],
    ("mail.example.org", "A"): ["198.51.100.20"],
    ("mail.example.org", "AAAA"): ["2001:db8::20"],
    ("out.example.org", "A"): ["198.51.100.21"],
    ("_spf.example.org", "TXT"): ["v=spf1 ip4:198.51.100.0/24 -all"],
    ("_dmarc.example.org", "TXT"): ["v=DMARC1; p=reject; rua=mailto:dmarc@example.org"],
    ("s1._domainkey.example.org", "TXT"): [KEY],
    ("mine._domainkey.example.org", "TXT"): [KEY],
}


def test_a_good_domain_has_nothing_against_it() -> None:
    found = check_live("Example.org.", Fixed(GOOD), ["mine"])
    assert {one.code for one in found} == {"address-documentation"}


def test_names_that_are_not_asked_for_are_asked_when_spf_names_them() -> None:
    without = {key: value for key, value in GOOD.items() if key != ("_spf.example.org", "TXT")}
    found = [one.code for one in check_live("example.org", Fixed(without)) if one.severity is Severity.ERROR]
    assert found == ["spf-include-broken"]


def test_selectors_besides_the_usual_are_seen_when_named() -> None:
    assert RecordSet("mine._domainkey.example.org", "TXT", (KEY,)) in observe("example.org", Fixed(GOOD), ["mine"])
    assert not any(one.name.startswith("mine.") for one in observe("example.org", Fixed(GOOD)))


def test_a_bad_domain_is_judged_like_a_zone() -> None:
    bad = {
        **GOOD,
        ("example.org", "MX"): ["10 post.example.org."],
        ("_dmarc.example.org", "TXT"): ["v=DMARC1; p=deny"],
    }
    found = {one.code for one in check_live("example.org", Fixed(bad)) if one.severity is Severity.ERROR}
    assert found == {"mx-no-address", "dmarc-value"}


PARKED = {
    ("example.org", "A"): ["198.51.100.10"],
    ("example.org", "MX"): ["0 ."],
    ("example.org", "TXT"): ["v=spf1 -all"],
    ("example.org", "CAA"): ['0 issue ";"'],
    ("_dmarc.example.org", "TXT"): ["v=DMARC1; p=reject; rua=mailto:d@example.org"],
}


class Wildcard(Fixed):
    """A domain with a wildcard below it, and names that a server fails to answer for."""

    def __init__(self, wildcard: dict[str, list[str]], at: str = "example.org", broken: Collection[str] = ()) -> None:
        super().__init__(PARKED)
        self.wildcard, self.at, self.broken = wildcard, at, broken

    def lookup(self, name: str, type: str) -> list[str]:
        if name in self.broken:
            raise LookupUnavailableError("the server answered SERVFAIL")
        known = {one for one, _ in PARKED}
        if name not in known and name.endswith(f".{self.at}"):
            return list(self.wildcard.get(type, []))
        return super().lookup(name, type)


def serious(found: list[Diagnostic]) -> set[tuple[str, str, str]]:
    return {(one.severity.value, one.code, one.path) for one in found if one.severity is not Severity.ADVICE}


@pytest.mark.parametrize(
    ("wildcard", "at"),
    [
        ({"TXT": ["v=spf1 -all"]}, "example.org"),
        ({"TXT": ["v=spf1 -all"], "A": ["198.51.100.10"]}, "example.org"),  # as `* CNAME example.org.` answers
        ({"TXT": ["v=DMARC1; p=reject"]}, "example.org"),
        ({"TXT": ["v=DKIM1; p="]}, "_domainkey.example.org"),
    ],
)
def test_a_wildcard_is_no_error(wildcard: dict[str, list[str]], at: str) -> None:
    assert not serious(check_live("example.org", Wildcard(wildcard, at)))


def test_a_name_without_an_answer_hides_no_other() -> None:
    found = check_live("example.org", Wildcard({}, broken=["default._bimi.example.org", "s1._domainkey.example.org"]))
    assert serious(found) == {("warning", "dns-unreachable", "default._bimi.example.org TXT")}
    found = check_live("example.org", Wildcard({}, broken=["_dmarc.example.org"]))
    assert serious(found) == {("error", "dns-unreachable", "_dmarc.example.org TXT")}


def test_a_selector_that_is_named_must_have_a_key() -> None:
    absent = {("error", "dkim-selector-absent", "notthere._domainkey.example.org TXT")}
    assert serious(check_live("example.org", Fixed(GOOD), ["mine"])) == set()
    assert serious(check_live("example.org", Fixed(GOOD), ["notthere"])) == absent
    assert serious(check_live("example.org", Wildcard({"TXT": ["v=spf1 -all"]}), ["notthere"])) == absent
    zone = '@ MX 0 .\n@ TXT "v=spf1 -all"\n_dmarc TXT "v=DMARC1; p=reject"\n'
    assert serious(check_zone(zone, "example.org", selectors=["notthere"])) == absent
    assert serious(check_zone(f"{zone}_domainkey NS ns.example.net.\n", "example.org", selectors=["x"])) == set()


def test_silence_is_said_and_not_taken_for_absence() -> None:
    class Silent:
        def lookup(self, name: str, type: str) -> list[str]:
            raise LookupUnavailableError(f"{name} {type}: timed out")

    assert [one.code for one in check_live("example.org", Silent())] == ["dns-unreachable"]


def test_a_domain_without_records() -> None:
    assert [one.code for one in check_live("example.org", Fixed({}))] == ["zone-empty"]
    assert [one.code for one in check_live("example", Fixed({}))] == ["domain"]
