"""No zone text breaks the judge, and what costs time costs it in proportion to the text."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierstack.core.diagnostics import Diagnostic
from tierstack.dns_records.zone.check import check_zone

DOMAIN = "example.org"

_OWNERS = (
    *("@", "www", "*", "a.b", "*.a", "_dmarc", "_mta-sts", "_smtp._tls", "default._bimi", "s1._domainkey"),
    *("*._domainkey", "example.org.", "example.net.", "sub", "x.sub", "mta-sts", "", "a..b", "b\\252c", "-"),
)
_TARGETS = ("@", "www", "a.b", "nowhere", "x.sub", "example.net.", ".", "198.51.100.1", "*", "www.a")
_WORDS = (
    *(
        "v=spf1",
        "-all",
        "~all",
        "?all",
        "include:www.example.org",
        "a:a.b.example.org",
        "mx",
        "redirect=_dmarc.example.org",
    ),
    *("v=DMARC1;", "p=none;", "p:x;", "rua=mailto:a@example.org,https://x;", "v=STSv1;", "id=1;", "v=TLSRPTv1;"),
    *("v=BIMI1;", "l=https://[;", "v=DKIM1;", "k=rsa;", "p=AAAA;", "p=;", "t=s:y;", "ip4:1.2.3.4/", "%{", "exp=%{d}"),
    "rua=mailto://[x@y]",
)

owners = st.sampled_from(_OWNERS)
targets = st.sampled_from(_TARGETS)
texts = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(_WORDS), max_size=6).map(" ".join))
values = st.one_of(
    targets.map("CNAME {}".format),
    targets.map("NS {}".format),
    targets.map("MX 10 {}".format),
    targets.map("SRV 0 1 2 {}".format),
    targets.map("DNAME {}".format),
    targets.map("HTTPS 1 {}".format),
    st.sampled_from(
        ["A 198.51.100.1", "AAAA ::1", "DS 1 13 2 00", "LOC 1 N 1 E 1m", "SPF x", "NOTYPE x", "TXT (", 'TXT "']
    )
    | texts.map(lambda text: 'TXT "' + text.replace("\\", "").replace('"', "").replace("\n", " ") + '"')
    | st.sampled_from(['CAA 0 issue ";"', 'CAA 128 x "y"', 'CAA 0 wildissue "a"', 'CAA 0 iodef "http://["']),
)
lines = st.one_of(
    st.builds("{} 300 IN {}".format, owners, values),
    st.sampled_from(["$TTL x", "$ORIGIN a.", "$ORIGIN", "$INCLUDE x", "$GENERATE 1-3 h$ A 198.51.100.$", "$UNICODE 2008", "; x", ")"]),
    st.text(max_size=40),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(lines, max_size=12).map("\n".join))
def test_no_zone_breaks_the_judge(text: str) -> None:
    assert all(isinstance(one, Diagnostic) for one in check_zone(text, DOMAIN))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_no_octets_break_the_judge(octets: bytes) -> None:
    check_zone(octets, DOMAIN)


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_every_coding_of_an_editor_is_read(coding: str) -> None:
    zone = '@ A 198.51.100.1 ; für alle\n@ TXT "v=spf1 -all"\n@ MX 0 .\n_dmarc TXT "v=DMARC1; p=reject"\n'
    assert not {one.code for one in check_zone(zone.encode(coding), DOMAIN)} & {"zone-syntax", "zone-empty"}


def test_a_binary_file_is_said() -> None:
    assert [one.code for one in check_zone(b"\x7fELF\x00\x01", DOMAIN)] == ["zone-syntax"]


def unclosed(count: int) -> str:
    return 'x TXT ( "a"\n' + "".join(f"h{n} A 198.51.100.{n % 250 + 1}\n" for n in range(count))


def broken(count: int) -> str:
    return "".join(f"h{n} A nowhere\n" if n < 40 else f"h{n} A 198.51.100.1\n" for n in range(count))


def aliases(count: int) -> str:
    return "".join(f"h{n} CNAME h{n + 1}\n" for n in range(count)) + f"h{count} CNAME h0\n"


def exchangers(count: int) -> str:
    return "".join(f"h{n} MX 10 m{n}\nm{n} A 198.51.100.1\n" for n in range(count // 2))


def senders(count: int) -> str:
    return "".join(
        f'h{n} TXT "v=spf1 a:h{n + 1}.example.org include:h{n + 1}.example.org -all"\n' for n in range(count // 20)
    )


@pytest.mark.parametrize("make", [unclosed, broken, aliases, exchangers, senders], ids=lambda make: make.__name__)
def test_twice_the_text_takes_about_twice_the_time(make: Callable[[int], str]) -> None:
    """Quadratic time would be fourfold; 3 leaves room for memory. On a busy machine a try may cost more, never less, so
    the least of up to ten counts."""
    short, long = make(4000), make(8000)
    tries = [(cpu_seconds(short), cpu_seconds(long))]
    while len(tries) < 10 and min(one for _, one in tries) > 3 * min(one for one, _ in tries):
        tries.append((cpu_seconds(short), cpu_seconds(long)))
    assert min(one for _, one in tries) <= 3 * min(one for one, _ in tries)


def cpu_seconds(zone: str) -> float:
    start = time.process_time()
    check_zone(zone, DOMAIN)
    return time.process_time() - start
