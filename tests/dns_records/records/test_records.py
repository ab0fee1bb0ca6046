"""Names, values, strings of TXT, and zone files that read back as what was written."""

import ipaddress
from collections.abc import Iterable

import dns.zone
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierstack.dns_records.records.model import (
    Record,
    RecordError,
    RecordSet,
    absolute,
    canonical_value,
    chunks,
    decode_txt,
    group,
    quoted,
    record,
    relative,
    txt_text,
)
from tierstack.dns_records.records.zonefile import parse, render

DOMAIN = "example.org"

labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
names = st.lists(labels, max_size=3).map(lambda parts: ".".join([*parts, DOMAIN]))
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=700)
ttls = st.integers(60, 604_800)
hosts = names.map(lambda name: f"{name}.")
sets = st.one_of(
    st.builds(lambda n, v, t: Record(n, "A", str(v), t), names, st.ip_addresses(v=4), ttls),
    st.builds(lambda n, v, t: Record(n, "AAAA", str(v), t), names, st.ip_addresses(v=6), ttls),
    st.builds(lambda n, v, t: Record(n, "TXT", v, t), names, texts, ttls),
    st.builds(lambda n, p, h, t: Record(n, "MX", f"{p} {h}", t), names, st.integers(0, 65535), hosts, ttls),
    st.builds(lambda n, h, t: Record(n, "CNAME", h, t), names, hosts, ttls),
    st.builds(lambda n, i, t: Record(n, "CAA", f'0 issue "{i}"', t), names, names, ttls),
)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=2000))
def test_chunks_join_to_the_text_and_none_is_too_long(text: str) -> None:
    parts = chunks(text)
    assert decode_txt(parts) == text
    assert all(len(part) <= 255 for part in parts)
    # Every string but the last is full: no more strings than needed (RFC 7208 §3.3 joins them without a space).
    assert all(len(part) == 255 for part in parts[:-1])


@given(texts)
def test_a_quoted_text_reads_back(text: str) -> None:
    assert txt_text(quoted(text)) == text


@given(st.binary(min_size=1, max_size=400))
def test_octets_that_are_no_utf8_survive(octets: bytes) -> None:
    text = decode_txt([octets])
    assert b"".join(chunks(text)) == octets
    assert txt_text(quoted(text)) == text


@given(st.lists(sets, max_size=12))
def test_a_zone_file_reads_back_as_the_same_sets(records: Iterable[Record]) -> None:
    written = group(records)
    read, findings = parse(render(written, DOMAIN, 3600), DOMAIN)
    assert read == [
        RecordSet(one.name, one.type, tuple(sorted(_canonical(one, v) for v in one.values)), one.ttl) for one in written
    ]
    assert not findings


def _canonical(one: RecordSet, value: str) -> str:
    return str(ipaddress.ip_address(value)) if one.type in ("A", "AAAA") else value


def test_dnspython_reads_the_zone_file_as_a_zone() -> None:
    written = [
        RecordSet(DOMAIN, "A", ("198.51.100.1",)),
        RecordSet(f"www.{DOMAIN}", "CNAME", (f"{DOMAIN}.",), 300),
    ]
    zone = dns.zone.from_text(render(written, DOMAIN, 3600), origin=DOMAIN, check_origin=False)
    assert zone.get_rdataset("@", "A").ttl == 3600
    assert zone.get_rdataset("www", "CNAME").ttl == 300


def test_a_zone_file_without_ttl_has_the_default() -> None:
    read, findings = parse("www A 198.51.100.1\n", DOMAIN)
    assert not findings
    assert read == [RecordSet(f"www.{DOMAIN}", "A", ("198.51.100.1",), 3600)]


def test_the_hosts_own_records_are_left_alone() -> None:
    text = "@ SOA ns.example.org. admin.example.org. 1 2 3 4 5\n@ NS ns.example.net.\n@ DNSKEY 257 3 13 AAAA\n"
    read, findings = parse(text, DOMAIN)
    assert not findings
    assert [one.type for one in read] == ["NS"]


def test_each_line_that_cannot_be_read_is_named() -> None:
    text = "$TTL 300\nwww A 1.2.3\nftp A 198.51.100.1\n\nmail MX mail\nlast NOTYPE x\n"
    read, findings = parse(text, DOMAIN)
    assert [one.path for one in findings] == ["line 2", "line 5", "line 6"]
    assert [one.name for one in read] == ["ftp.example.org"]


def test_an_unclosed_parenthesis_is_named() -> None:
    _, findings = parse('@ TXT ( "a"\nwww A 198.51.100.1\n', DOMAIN)
    assert findings[0].code == "zone-syntax"


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("@", "example.org"),
        ("www", "www.example.org"),
        ("WWW", "www.example.org"),
        ("www.example.net.", "www.example.net"),
        ("*", "*.example.org"),
        ("bücher", "xn--bcher-kva.example.org"),
        ("_dmarc", "_dmarc.example.org"),
    ],
)
def test_names_become_absolute(name: str, full: str) -> None:
    assert absolute(name, DOMAIN) == full


@pytest.mark.parametrize("name", ["a..b", "x" * 64, ".".join(["x" * 60] * 5), "a b\\"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(RecordError, match="is not a DNS name"):
        absolute(name, DOMAIN)


@given(names)
def test_relative_and_absolute_are_inverse(name: str) -> None:
    assert absolute(relative(name, DOMAIN), DOMAIN) == name


def test_a_name_outside_stays_absolute() -> None:
    assert relative("example.net", DOMAIN) == "example.net."
    assert relative("notexample.org", DOMAIN) == "notexample.org."


@pytest.mark.parametrize(
    ("kind", "value", "canonical"),
    [
        ("MX", "10 Mail", "10 mail.example.org."),
        ("CNAME", "@", "example.org."),
        ("AAAA", "2001:DB8:0::1", "2001:db8::1"),
        ("CAA", "0 issue letsencrypt.org", '0 issue "letsencrypt.org"'),
        ("TXT", '"a" "b"', "ab"),
        ("TXT", "a b", "a b"),
        ("SRV", "0 1 443 WWW", "0 1 443 www.example.org."),
    ],
)
def test_values_have_one_form(kind: str, value: str, canonical: str) -> None:
    assert canonical_value(kind, value, DOMAIN) == canonical


def test_the_lowest_ttl_of_a_set_counts() -> None:
    one, two = (record("www", "A", f"198.51.100.{n}", DOMAIN, ttl) for n, ttl in ((1, 600), (2, 300)))
    assert group([one, two, one]) == [RecordSet("www.example.org", "A", ("198.51.100.1", "198.51.100.2"), 300)]
    assert group([one])[0].records() == [one]


def test_types_that_belong_to_the_dns_host_are_refused() -> None:
    with pytest.raises(RecordError, match="`SOA` is not a record type"):
        record("@", "SOA", "a. b. 1 2 3 4 5", DOMAIN)


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("b\u00fccher IN A 198.51.100.1", "xn--bcher-kva"),
        ("shop CNAME b\u00fccher.example.", "xn--bcher-kva.example."),
        ("shop CNAME (b\u00fccher.example.)", "xn--bcher-kva.example."),
        ('x IN TXT "b\u00fccher" ; b\u00fccher', None),
    ],
)
def test_a_name_in_its_own_letters_gets_advice(line: str, meant: str | None) -> None:
    _, found = parse(f"{line}\n", "example.org")
    assert [one.code for one in found] == (["name-letters"] if meant else [])
    assert all(meant in one.hint for one in found if meant)


def test_a_range_whose_values_are_in_quotes_makes_what_bind_makes() -> None:
    text = '$GENERATE 1-2 t$ TXT "a $ b"\n$GENERATE 1-2 m$ MX "10 mail"\n'
    sets, found = parse(text, "example.org")
    assert not found
    made = {one.key: one.values for one in sets}
    assert made["m2.example.org MX"] == ("10 mail.example.org.",)
    assert set(made) == {f"{kind}{n}.example.org {type}" for kind, type in (("t", "TXT"), ("m", "MX")) for n in (1, 2)}


def test_a_rare_type_makes_its_name_exist_and_hides_no_slip() -> None:
    sets, found = parse("box MB mail\nx TXT a MB b\ny A MB \n", "example.org")
    assert "box.example.org" in {one.name for one in sets}
    assert [one.path for one in found] == ["line 3"]


@pytest.mark.parametrize("line", ["b\u00fccher{} A 198.51.100.1", "h{} ALIAS lb.example.net."])
def test_only_lines_that_cannot_be_read_make_a_file_none(line: str) -> None:
    sets, found = parse("".join(f"{line.format(n)}\n" for n in range(60)), "example.org")
    assert (len(sets), len(found)) == (60, 60)
