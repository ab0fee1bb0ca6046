"""A domain judged as the DNS shows it."""

from tests.dns_records.samples import rsa_key
from tests.dns_records.test_spf import Fixed
from tierstack.dns_records.findings import Severity
from tierstack.dns_records.observe import check_live, observe
from tierstack.dns_records.records import RecordSet
from tierstack.dns_records.spf_lookups import LookupUnavailableError

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


def test_silence_is_said_and_not_taken_for_absence() -> None:
    class Silent:
        def lookup(self, name: str, type: str) -> list[str]:
            raise LookupUnavailableError(f"{name} {type}: timed out")

    assert [one.code for one in check_live("example.org", Silent())] == ["dns-unreachable"]


def test_a_domain_without_records() -> None:
    assert [one.code for one in check_live("example.org", Fixed({}))] == ["zone-empty"]
    assert [one.code for one in check_live("example", Fixed({}))] == ["domain"]
