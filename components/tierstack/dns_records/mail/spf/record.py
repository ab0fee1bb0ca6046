"""SPF records (RFC 7208): judge them, and merge the needs of several senders into one record."""

import ipaddress
from collections.abc import Iterable, Sequence

from tierstack.core.diagnostics import Diagnostic
from tierstack.dns_records.mail.spf.grammar import Spf, Term, is_spf, network, parse, unlikely_host
from tierstack.dns_records.records.model import TXT_STRING_OCTETS
from tierstack.dns_records.rules import ERROR, WARNING, declare, error, warning

declare("spf-after-all", "Nothing stands after `all`, where nobody reads it.", "RFC 7208 §5.1", WARNING)
declare("spf-duplicate-term", "An SPF record has each term once.", "RFC 7208 §4.6.4", WARNING)
declare("spf-host-bits", "A network in SPF has no bits beyond its prefix.", "RFC 7208 §5.6", WARNING)
declare("spf-host-name", "Names in SPF are names of hosts.", "RFC 7208 §4.3, RFC 1123 §2.1", ERROR, WARNING)
declare("spf-ignored-term", "SPF has no terms that receivers do not know.", "RFC 7208 §6", ERROR)
declare("spf-long", "An SPF record fits into a DNS answer over UDP.", "RFC 7208 §3.4", WARNING)
declare("spf-neutral-all", "SPF says something of other senders: `~all` or `-all`.", "RFC 7208 §8.2", WARNING)
declare("spf-no-all", "SPF ends with `all` or a redirect.", "RFC 7208 §4.7", WARNING)
declare("spf-pass-all", "SPF does not let everybody send as the domain.", "RFC 7208 §5.1", ERROR)
declare(
    "spf-private-network", "Networks in SPF are public ones, which receivers see.", "RFC 1918 §3, RFC 4193 §1", WARNING
)
declare("spf-ptr", "SPF does not use `ptr`, which receivers skip.", "RFC 7208 §5.5", WARNING)
declare("spf-redirect-ignored", "A redirect of SPF does not stand beside `all`, which wins.", "RFC 7208 §6.1", WARNING)
declare("spf-syntax", "Every term of SPF can be read.", "RFC 7208 §4.6.1", ERROR)
declare("spf-wide-network", "Networks in SPF are those that really send.", "RFC 7208 §11.4", WARNING)

MAX_LOOKUPS = 10
"""Terms that cause DNS queries, counted through all includes (RFC 7208 §4.6.4)."""
MAX_VOID_LOOKUPS = 2
"""Queries that are answered with nothing (RFC 7208 §4.6.4)."""
MAX_RECORD_OCTETS = 450
"""Above this the answer may not fit into 512 octets of UDP with the rest of the message (RFC 7208 §3.4)."""

LOOKUP_TERMS = frozenset({"include", "a", "mx", "ptr", "exists", "redirect"})
"""The terms that cause a query; `all`, `ip4`, `ip6` and `exp` do not (RFC 7208 §4.6.4)."""

_PRIVATE = (
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8"),
    *("fc00::/7", "fe80::/10", "fec0::/10"),
)


def check(text: str, subject: str, *, included_only: bool = False) -> list[Diagnostic]:
    """What is wrong with the text of one SPF record by itself; lookups are counted in `lookups`.

    `included_only` says that no mail comes from its name: other records include it, and how it ends changes nothing
    for them (RFC 7208 §5.2).
    """
    spf = parse(text)
    found = [
        error(
            "spf-syntax",
            subject,
            problem.message,
            f"{problem.hint}; receivers treat it as a permanent error",
        )
        for problem in spf.problems
    ]
    if not is_spf(text):
        return found
    found += _check_ending(spf, subject, included_only=included_only)
    return found + _check_terms(spf, subject) + _check_size(text, subject)


def _check_ending(spf: Spf, subject: str, *, included_only: bool) -> list[Diagnostic]:
    every, redirects = spf.named("all"), spf.named("redirect")
    found: list[Diagnostic] = []
    if not every and not redirects and not included_only and not spf.ending_broken:
        found.append(
            warning(
                "spf-no-all",
                subject,
                "ends without `all`, so that every other sender is neutral",
                "end the record with `-all` or `~all`",
            )
        )
    if not every or every[0].broken:
        return found
    if every[0].qualifier == "+":
        found.append(
            error(
                "spf-pass-all",
                subject,
                "`+all` lets the whole internet send as this domain",
                "end the record with `-all` or `~all`",
            )
        )
    if every[0].qualifier == "?" and not included_only:
        found.append(
            warning(
                "spf-neutral-all",
                subject,
                "`?all` says nothing about other senders",
                "end the record with `-all` or `~all`",
            )
        )
    mechanisms = [term for term in spf.terms if not term.modifier]
    if mechanisms.index(every[0]) < len(mechanisms) - 1:
        found.append(
            warning(
                "spf-after-all",
                subject,
                "mechanisms after `all` are never reached",
                "move `all` to the end",
            )
        )
    if redirects:
        found.append(
            warning(
                "spf-redirect-ignored",
                subject,
                "`redirect` is ignored where `all` stands",
                "keep one of the two",
            )
        )
    return found


def _check_terms(spf: Spf, subject: str) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    seen: set[str] = set()
    for term in spf.terms:
        known = term.text.lower().removeprefix("+")
        if known in seen:
            found.append(
                warning(
                    "spf-duplicate-term",
                    subject,
                    f"`{term.text}` stands twice",
                    "remove one of them",
                )
            )
        seen.add(known)
        if term.name.endswith("="):
            message = f"`{term.text}` is read as an unknown modifier and ignored"
            fix = f"write `{term.text.replace('=', ':', 1)}`"
            found.append(error("spf-ignored-term", subject, message, fix))
        if term.name == "ptr":
            found.append(
                warning(
                    "spf-ptr",
                    subject,
                    "`ptr` is slow, unreliable and not to be used",
                    "name the addresses with `ip4`, `ip6`, `a` or `mx`",
                )
            )
        if term.name in ("ip4", "ip6"):
            found += _check_network(term, subject)
        found += _check_host(term, subject, spf)
    return found


def _check_network(term: Term, subject: str) -> list[Diagnostic]:
    address = network(term)
    if address is None:
        return []  # already a syntax problem
    block, exact = address.network, address.ip == address.network.network_address
    found: list[Diagnostic] = []
    if not exact:
        found.append(
            warning(
                "spf-host-bits",
                subject,
                f"`{term.text}` has bits set outside its prefix",
                f"write `{term.name}:{block}`",
            )
        )
    if block.prefixlen < (8 if block.version == 4 else 16):
        found.append(
            warning(
                "spf-wide-network",
                subject,
                f"`{term.text}` covers {block.num_addresses:,} addresses",
                "name the networks that really send",
            )
        )
    if any(block.version == n.version and block.subnet_of(n) for n in map(ipaddress.ip_network, _PRIVATE)):  # type: ignore[arg-type]
        found.append(
            warning(
                "spf-private-network",
                subject,
                f"`{term.text}` is a private network, which no receiver ever sees",
                "name the public address from which mail leaves",
            )
        )
    return found


def _check_host(term: Term, subject: str, spf: Spf) -> list[Diagnostic]:
    slip = unlikely_host(term)
    if slip is None or any(f"`{term.text}`" in problem.message for problem in spf.problems):
        return []
    # Receivers refuse all mail where an included name does not exist (RFC 7208 §5.2); other terms match nobody.
    say = error if term.name in ("include", "redirect") else warning
    return [say("spf-host-name", subject, slip.message, slip.hint)]


def _check_size(text: str, subject: str) -> list[Diagnostic]:
    octets = len(text.encode("utf-8", "surrogateescape"))
    if octets <= MAX_RECORD_OCTETS:
        return []
    return [
        warning(
            "spf-long",
            subject,
            f"has {octets} octets, more than {MAX_RECORD_OCTETS}, so an answer may not fit into UDP",
            "move networks into a record of their own and include it",
        )
    ]


def merge(parts: Iterable[Sequence[str]], policy: str) -> str:
    """One record from the terms that several senders need, without repeats, addresses first (they cost no
    lookup) unless the order means something: the first term that matches decides (RFC 7208 §4.6.2).

    `policy` is the ending, `-all` or `~all`. Example: merge([["include:spf.brevo.com"], ["ip4:192.0.2.1"]],
    "-all").
    """
    terms = list(dict.fromkeys(term for part in parts for term in part))
    if all(passes(term) for term in terms):
        terms.sort(key=lambda term: not term.startswith(("ip4:", "ip6:")))
    return " ".join(word for word in ("v=spf1", *terms, policy) if word)


def passes(term: str) -> bool:
    """Whether a sender that the term matches may send: terms that all do so may stand in any order."""
    return not term.startswith(("-", "~", "?"))


def fits_one_string(text: str) -> bool:
    """Whether a record needs no splitting (RFC 7208 §3.3)."""
    return len(text.encode("utf-8", "surrogateescape")) <= TXT_STRING_OCTETS
