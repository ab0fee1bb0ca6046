"""SPF records (RFC 7208): parse, judge, and merge the needs of several senders into one record."""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tierstack.dns_records.findings import Finding, error, warning
from tierstack.dns_records.records import TXT_STRING_OCTETS, RecordError, absolute

MAX_LOOKUPS = 10
"""Terms that cause DNS queries, counted through all includes (RFC 7208 §4.6.4)."""
MAX_VOID_LOOKUPS = 2
"""Queries that are answered with nothing (RFC 7208 §4.6.4)."""
MAX_RECORD_OCTETS = 450
"""Above this the answer may not fit into 512 octets of UDP with the rest of the message (RFC 7208 §3.4)."""

LOOKUP_TERMS = frozenset({"include", "a", "mx", "ptr", "exists", "redirect"})
"""The terms that cause a query; `all`, `ip4`, `ip6` and `exp` do not (RFC 7208 §4.6.4)."""

_MECHANISMS = frozenset({"all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"})
_TERM = re.compile(r"^(?P<qualifier>[-+~?]?)(?P<name>[A-Za-z][A-Za-z0-9_.-]*)(?P<rest>.*)$")
_MODIFIER = re.compile(r"^[A-Za-z][A-Za-z0-9_.-]*=")
_CIDR = re.compile(r"^(?P<value>.*?)(?:/(?P<v4>\d+))?(?://(?P<v6>\d+))?$")
_MACRO = re.compile(r"%\{[slodiphcrtvSLODIPHCRTV]\d*[rR]?[.\-+,/_=]*\}|%%|%_|%-")


@dataclass(frozen=True)
class Term:
    """One mechanism or modifier."""

    text: str
    """As it stands in the record."""
    name: str
    """Lower case: `include`, `ip4`, `redirect`."""
    qualifier: str = "+"
    """`+` pass, `-` fail, `~` softfail, `?` neutral; of a modifier without meaning."""
    value: str = ""
    """The domain or address, without prefix lengths; empty means the domain itself."""
    modifier: bool = False

    @property
    def has_macro(self) -> bool:
        """Whether the value depends on the message, so that nobody can look it up beforehand (RFC 7208
        §7)."""
        return "%{" in self.value


@dataclass(frozen=True)
class Spf:
    """A parsed record: its terms, and what could not be read, as clauses."""

    terms: tuple[Term, ...]
    problems: tuple[str, ...] = ()

    def named(self, name: str) -> list[Term]:
        """The terms of that name, in order."""
        return [term for term in self.terms if term.name == name]

    @property
    def reached(self) -> list[Term]:
        """The terms that a receiver evaluates for a sender that none matches, in its order: mechanisms up to `all`
        (RFC 7208 §5.1), or all of them and then `redirect` (§6.1)."""
        mechanisms = [term for term in self.terms if not term.modifier]
        for at, term in enumerate(mechanisms):
            if term.name == "all":
                return mechanisms[: at + 1]
        return mechanisms + self.named("redirect")


def is_spf(text: str) -> bool:
    """Whether a TXT is an SPF record: `v=spf1` followed by a space or nothing (RFC 7208 §4.5)."""
    return text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")


def parse(text: str) -> Spf:
    """The terms of a record (RFC 7208 §4.6.1). Never raises: what cannot be read is listed in `problems`."""
    if not is_spf(text):
        return Spf((), ("does not begin with `v=spf1 `",))
    terms: list[Term] = []
    problems: list[str] = []
    for word in text.split(" ")[1:]:
        if not word:
            continue
        term, problem = _term(word)
        if term:
            terms.append(term)
        if problem:
            problems.append(problem)
    problems += [
        f"`{name}` stands twice (RFC 7208 §6)"
        for name in ("redirect", "exp")
        if [term.name for term in terms].count(name) > 1
    ]
    return Spf(tuple(terms), tuple(problems))


def _term(word: str) -> tuple[Term | None, str | None]:
    if _MODIFIER.match(word):
        name, _, value = word.partition("=")
        # `include=x` is an unknown modifier; its name keeps the sign, lest it is taken for `include:x`.
        name = f"{name.lower()}=" if name.lower() in _MECHANISMS else name.lower()
        return Term(word, name, value=value, modifier=True), (
            _domain_problem(word, value) if name in ("redirect", "exp") else None
        )
    match = _TERM.match(word)
    name = match["name"].lower() if match else ""
    if not match or name not in _MECHANISMS:
        return None, f"`{word}` is not a mechanism of SPF"
    cidr = _CIDR.match(match["rest"])
    assert cidr  # every part of the pattern is optional
    value = cidr["value"]
    if value and not value.startswith(":"):
        return None, f"`{word}` is not a mechanism of SPF"
    value = value.removeprefix(":")
    if name in ("ip4", "ip6"):
        value = match["rest"].removeprefix(":")
    term = Term(word, name, match["qualifier"] or "+", value)
    return term, _mechanism_problem(term, match["rest"], cidr["v4"], cidr["v6"])


def _mechanism_problem(term: Term, rest: str, v4: str | None, v6: str | None) -> str | None:
    if term.name == "all":
        return f"`{term.text}`: `all` takes nothing after it" if rest else None
    if term.name in ("ip4", "ip6"):
        return _network_problem(term)
    if term.name in ("include", "exists", "ptr") and (v4 or v6):
        return f"`{term.text}`: `{term.name}` takes no prefix length"
    if (v4 and int(v4) > 32) or (v6 and int(v6) > 128):
        return f"`{term.text}`: the prefix is longer than an address"
    if term.name in ("include", "exists") and not term.value:
        return f"`{term.text}`: `{term.name}` needs a domain after `:`"
    if rest.startswith(":") and not term.value:
        return f"`{term.text}`: nothing after `:`"
    return _domain_problem(term.text, term.value) if term.value else None


def _network(term: Term) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface | None:
    """The address and prefix of `ip4` and `ip6`, or None where there is none."""
    try:
        # Python would take a zone (`fe80::1%eth0`), which no standard of DNS or SPF knows.
        return None if "%" in term.value else ipaddress.ip_interface(term.value)
    except ValueError:
        return None


def _network_problem(term: Term) -> str | None:
    found = _network(term)
    if found is None:
        return f"`{term.text}`: `{term.value}` is not an IPv{term.name[-1]} address or network"
    if found.version != int(term.name[-1]):
        return f"`{term.text}`: `{term.value}` is IPv{found.version}, so write `ip{found.version}:`"
    return None


def _domain_problem(word: str, value: str) -> str | None:
    if not value:
        return f"`{word}` needs a domain"
    plain = _MACRO.sub("x", value)
    if "%" in plain:
        return f"`{word}`: a `%` that begins no macro"
    try:
        name = absolute(plain.rstrip(".") + ".", "invalid.")
    except RecordError as problem:
        return f"`{word}`: {problem}"
    if "." not in name and plain == value:
        return f"`{word}`: `{value}` is not a full domain name"
    return None


def check(text: str, subject: str) -> list[Finding]:
    """What is wrong with the text of one SPF record by itself; lookups are counted in `spf_lookups`."""
    spf = parse(text)
    found = [
        error(
            "spf-syntax",
            subject,
            problem,
            "RFC 7208 §4.6.1",
            "correct the term: receivers treat it as a permanent error",
        )
        for problem in spf.problems
    ]
    if not is_spf(text):
        return found
    return found + _check_ending(spf, subject) + _check_terms(spf, subject) + _check_size(text, subject)


def _check_ending(spf: Spf, subject: str) -> list[Finding]:
    every, redirects = spf.named("all"), spf.named("redirect")
    found: list[Finding] = []
    if not every and not redirects:
        found.append(
            warning(
                "spf-no-all",
                subject,
                "ends without `all`, so that every other sender is neutral",
                "RFC 7208 §4.7",
                "end the record with `-all` or `~all`",
            )
        )
    if not every:
        return found
    if every[0].qualifier == "+":
        found.append(
            error(
                "spf-pass-all",
                subject,
                "`+all` lets the whole internet send as this domain",
                "RFC 7208 §5.1",
                "end the record with `-all` or `~all`",
            )
        )
    if every[0].qualifier == "?":
        found.append(
            warning(
                "spf-neutral-all",
                subject,
                "`?all` says nothing about other senders",
                "RFC 7208 §8.2",
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
                "RFC 7208 §5.1",
                "move `all` to the end",
            )
        )
    if redirects:
        found.append(
            warning(
                "spf-redirect-ignored",
                subject,
                "`redirect` is ignored where `all` stands",
                "RFC 7208 §6.1",
                "keep one of the two",
            )
        )
    return found


def _check_terms(spf: Spf, subject: str) -> list[Finding]:
    found: list[Finding] = []
    seen: set[str] = set()
    for term in spf.terms:
        known = term.text.lower().removeprefix("+")
        if known in seen:
            found.append(
                warning(
                    "spf-duplicate-term",
                    subject,
                    f"`{term.text}` stands twice",
                    "RFC 7208 §4.6.4",
                    "remove one of them",
                )
            )
        seen.add(known)
        if term.name.endswith("="):
            message = f"`{term.text}` is read as an unknown modifier and ignored"
            fix = f"write `{term.text.replace('=', ':', 1)}`"
            found.append(error("spf-ignored-term", subject, message, "RFC 7208 §6", fix))
        if term.name == "ptr":
            found.append(
                warning(
                    "spf-ptr",
                    subject,
                    "`ptr` is slow, unreliable and not to be used",
                    "RFC 7208 §5.5",
                    "name the addresses with `ip4`, `ip6`, `a` or `mx`",
                )
            )
        if term.name in ("ip4", "ip6"):
            found += _check_network(term, subject)
    return found


def _check_network(term: Term, subject: str) -> list[Finding]:
    address = _network(term)
    if address is None:
        return []  # already a syntax problem
    network, exact = address.network, address.ip == address.network.network_address
    found: list[Finding] = []
    if not exact:
        found.append(
            warning(
                "spf-host-bits",
                subject,
                f"`{term.text}` has bits set outside its prefix",
                "RFC 7208 §5.6",
                f"write `{term.name}:{network}`",
            )
        )
    if network.prefixlen < (8 if network.version == 4 else 16):
        found.append(
            warning(
                "spf-wide-network",
                subject,
                f"`{term.text}` covers {network.num_addresses:,} addresses",
                "RFC 7208 §11.4",
                "name the networks that really send",
            )
        )
    private = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "fc00::/7", "fe80::/10")
    if any(network.version == n.version and network.overlaps(n) for n in map(ipaddress.ip_network, private)):  # type: ignore[arg-type]
        found.append(
            warning(
                "spf-private-network",
                subject,
                f"`{term.text}` is a private network, which no receiver ever sees",
                "RFC 1918 §3, RFC 4193 §1",
                "name the public address from which mail leaves",
            )
        )
    return found


def _check_size(text: str, subject: str) -> list[Finding]:
    octets = len(text.encode("utf-8", "surrogateescape"))
    if octets <= MAX_RECORD_OCTETS:
        return []
    return [
        warning(
            "spf-long",
            subject,
            f"has {octets} octets, more than {MAX_RECORD_OCTETS}, so an answer may not fit into UDP",
            "RFC 7208 §3.4",
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
