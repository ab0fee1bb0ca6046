"""DKIM, DMARC, CAA, MTA-STS and BIMI: what is built, parsed and agreed upon."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dns_records.mail.test_spf import Fixed
from tests.dns_records.samples import CASES, rsa_key
from tierstack.core.diagnostics import Diagnostic, Severity
from tierstack.dns_records.mail import bimi, mx, tags, tls_rpt
from tierstack.dns_records.mail.dkim import record as dkim
from tierstack.dns_records.mail.dmarc import record as dmarc
from tierstack.dns_records.mail.mta_sts import record as mta_sts
from tierstack.dns_records.options import DmarcStage, MtaStsMode
from tierstack.dns_records.records.model import Record, RecordSet
from tierstack.dns_records.rules import advice, error, ordered
from tierstack.dns_records.zone import caa

DOMAIN = "example.org"


def codes(found: list[Diagnostic]) -> list[str]:
    return [one.code for one in found]


# --- findings


def test_findings_are_ordered_worst_first_and_once() -> None:
    mild = advice("caa-absent", "example.org", "m", "h")
    bad = error("spf-twice", "example.org TXT", "m", "h")
    assert ordered([mild, bad, mild]) == [bad, mild]
    assert bad.line == "example.org TXT: m; h [spf-twice, RFC 7208 §4.5]"
    assert error("option-value", "x", "m", "h", source="RFC 1035 §2.3").source == "RFC 1035 §2.3"


# --- tag lists


@given(st.text(max_size=300))
def test_no_text_breaks_the_parsers(text: str) -> None:
    tags.parse(text)
    for check in (dkim.check, dmarc.check, mta_sts.check, tls_rpt.check):
        check(text, "x")
        check(f"v=DKIM1; {text}", "x")
        check(f"v=DMARC1; {text}", "x")
    bimi.check(text, "x", text)
    caa.check([text], "x")


tag_names = st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True)
tag_values = st.text(st.characters(codec="ascii", exclude_characters=";", exclude_categories=["C"]), max_size=20).map(
    str.strip
)


@given(st.dictionaries(tag_names, tag_values, min_size=1, max_size=6))
def test_tags_read_back(pairs: dict[str, str]) -> None:
    parsed = tags.parse(tags.render(list(pairs.items())))
    assert not parsed.problems
    assert dict(parsed.pairs) == pairs


def test_a_tag_twice_is_a_problem() -> None:
    (twice,) = tags.parse("v=1; p=2; p=3").problems
    assert (twice.message, twice.hint) == ("the tag `p` stands twice", "keep one `p=`")
    assert not tags.parse("v=1; rua=2; rua=3", repeated=("rua",)).problems


@pytest.mark.parametrize(
    ("part", "fix"),
    [
        ("p:reject", "write `p=reject`"),
        ("", "remove the second `;`"),
        ("nonsense", "write a tag and `=` before `nonsense`, or remove it"),
        ("p\u00a0: x", "write it with plain letters and spaces"),
    ],
)
def test_a_tag_that_is_none_says_what_was_meant(part: str, fix: str) -> None:
    (slip,) = tags.parse(f"v=1; {part}; x=y").problems
    assert slip.message.startswith(f"`{part}` is not of the form tag=value")
    assert slip.hint == fix


# --- DKIM


@pytest.mark.parametrize("bits", [512, 1024, 1536, 2048, 3072, 4096])
@pytest.mark.parametrize("wrapped", [True, False])
def test_the_length_of_a_key_is_read_from_its_der(bits: int, wrapped: bool) -> None:
    assert dkim.rsa_bits(base64.b64decode(rsa_key(bits, wrapped=wrapped))) == bits


@pytest.mark.parametrize(("file", "kind"), [("rsa2048.pub.pem", "rsa"), ("ed25519.pub.pem", "ed25519")])
def test_keys_made_by_openssl_are_published_as_they_are(file: str, kind: str) -> None:
    text = dkim.key_record((CASES / file).read_text())
    assert text.startswith(f"v=DKIM1; k={kind}; p=")
    assert not dkim.check(text, "x")


@given(st.binary(max_size=300))
def test_no_octets_break_the_key_reader(octets: bytes) -> None:
    text = f"v=DKIM1; k=rsa; p={base64.b64encode(octets).decode()}"
    assert all(one.severity in Severity for one in dkim.check(text, "x"))


def test_a_withdrawn_key_is_said_and_no_mistake() -> None:
    assert codes(dkim.check(dkim.revoked_record(), "x")) == ["dkim-revoked"]
    assert codes(dkim.check("p=", "x")) == ["dkim-no-version", "dkim-revoked"]


@pytest.mark.parametrize(
    ("selector", "good"), [("2026a", True), ("a.b", True), ("-a", False), ("a_b", False), ("", False)]
)
def test_selectors_are_labels(selector: str, good: bool) -> None:
    assert (dkim.selector_problem(selector) is None) is good


def test_one_selector_is_advised_against_two_are_not() -> None:
    key = f"v=DKIM1; k=rsa; p={rsa_key(2048)}"
    one = Record(f"a._domainkey.{DOMAIN}", "TXT", key)
    two = Record(f"b._domainkey.{DOMAIN}", "TXT", key)
    gone = Record(f"c._domainkey.{DOMAIN}", "TXT", dkim.revoked_record())
    assert codes(dkim.check_keys([one, gone], [], DOMAIN)) == ["dkim-one-selector"]
    assert not dkim.check_keys([one, two], [], DOMAIN)
    assert not dkim.check_keys([], [], DOMAIN)


# --- DMARC


def test_the_ramp_only_becomes_stricter() -> None:
    strength = [(dmarc.POLICIES.index(dmarc.policy(dmarc.build(stage))), stage) for stage in dmarc.RAMP]
    assert strength == sorted(strength, key=lambda pair: pair[0])
    assert list(dmarc.RAMP) == list(DmarcStage)


@pytest.mark.parametrize(
    ("stage", "text", "effect"),
    [
        (DmarcStage.MONITOR, "v=DMARC1; p=none", "none"),
        (DmarcStage.QUARANTINE_TEST, "v=DMARC1; p=quarantine; t=y", "none"),
        (DmarcStage.QUARANTINE, "v=DMARC1; p=quarantine", "quarantine"),
        (DmarcStage.REJECT_TEST, "v=DMARC1; p=reject; t=y", "quarantine"),
        (DmarcStage.REJECT, "v=DMARC1; p=reject", "reject"),
    ],
)
def test_each_step_of_the_ramp(stage: DmarcStage, text: str, effect: str) -> None:
    assert dmarc.build(stage) == text
    assert dmarc.policy(text) == effect


def test_a_full_policy() -> None:
    text = dmarc.build(
        DmarcStage.REJECT,
        rua=["dmarc@example.org", "mailto:x@example.net"],
        ruf=["fail@example.org"],
        sp="quarantine",
        np="reject",
        strict_dkim=True,
        strict_spf=True,
        fo="1:d",
        psd=True,
    )
    assert text == (
        "v=DMARC1; p=reject; sp=quarantine; np=reject; psd=y; rua=mailto:dmarc@example.org,mailto:x@example.net; "
        "ruf=mailto:fail@example.org; fo=1:d; adkim=s; aspf=s"
    )
    assert codes(dmarc.check(text, "x")) == ["dmarc-weaker-subdomains"]


@given(
    st.sampled_from(list(DmarcStage)),
    st.lists(st.sampled_from(["a@b.example", "x!y@b.example", "c@d.example"]), max_size=3),
)
def test_what_is_built_is_good(stage: DmarcStage, rua: list[str]) -> None:
    text = dmarc.build(stage, rua=rua)
    assert not [one for one in dmarc.check(text, "x") if one.severity is Severity.ERROR]
    assert len(dmarc.addresses(tags.parse(text), "rua")) == len(rua)


def test_reports_outside_need_the_receivers_consent() -> None:
    text = dmarc.build(DmarcStage.REJECT, rua=["a@example.org", "b@mail.example.org", "c@reports.example.net"])
    assert dmarc.external_destinations(text, DOMAIN) == ["reports.example.net"]
    needed = dmarc.authorisation(DOMAIN, "reports.example.net")
    assert (needed.name, needed.value) == ("example.org._report._dmarc.reports.example.net", "v=DMARC1")
    agreed = Fixed({(needed.name, "TXT"): ["v=DMARC1;"]})
    assert not dmarc.check_destinations(text, DOMAIN, "x", agreed)
    assert codes(dmarc.check_destinations(text, DOMAIN, "x", Fixed({}))) == ["dmarc-external-refused"]
    assert not dmarc.check_destinations(text, DOMAIN, "x", Fixed({}), agreed=["reports.example.net"])


@pytest.mark.parametrize("text", ["v=DMARC1", "v=DMARC1;", "v = DMARC1 ; p=none"])
def test_what_is_a_policy(text: str) -> None:
    assert dmarc.is_dmarc(text)


@pytest.mark.parametrize("text", ["v=DMARC12; p=none", "v=dmarc1; p=none", "p=none; v=DMARC1"])
def test_what_is_no_policy(text: str) -> None:
    assert not dmarc.is_dmarc(text)


# --- CAA


def caa_set(name: str, *values: str) -> RecordSet:
    return RecordSet(name, "CAA", values)


def test_values_are_built_as_issuers_read_them() -> None:
    built = caa.build("issue", "letsencrypt.org", "https://acme.example/acct/1", ["dns-01", "http-01"])
    assert built == (
        '0 issue "letsencrypt.org; accounturi=https://acme.example/acct/1; validationmethods=dns-01,http-01"'
    )
    assert not caa.check([built], "x")
    assert caa.build("issue", "") == '0 issue ";"'


@pytest.mark.parametrize(
    ("sets", "name", "issuer", "agreed"),
    [
        ([], "example.org", "letsencrypt.org", True),
        ([caa_set(DOMAIN, '0 issue "letsencrypt.org"')], "a.b.example.org", "letsencrypt.org", True),
        ([caa_set(DOMAIN, '0 issue "letsencrypt.org"')], "a.b.example.org", "sectigo.com", False),
        ([caa_set(DOMAIN, '0 issue ";"')], "example.org", "letsencrypt.org", False),
        ([caa_set(DOMAIN, '0 iodef "mailto:a@example.org"')], "example.org", "letsencrypt.org", True),
        ([caa_set(DOMAIN, '0 issue "sectigo.com"', '0 issuewild "letsencrypt.org"')], "*.example.org", "letsencrypt.org", True),
        ([caa_set(DOMAIN, '0 issue "letsencrypt.org"', '0 issuewild ";"')], "*.example.org", "letsencrypt.org", False),
        ([caa_set(DOMAIN, '0 issue "letsencrypt.org"', '0 issuewild ";"')], "www.example.org", "letsencrypt.org", True),
        ([caa_set(DOMAIN, '0 issue "sectigo.com"'), caa_set(f"b.{DOMAIN}", '0 issue "letsencrypt.org"')],
         "a.b.example.org", "letsencrypt.org", True),
        # Without `issuewild`, `issue` holds for wildcards too (cert-manager/cert-manager#1587).
        ([caa_set(DOMAIN, '0 issue "letsencrypt.org"')], "*.example.org", "letsencrypt.org", True),
        # The set of the host to which an alias leads (kubernetes/k8s.io#3795).
        ([RecordSet(f"docs.{DOMAIN}", "CNAME", (f"site.{DOMAIN}.",)), caa_set(f"site.{DOMAIN}", '0 issue "sectigo.com"')],
         "docs.example.org", "letsencrypt.org", False),
        # A CAA at the wildcard is for the hosts that it answers for (acmesh-official/acme.sh#1611).
        ([caa_set(f"*.{DOMAIN}", '0 issue "sectigo.com"')], "*.example.org", "letsencrypt.org", True),
        ([caa_set(f"*.{DOMAIN}", '0 issue "sectigo.com"')], "x.example.org", "letsencrypt.org", False),
    ],
)  # fmt: skip
def test_the_nearest_set_decides(sets: list[RecordSet], name: str, issuer: str, agreed: bool) -> None:
    assert (not caa.agrees(sets, DOMAIN, name, issuer)) is agreed


# --- MX, MTA-STS, TLS-RPT


def test_targets_come_in_order_of_preference() -> None:
    assert mx.targets(["20 b.example.", "10 a.example."]) == ["a.example", "b.example"]
    assert mx.targets(["0 ."]) == []
    assert mx.is_null(["0 ."])
    assert not mx.is_null(["0 a.example."])


def test_the_policy_file_and_its_id() -> None:
    text = mta_sts.policy_text(MtaStsMode.ENFORCE, ["a.example", "*.b.example"], 604800)
    assert text == "version: STSv1\r\nmode: enforce\r\nmx: a.example\r\nmx: *.b.example\r\nmax_age: 604800\r\n"
    assert not mta_sts.check(mta_sts.record_text(text), "x")


@given(st.lists(st.integers(1, mta_sts.LONGEST_POLICY), min_size=2, max_size=2, unique=True))
def test_the_id_changes_exactly_with_the_policy(ages: list[int]) -> None:
    one, two = (mta_sts.policy_text(MtaStsMode.TESTING, ["a.example"], age) for age in ages)
    assert mta_sts.policy_id(one) != mta_sts.policy_id(two)
    assert mta_sts.policy_id(one) == mta_sts.policy_id(one)


@pytest.mark.parametrize(
    ("pattern", "host", "covered"),
    [("a.example", "a.example", True), ("*.example", "a.example", True), ("*.example", "a.b.example", False), ("a.example", "b.example", False)],
)  # fmt: skip
def test_patterns_cover_one_label(pattern: str, host: str, covered: bool) -> None:
    assert mta_sts.covers(pattern, host) is covered


def test_an_enforced_policy_of_an_hour_is_warned_of() -> None:
    assert codes(mta_sts.check_policy(MtaStsMode.ENFORCE, ["a.example"], ["a.example"], 3600, "x")) == ["sts-short"]


def test_tls_reports() -> None:
    assert tls_rpt.record_text(["a@example.org", "https://example.net/tls"]) == (
        "v=TLSRPTv1; rua=mailto:a@example.org,https://example.net/tls"
    )


# --- BIMI


def test_a_refusal_to_take_part_needs_nothing() -> None:
    assert not bimi.check("v=BIMI1; l=; a=;", "x", None)


@pytest.mark.parametrize("policy", [None, "v=DMARC1; p=none", "v=DMARC1; p=reject; sp=none"])
def test_a_logo_needs_an_enforcing_policy(policy: str | None) -> None:
    text = bimi.record_text("https://example.org/logo.svg", "https://example.org/vmc.pem")
    assert codes(bimi.check(text, "x", policy)) == ["bimi-not-enforced"]
    assert not bimi.check(text, "x", "v=DMARC1; p=reject; t=y")
