"""SPF: the grammar, the count of lookups, merging and flattening."""

import ipaddress
from collections.abc import Mapping, Sequence

import dns.resolver
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierstack.dns_records.mail.spf import record as spf
from tierstack.dns_records.mail.spf.flatten import flatten
from tierstack.dns_records.mail.spf.lookups import LookupUnavailableError, count
from tierstack.dns_records.records.model import RecordSet
from tierstack.dns_records.resolve.names import Names
from tierstack.dns_records.resolve.resolvers import DnsResolver, FirstAnswer, default_resolver
from tierstack.dns_records.resolve.snapshot import SNAPSHOT, TAKEN, SnapshotResolver

DOMAIN = "example.org"


class Fixed:
    """Answers from a table; what is not in it does not exist."""

    def __init__(self, answers: Mapping[tuple[str, str], Sequence[str]]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str]] = []

    def lookup(self, name: str, type: str) -> list[str]:
        self.asked.append((name.rstrip("."), type))
        return list(self.answers.get((name.rstrip("."), type), []))


def spf_only(**records: str) -> Fixed:
    return Fixed({(name.replace("_dot_", "."), "TXT"): [text] for name, text in records.items()})


domains = st.lists(st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True), min_size=2, max_size=4).map(".".join)
qualifiers = st.sampled_from(["", "+", "-", "~", "?"])
terms = st.one_of(
    st.builds(lambda q, d: f"{q}include:{d}", qualifiers, domains),
    st.builds(lambda q, d: f"{q}a:{d}/24", qualifiers, domains),
    st.builds(lambda q: f"{q}mx", qualifiers),
    st.builds(lambda q, a: f"{q}ip4:{a}", qualifiers, st.ip_addresses(v=4)),
    st.builds(lambda q, a, n: f"{q}ip6:{a}/{n}", qualifiers, st.ip_addresses(v=6), st.integers(0, 128)),
    st.builds(lambda q, d: f"{q}exists:%{{i}}.{d}", qualifiers, domains),
)


@given(st.lists(terms, max_size=8))
def test_every_well_formed_record_parses_to_its_terms(words: list[str]) -> None:
    parsed = spf.parse(" ".join(["v=spf1", *words, "-all"]))
    assert not parsed.problems
    assert [term.text for term in parsed.terms] == [*words, "-all"]


@given(st.text(max_size=200))
def test_no_text_breaks_the_parser(text: str) -> None:
    spf.parse(text)
    spf.check(text, "x")
    spf.check(f"v=spf1 {text}", "x")
    count(f"v=spf1 {text}", DOMAIN, SnapshotResolver())


@given(st.lists(terms, max_size=8))
def test_a_merged_record_is_well_formed_and_has_each_term_once(words: list[str]) -> None:
    merged = spf.merge([words, words], "~all")
    parsed = spf.parse(merged)
    assert not parsed.problems
    assert sorted(term.text for term in parsed.terms) == sorted([*dict.fromkeys(words), "~all"])


def test_addresses_stand_before_what_costs_a_lookup() -> None:
    merged = spf.merge([["include:spf.brevo.com", "ip4:192.0.2.1"], ["mx", "ip6:2001:db8::1"]], "-all")
    assert merged == "v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 include:spf.brevo.com mx -all"


def test_the_order_stays_where_a_term_is_an_exception() -> None:
    merged = spf.merge([["include:spf.brevo.com"], ["-ip4:192.0.2.1", "ip4:192.0.2.0/24"]], "~all")
    assert merged == "v=spf1 include:spf.brevo.com -ip4:192.0.2.1 ip4:192.0.2.0/24 ~all"


@pytest.mark.parametrize(
    ("text", "lookups"),
    [
        ("v=spf1 a -all include:mailgun.org", 1),
        ("v=spf1 -all", 0),
        ("v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 exp=x.example.net -all", 0),
        ("v=spf1 include:_spf.google.com ~all", 1),
        ("v=spf1 include:spf.brevo.com ~all", 1),
        ("v=spf1 include:spf.protection.outlook.com -all", 1),
        ("v=spf1 include:amazonses.com -all", 1),
        ("v=spf1 include:spf.messagingengine.com ?all", 1),
        ("v=spf1 include:mailgun.org ~all", 5),
        ("v=spf1 redirect=mailgun.org", 5),
        ("v=spf1 ptr exists:%{i}.example.net include:%{d}.example.net -all", 3),
        ("v=spf1 -all redirect=_spf.google.com", 0),
    ],
)
def test_lookups_are_counted_through_includes(text: str, lookups: int) -> None:
    assert count(text, DOMAIN, SnapshotResolver()).lookups == lookups


def test_ten_lookups_pass_and_eleven_do_not() -> None:
    resolver = spf_only(**{f"n{n}_dot_example": "v=spf1 -all" for n in range(11)})
    ten = "v=spf1 " + " ".join(f"include:n{n}.example" for n in range(10)) + " -all"
    assert not count(ten, DOMAIN, resolver).findings
    eleven = ten.replace(" -all", " include:n10.example -all")
    assert [one.code for one in count(eleven, DOMAIN, resolver).findings] == ["spf-too-many-lookups"]


def test_two_void_lookups_pass_and_three_do_not() -> None:
    resolver = Fixed({})
    two = count("v=spf1 a:x.example mx:y.example -all", DOMAIN, resolver)
    assert (two.void, two.findings) == (2, [])
    three = count("v=spf1 a:x.example mx:y.example a:z.example -all", DOMAIN, resolver)
    assert [one.code for one in three.findings] == ["spf-too-many-void-lookups"]


def test_void_is_counted_by_the_family_of_the_sender() -> None:
    resolver = Fixed({(f"{n}.example", "AAAA"): ["2001:db8::1"] for n in "xyz"})
    report = count("v=spf1 a:x.example a:y.example a:z.example -all", DOMAIN, resolver)
    assert (report.void, report.void_v6) == (3, 0)
    assert [one.code for one in report.findings] == ["spf-void-lookups-by-family"]
    assert "senders over IPv4" in report.findings[0].message


def test_a_mail_exchanger_without_address_is_void() -> None:
    resolver = Fixed({(DOMAIN, "MX"): ["10 a.example.", "20 b.example."], ("a.example", "A"): ["198.51.100.1"]})
    report = count("v=spf1 mx -all", DOMAIN, resolver)
    assert (report.lookups, report.void, report.void_v6) == (1, 1, 2)


def test_eleven_mail_exchangers_are_too_many() -> None:
    hosts = [f"m{n}.example" for n in range(11)]
    found = {(one, kind): ["x"] for one in hosts for kind in ("A", "AAAA")}
    resolver = Fixed({(DOMAIN, "MX"): [f"10 {one}." for one in hosts], **found})
    assert [one.code for one in count("v=spf1 mx -all", DOMAIN, resolver).findings] == ["spf-too-many-mx"]


def test_a_circle_of_includes_ends() -> None:
    resolver = spf_only(a_dot_example="v=spf1 include:b.example -all", b_dot_example="v=spf1 include:a.example -all")
    report = count("v=spf1 include:a.example -all", DOMAIN, resolver)
    assert [one.code for one in report.findings] == ["spf-loop"]


def test_endless_includes_end() -> None:
    class Deeper:
        def lookup(self, name: str, type: str) -> list[str]:
            return [f"v=spf1 include:x{len(name)}.{name[-200:]} include:y.{name[-200:]} -all"]

    report = count("v=spf1 include:a.example -all", DOMAIN, Deeper())
    assert "spf-too-many-lookups" in [one.code for one in report.findings]
    assert report.lookups < 200


def test_what_nobody_knows_is_counted_once_and_said() -> None:
    report = count("v=spf1 include:_spf.unheard.example -all", DOMAIN, SnapshotResolver())
    assert report.lookups == 1
    assert report.unknown == ["_spf.unheard.example"]
    assert [one.code for one in report.findings] == ["spf-uncounted"]


def test_the_zone_answers_for_its_own_names() -> None:
    sets = [
        RecordSet(f"_spf.{DOMAIN}", "TXT", ("v=spf1 include:mailgun.org -all",)),
        RecordSet(f"alias.{DOMAIN}", "CNAME", (f"_spf.{DOMAIN}.",)),
    ]
    resolver = default_resolver(sets, DOMAIN)
    assert count(f"v=spf1 include:_spf.{DOMAIN} -all", DOMAIN, resolver).lookups == 6
    assert count(f"v=spf1 include:alias.{DOMAIN} -all", DOMAIN, resolver).lookups == 6
    assert Names(sets, DOMAIN).lookup(f"none.{DOMAIN}", "A") == []
    with pytest.raises(LookupUnavailableError):
        Names(sets, DOMAIN).lookup("example.net", "A")


def test_the_live_dns_goes_before_the_snapshot() -> None:
    live = spf_only(mailgun_dot_org="v=spf1 ip4:192.0.2.1 -all")
    assert count("v=spf1 include:mailgun.org -all", DOMAIN, default_resolver([], DOMAIN, live)).lookups == 1


def test_the_snapshot_stands_in_when_the_dns_is_out_of_reach() -> None:
    class Unreachable:
        def lookup(self, name: str, type: str) -> list[str]:
            raise LookupUnavailableError(name)

    assert count("v=spf1 include:mailgun.org -all", DOMAIN, FirstAnswer(Unreachable(), SnapshotResolver())).lookups == 5


def test_the_snapshot_is_dated_and_closed() -> None:
    assert len(TAKEN.split("-")) == 3
    included = {term.removeprefix("include:") for terms in SNAPSHOT.values() for term in terms}
    assert included <= SNAPSHOT.keys(), "every include of the snapshot is in it"


def test_the_dns_resolver_tells_absence_from_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns.resolver.NoAnswer, "__init__", lambda self, **_: Exception.__init__(self))
    answers: dict[tuple[str, str], Exception] = {
        ("gone.example", "TXT"): dns.resolver.NXDOMAIN(),
        ("bare.example", "TXT"): dns.resolver.NoAnswer(response=None),
        ("slow.example", "TXT"): dns.resolver.LifetimeTimeout(timeout=3, errors=[]),
        ("lost.example", "TXT"): OSError("network is unreachable"),
    }

    def resolve(self: object, name: str, type: str, search: bool) -> list[object]:
        raise answers[(name, type)]

    monkeypatch.setattr(dns.resolver.Resolver, "resolve", resolve)
    resolver = DnsResolver(nameservers=["192.0.2.53"])
    assert resolver.lookup("gone.example.", "TXT") == []
    assert resolver.lookup("bare.example", "TXT") == []
    for name in ("slow.example", "lost.example"):
        with pytest.raises(LookupUnavailableError):
            resolver.lookup(name, "TXT")


# --- flattening


def test_flattening_writes_the_networks_out() -> None:
    resolver = Fixed(
        {
            ("p.example", "TXT"): ["v=spf1 ip4:192.0.2.0/25 ip4:192.0.2.128/25 include:q.example a mx:m.example ~all"],
            ("q.example", "TXT"): ["v=spf1 ip6:2001:db8::/32 -all"],
            ("p.example", "A"): ["198.51.100.1"],
            ("m.example", "MX"): ["10 mx.example."],
            ("mx.example", "AAAA"): ["2001:db8:1::5"],
        }
    )
    flat = flatten("v=spf1 mx include:p.example ~all", DOMAIN, resolver, 3600)
    assert flat.text == "v=spf1 ip4:192.0.2.0/24 ip4:198.51.100.1 ip6:2001:db8::/32 mx ~all"
    assert not flat.extra
    assert not flat.findings


@pytest.mark.parametrize(
    "inner",
    [
        "v=spf1 exists:%{i}.x.example -all",
        "v=spf1 ptr -all",
        "v=spf1 -ip4:192.0.2.1 ip4:192.0.2.0/24 -all",
        "v=spf1 a/24 -all",
        "v=spf1 include:p.example -all",
    ],
)
def test_what_is_more_than_networks_stays_an_include(inner: str) -> None:
    flat = flatten("v=spf1 include:p.example -all", DOMAIN, spf_only(p_dot_example=inner), 3600)
    assert flat.text == "v=spf1 include:p.example -all"
    assert [one.code for one in flat.findings] == ["spf-not-flattened"]


def test_a_record_with_an_exception_is_not_flattened() -> None:
    text = "v=spf1 -ip4:192.0.2.1 include:p.example -all"
    flat = flatten(text, DOMAIN, spf_only(p_dot_example="v=spf1 ip4:192.0.2.0/24 -all"), 3600)
    assert flat.text == text
    assert [one.code for one in flat.findings] == ["spf-not-flattened"]


def test_many_networks_go_into_records_of_their_own() -> None:
    networks = [f"ip4:{ipaddress.ip_address(0x0A000000 + n * 1024)}" for n in range(80)]
    resolver = spf_only(p_dot_example=" ".join(["v=spf1", *networks, "-all"]))
    flat = flatten("v=spf1 include:p.example -all", DOMAIN, resolver, 3600)
    assert flat.text == f"v=spf1 include:_spf1.{DOMAIN} include:_spf2.{DOMAIN} include:_spf3.{DOMAIN} -all"
    assert all(len(one.value) <= spf.MAX_RECORD_OCTETS for one in flat.extra)
    kept = [term.text for one in flat.extra for term in spf.parse(one.value).named("ip4")]
    assert kept == networks


def test_too_many_networks_are_an_error() -> None:
    networks = [f"ip4:{ipaddress.ip_address(0x0A000000 + n * 1024)}" for n in range(400)]
    resolver = spf_only(p_dot_example=" ".join(["v=spf1", *networks, "-all"]))
    flat = flatten("v=spf1 include:p.example -all", DOMAIN, resolver, 3600)
    assert [one.code for one in flat.findings] == ["spf-flattening-too-long"]
