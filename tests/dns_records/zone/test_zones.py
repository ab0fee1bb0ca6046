"""Whole zones against golden files: the zone file, the summary and the findings of each description.

`TIERSTACK_UPDATE_GOLDEN=1` writes the files anew; the diff is then the review.
"""

import os
import re
from pathlib import Path

import pytest
import yaml

from tests.dns_records.mail.test_spf import Fixed
from tests.dns_records.samples import CASES, substitute
from tierstack.core.arguments import load
from tierstack.core.diagnostics import Severity
from tierstack.dns_records.args import DNSRecordsArgs
from tierstack.dns_records.options import BrevoArgs, DmarcStage, MailArgs
from tierstack.dns_records.records.zonefile import parse
from tierstack.dns_records.rules import errors
from tierstack.dns_records.zone.check import check_zone
from tierstack.dns_records.zone.compose import WebHost, Zone, ZoneSpec, compose
from tierstack.dns_records.zone.summary import summarize

DESCRIPTIONS = sorted((CASES / "zones").glob("*.yaml"))


def zone_of(path: Path) -> Zone:
    value, problems = load(DNSRecordsArgs, substitute(yaml.safe_load(path.read_text()), {}))
    assert not problems
    assert isinstance(value, DNSRecordsArgs)
    assert not value.problems()
    return value.zone()


def golden(path: Path, text: str) -> None:
    # The key is long and the same everywhere: a word in its place keeps the files readable.
    text = re.sub(r'p=[A-Za-z0-9+/=" ]{300,}', 'p=RSA_2048"', text)
    if os.environ.get("TIERSTACK_UPDATE_GOLDEN"):
        path.write_text(text)
    assert path.read_text() == text


@pytest.mark.parametrize("path", DESCRIPTIONS, ids=lambda path: path.stem)
def test_the_zone_is_the_golden_one(path: Path) -> None:
    zone = zone_of(path)
    shown = [f"{one.severity.value}: {one.line}" for one in zone.findings if one.code != "address-documentation"]
    golden(path.with_suffix(".zone"), zone.text)
    golden(path.with_suffix(".txt"), summarize(zone) + "\n\n" + "".join(f"{line}\n" for line in shown))


@pytest.mark.parametrize("path", DESCRIPTIONS, ids=lambda path: path.stem)
def test_the_zone_file_judged_as_found_gives_the_same_verdict(path: Path) -> None:
    zone = zone_of(path)
    sets, findings = parse(zone.text, zone.domain)
    assert not findings
    assert tuple(sets) == zone.sets
    assert check_zone(zone.text, f"{zone.domain}.") == list(zone.findings)
    assert check_zone(zone.sets, zone.domain) == list(zone.findings)


def test_equal_descriptions_give_equal_zones() -> None:
    one, two = zone_of(DESCRIPTIONS[0]), zone_of(DESCRIPTIONS[0])
    assert one == two


def test_a_domain_without_mail_is_closed() -> None:
    zone = compose(ZoneSpec(domain="example.org", web=(WebHost("@", ("198.51.100.1",)),)))
    assert zone.get("example.org", "MX").values == ("0 .",)
    assert zone.get("example.org", "TXT").values == ("v=spf1 -all",)
    assert zone.get("_dmarc.example.org", "TXT").values == ("v=DMARC1; p=reject",)
    assert not errors(zone.findings)


def test_the_issuer_of_the_certificate_becomes_the_caa() -> None:
    value, _ = load(DNSRecordsArgs, {"domain": "example.org", "certificate": {"issuer": "letsencrypt.org"}})
    assert isinstance(value, DNSRecordsArgs)
    assert value.zone().get("example.org", "CAA").values == ('0 issue "letsencrypt.org"',)


def test_a_host_of_ones_own_for_mta_sts_is_kept() -> None:
    spec = {
        "domain": "example.org",
        "web": [{"ipv4": ["198.51.100.1"]}, {"host": "mta-sts", "ipv4": ["198.51.100.2"]}],
        "mail": {"fastmail": {}, "mta_sts": {}},
    }
    value, _ = load(DNSRecordsArgs, spec)
    assert isinstance(value, DNSRecordsArgs)
    zone = value.zone()
    assert not errors(zone.findings)
    assert zone.get("mta-sts.example.org", "A")
    assert zone.get("mta-sts.example.org", "CNAME") is None
    assert zone.mta_sts_policy == (
        "version: STSv1\r\nmode: testing\r\nmx: in1-smtp.messagingengine.com\r\n"
        "mx: in2-smtp.messagingengine.com\r\nmax_age: 604800\r\n"
    )


def test_flattening_takes_the_networks_from_the_live_dns() -> None:
    live = Fixed({("spf.brevo.com", "TXT"): ["v=spf1 ip4:198.51.100.0/24 -all"]})
    spec = ZoneSpec(domain="example.org", mail=MailArgs(brevo=BrevoArgs(), spf_flatten=True), live=live)
    texts = compose(spec).get("example.org", "TXT").values
    assert "v=spf1 ip4:198.51.100.0/24 ~all" in texts


def test_a_zone_that_is_not_signed_is_said_when_the_dns_can_tell() -> None:
    spec = ZoneSpec(domain="example.org", live=Fixed({}))
    assert "dnssec-absent" in [one.code for one in compose(spec).findings]
    signed = ZoneSpec(domain="example.org", live=Fixed({("example.org", "DS"): ["1 13 2 00"]}))
    assert "dnssec-absent" not in [one.code for one in compose(signed).findings]


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (DmarcStage.MONITOR, "only reported"),
        (DmarcStage.QUARANTINE_TEST, "(test mode)"),
        (DmarcStage.REJECT, "refused"),
    ],
)
def test_the_summary_says_what_dmarc_does(stage: DmarcStage, words: str) -> None:
    value, _ = load(DNSRecordsArgs, {"domain": "example.org", "dmarc": {"stage": stage.value}})
    assert isinstance(value, DNSRecordsArgs)
    assert words in summarize(value.zone())


def test_check_zone_refuses_what_is_no_domain() -> None:
    assert [one.code for one in check_zone("", "localhost")] == ["domain"]


def test_check_zone_names_a_file_of_another_domain() -> None:
    found = check_zone("$ORIGIN example.net.\n@ 300 A 198.51.100.1\n", "example.org")
    assert [one.code for one in found] == ["zone-empty"]


def test_advice_never_stops_a_preview() -> None:
    value, _ = load(DNSRecordsArgs, {"domain": "example.org"})
    assert isinstance(value, DNSRecordsArgs)
    assert Severity.ADVICE in {one.severity for one in value.zone().findings}
    assert not value.problems()


def test_reports_of_other_domains_are_accepted() -> None:
    dmarc = {"stage": "reject", "accept_reports_of": ["example.net", "sub.example.com"]}
    value, _ = load(DNSRecordsArgs, {"domain": "example.org", "dmarc": dmarc})
    assert isinstance(value, DNSRecordsArgs)
    zone = value.zone()
    assert not errors(zone.findings)
    for name in ("example.net._report._dmarc.example.org", "sub.example.com._report._dmarc.example.org"):
        assert zone.get(name, "TXT").values == ("v=DMARC1",)
