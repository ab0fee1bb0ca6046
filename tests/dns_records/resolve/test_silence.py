"""Name servers that do not answer: a question is asked once, and what had no answer is said."""

import socket
from collections import Counter
from collections.abc import Iterator
from typing import Any

import dns.resolver
import pytest

from tierstack.dns_records import args as dns_args
from tierstack.dns_records.args import DNSRecordsArgs, WebHostArgs
from tierstack.dns_records.options import MailArgs
from tierstack.dns_records.resolve.names import LookupUnavailableError
from tierstack.dns_records.resolve.resolvers import DnsResolver


@pytest.fixture
def silent() -> Iterator[DnsResolver]:
    """A resolver whose name server takes every question and answers none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        resolver = DnsResolver(timeout=0.2, nameservers=["127.0.0.1"])
        resolver._resolver.port = server.getsockname()[1]
        yield resolver


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> "Counter[tuple[str, str]]":
    """How often each question went to the name servers."""
    count: Counter[tuple[str, str]] = Counter()
    real = dns.resolver.Resolver.resolve

    def resolve(self: Any, name: Any, type: Any, **options: Any) -> Any:
        count[str(name), str(type)] += 1
        return real(self, name, type, **options)

    monkeypatch.setattr(dns.resolver.Resolver, "resolve", resolve)
    return count


def test_silence_is_remembered(silent: DnsResolver, asked: "Counter[tuple[str, str]]") -> None:
    for _ in range(3):
        with pytest.raises(LookupUnavailableError):
            silent.lookup("Example.org.", "TXT")
    assert asked == {("example.org", "TXT"): 1}


def test_servers_that_never_answered_are_asked_no_more(silent: DnsResolver, asked: "Counter[tuple[str, str]]") -> None:
    for name in ("a.example", "b.example", "c.example", "d.example"):
        with pytest.raises(LookupUnavailableError):
            silent.lookup(name, "A")
    assert asked == {("a.example", "A"): 1, ("b.example", "A"): 1}


def test_a_server_that_answers_others_is_asked_on(silent: DnsResolver, asked: "Counter[tuple[str, str]]") -> None:
    silent._answers = 1
    for name in ("a.example", "b.example", "c.example"):
        with pytest.raises(LookupUnavailableError):
            silent.lookup(name, "A")
    assert len(asked) == 3


def test_a_zone_says_what_had_no_answer(
    silent: DnsResolver, asked: "Counter[tuple[str, str]]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dns_args, "system_resolver", lambda: silent)
    mail = MailArgs(spf_terms=["include:_spf.elsewhere.test", "a:mail.elsewhere.test"])
    args = DNSRecordsArgs(domain="shop.example", web=[WebHostArgs(ipv4=["203.0.113.10"])], mail=mail, live_dns=True)
    zone = args.zone()
    (said,) = [one for one in zone.findings if one.code == "dns-unanswered"]
    assert "_spf.elsewhere.test TXT" in said.message
    assert set(asked.values()) == {1}
    args.problems()
    args.zone()
    assert set(asked.values()) == {1}


def test_a_zone_that_asks_nobody_says_nothing_of_it() -> None:
    args = DNSRecordsArgs(domain="shop.example", web=[WebHostArgs(ipv4=["203.0.113.10"])])
    assert "dns-unanswered" not in {one.code for one in args.zone().findings}
