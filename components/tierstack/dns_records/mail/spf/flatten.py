"""Flattening: the networks behind the includes of an SPF record, written out (only on request).

It saves lookups and costs upkeep: a provider that moves its servers breaks the record until the next update.
So it asks the live DNS, keeps what cannot be written out exactly, and spreads the networks over records of
their own (`_spf1.example.org`) when one would be too long.
"""

import ipaddress
from dataclasses import dataclass, field

from tierstack.core.diagnostics import Diagnostic
from tierstack.dns_records.mail.spf.grammar import Term, is_spf, parse
from tierstack.dns_records.mail.spf.record import MAX_RECORD_OCTETS, merge, passes
from tierstack.dns_records.records.model import Record, host
from tierstack.dns_records.resolve.names import LookupUnavailableError, Resolver
from tierstack.dns_records.rules import ADVICE, ERROR, advice, declare, error

declare(
    "spf-flattening-too-long", "Flattened SPF needs at most ten lookups.", "RFC 7208 §4.6.4", ERROR, ignorable=False
)
declare("spf-not-flattened", "All includes of SPF can be flattened.", "RFC 7208 §10.1.1", ADVICE)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_SOURCE = "RFC 7208 §10.1.1"


class _UnflattenableError(Exception):
    """An include whose meaning is more than a list of networks."""


@dataclass
class Flattened:
    """The result: the record of the domain, the further ones that it includes, and what was left as it
    was."""

    text: str
    extra: list[Record] = field(default_factory=list[Record])
    findings: list[Diagnostic] = field(default_factory=list[Diagnostic])


def flatten(text: str, domain: str, resolver: Resolver, ttl: int) -> Flattened:
    """The record `text` of `domain` with its includes replaced by the networks that `resolver` (live)
    gives."""
    spf = parse(text)
    networks: list[Network] = []
    kept: list[str] = []
    terms = [term for term in spf.reached if term.name not in ("all", "redirect")]
    if exceptions := [term.text for term in terms if not passes(term.text)]:
        message = f"stays as it is: `{exceptions[0]}` lets nobody pass, so the order of the terms means something"
        fix = "leave flattening off, or the exception out"
        return Flattened(text, findings=[advice("spf-not-flattened", f"{domain} TXT", message, fix)])
    result = Flattened("")
    for term in terms:
        if term.name != "include":
            kept.append(term.text)
            continue
        try:
            networks += _networks(host(term.value), resolver, ())
        except (LookupUnavailableError, _UnflattenableError) as problem:
            kept.append(term.text)
            result.findings.append(
                advice(
                    "spf-not-flattened",
                    f"{domain} TXT",
                    f"`{term.text}` stays as it is: {problem}",
                    "nothing, or name its networks yourself",
                )
            )
    policy = " ".join(term.text for term in spf.reached if term.name in ("all", "redirect"))
    policy = " ".join(filter(None, [policy, *(term.text for term in spf.named("exp"))]))
    words = _collapse(networks)
    single = merge([words, kept], policy)
    if len(single) <= MAX_RECORD_OCTETS:
        result.text = single
        return result
    parts = _split(words)
    if len(parts) > 9:
        result.findings.append(
            error(
                "spf-flattening-too-long",
                f"{domain} TXT",
                f"the networks would take {len(parts)} further records",
                "let a sender use a subdomain of its own instead of flattening",
            )
        )
    result.extra = [Record(f"_spf{n}.{domain}", "TXT", merge([part], "-all"), ttl) for n, part in enumerate(parts, 1)]
    result.text = merge([kept, [f"include:{one.name}" for one in result.extra]], policy)
    return result


def _networks(name: str, resolver: Resolver, path: tuple[str, ...]) -> list[Network]:
    """The networks that the SPF record of `name` passes; raises when it is more than a list of them."""
    if name in path:
        raise _UnflattenableError(f"{name} includes itself")
    records = [one for one in resolver.lookup(name, "TXT") if is_spf(one)]
    if len(records) != 1:
        raise _UnflattenableError(f"{name} has {len(records)} SPF records")
    found: list[Network] = []
    spf = parse(records[0])
    for term in spf.terms:
        if term.name == "all" and term.qualifier != "+":
            return found
        found += _of_term(term, name, resolver, (*path, name))
    return found


def _of_term(term: Term, name: str, resolver: Resolver, path: tuple[str, ...]) -> list[Network]:
    if term.name == "exp" or (term.modifier and term.name != "redirect"):
        return []
    if term.qualifier != "+" or term.has_macro or term.name in ("ptr", "exists", "all"):
        raise _UnflattenableError(f"`{term.text}` in {name} is more than a list of networks")
    if term.name in ("ip4", "ip6"):
        return [ipaddress.ip_network(term.value, strict=False)]
    if term.name in ("include", "redirect"):
        return _networks(host(term.value), resolver, path)
    if "/" in term.text:
        raise _UnflattenableError(f"`{term.text}` in {name} has a prefix length")
    target = host(term.value) or name
    hosts = [target] if term.name == "a" else [one.split()[-1] for one in resolver.lookup(target, "MX")]
    return [ipaddress.ip_network(a) for h in hosts for kind in ("A", "AAAA") for a in resolver.lookup(h, kind)]


def _collapse(networks: list[Network]) -> list[str]:
    v4 = ipaddress.collapse_addresses(n for n in networks if isinstance(n, ipaddress.IPv4Network))
    v6 = ipaddress.collapse_addresses(n for n in networks if isinstance(n, ipaddress.IPv6Network))
    return [f"ip4:{_short(n)}" for n in v4] + [f"ip6:{_short(n)}" for n in v6]


def _short(network: Network) -> str:
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def _split(words: list[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in words:
        if parts[-1] and len(merge([[*parts[-1], word]], "-all")) > MAX_RECORD_OCTETS:
            parts.append([])
        parts[-1].append(word)
    return parts
