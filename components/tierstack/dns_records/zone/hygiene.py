"""The rules that hold for any zone, whatever its records are for: names, aliases, addresses, TTLs and
dangling targets."""

import ipaddress
import re
from collections.abc import Sequence

from tierstack.core.diagnostics import Diagnostic
from tierstack.dns_records.records.hostnames import TARGET_FIELDS, is_address, no_host, remedy
from tierstack.dns_records.records.model import MAX_TTL, TYPES, RecordSet, chunks, fields, host, is_below
from tierstack.dns_records.resolve.names import Names, Outcome
from tierstack.dns_records.rules import ADVICE, ERROR, WARNING, advice, declare, error, warning
from tierstack.dns_records.zone import delegations, services

declare(
    "address-documentation",
    "Addresses are not those that are reserved for examples.",
    "RFC 5737, RFC 3849, RFC 9637",
    ADVICE,
)
declare(
    "address-family",
    "A record has IPv4 addresses, AAAA records have IPv6 addresses.",
    "RFC 1035 §3.4.1, RFC 3596 §2.2",
    ERROR,
)
declare(
    "address-private",
    "Addresses in public records can be reached from the Internet.",
    "RFC 1918 §3, RFC 4193 §1",
    WARNING,
)
declare("address-syntax", "An address record holds an IP address.", "RFC 1035 §3.4.1, RFC 3596 §2.2", ERROR)
declare("address-unusable", "Addresses are not loopback, multicast or reserved ones.", "RFC 6890 §2.2", ERROR, WARNING)
declare(
    "alias-at-apex",
    "The domain itself has no CNAME, because its SOA and NS stand beside it.",
    "RFC 1912 §2.4, RFC 2181 §10.1",
    ERROR,
    wrong="web: [{host: '@', alias: shops.example.net.}]",
    right="web: [{host: '@', ipv4: [192.0.2.10]}]",
)
declare("alias-beside", "A name with a CNAME has no other records.", "RFC 1034 §3.6.2", ERROR)
declare("alias-dangling", "The target of a CNAME exists.", "RFC 1912 §2.4", WARNING)
declare("alias-loop", "CNAMEs do not lead back to themselves.", "RFC 1034 §5.2.2", ERROR)
declare("alias-twice", "A name has one CNAME.", "RFC 2181 §10.1", ERROR)
declare("host-label", "Names of hosts are letters, digits and inner hyphens.", "RFC 952, RFC 1123 §2.1", ERROR)
declare("name-doubled", "The name of a record does not have the domain twice.", "RFC 1035 §5.1", WARNING)
declare("name-outside", "Records belong to the zone.", "RFC 1034 §4.2.1", ERROR)
declare("target-address", "A target is a name, not an IP address.", "RFC 1035 §3.3", ERROR)
declare("target-alias", "Targets of NS and SRV records are not aliases.", "RFC 2181 §10.3, RFC 2782", ERROR)
declare("target-doubled", "The target of a record does not have the domain twice.", "RFC 1035 §5.1", WARNING)
declare(
    "target-form",
    "A target is the name of a host, without a URL, a port or a mail address.",
    "RFC 952, RFC 1123 §2.1",
    ERROR,
)
declare("target-no-address", "The target of a service has an address.", "RFC 2782, RFC 9460 §3", ERROR)
declare(
    "target-one-label",
    "A target has more than one label, or no final dot.",
    "RFC 1035 §5.1",
    WARNING,
    wrong="@ MX 10 mail.",
    right="@ MX 10 mail",
)
declare("ttl-long", "A mistake stays in caches for at most a week.", "RFC 8767 §4", WARNING)
declare("ttl-range", "A TTL is a number from 0 to 2147483647.", "RFC 2181 §8", ERROR)
declare("ttl-short", "TTLs are long enough for resolvers to keep an answer.", "RFC 1912 §2.2", WARNING)
declare("ttl-zero", "No TTL is 0, with which every question reaches the name server.", "RFC 1035 §3.2.1", WARNING)
declare("txt-empty", "A TXT record holds text.", "RFC 1035 §3.3.14", WARNING)
declare("txt-long", "A TXT record fits into a DNS message.", "RFC 1035 §4.2.2", ERROR)
declare("txt-quotes", "A TXT record has no typographic quotes.", "RFC 1035 §5.1", WARNING)

LONG_TTL = 604_800
"""Seconds: a week, beyond which resolvers cut (RFC 8767 §4)."""
SHORT_TTL = 60
"""Seconds: below it many DNS hosts refuse, and resolvers ask at every page."""
MAX_SET_OCTETS = 65_535
"""The most that one answer holds, by TCP (RFC 1035 §4.2.2)."""

_HOST_LABEL = re.compile(r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")
_QUOTES = "\u2018\u2019\u201c\u201d"
_DOCUMENTATION = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")
_SHOWN_LOOP = 6  # names of a circle that a message shows


def check(sets: Sequence[RecordSet], names: Names) -> list[Diagnostic]:
    """What is wrong with a zone by the general rules of DNS."""
    domain = names.domain
    found: list[Diagnostic] = []
    for one in sets:
        if one.name != domain and not is_below(one.name, domain):
            message = f"is outside {domain}, so this zone cannot hold it"
            found.append(
                error(
                    "name-outside",
                    one.key,
                    message,
                    "publish it in the zone of its own domain",
                )
            )
        if is_below(one.name, f"{domain}.{domain}") or one.name == f"{domain}.{domain}":
            message = "has the domain twice: a final dot is missing somewhere"
            found.append(
                warning(
                    "name-doubled",
                    one.key,
                    message,
                    f"write the name relative to {domain}, or end it with a dot",
                )
            )
        found += _ttl(one) if one.type in TYPES else []
        if one.type in ("A", "AAAA"):
            found += _address_set(one)
        if one.type == "TXT":
            found += _txt(one)
        if one.type in TARGET_FIELDS:
            for value in one.values:
                found += _target(one, host(fields(value)[TARGET_FIELDS[one.type]]), names)
        if one.type == "CNAME":
            found += _alias(one, names)
    return found + delegations.check(sets, names) + services.check(sets, names)


def is_host_label(label: str) -> bool:
    """Whether a label may stand in a host name: letters, digits and inner hyphens (RFC 952, RFC 1123
    §2.1)."""
    return bool(_HOST_LABEL.match(label))


def _ttl(one: RecordSet) -> list[Diagnostic]:
    if one.ttl == 0:
        message = "TTL 0 makes every client ask every time"
        return [warning("ttl-zero", one.key, message, "write 300 or more seconds")]
    if not 0 < one.ttl <= MAX_TTL:
        return [
            error(
                "ttl-range",
                one.key,
                f"TTL {one.ttl} is out of range",
                f"write 60 to {LONG_TTL} seconds",
            )
        ]
    if one.ttl < SHORT_TTL:
        message = f"TTL {one.ttl} is shorter than most DNS hosts and resolvers keep"
        return [warning("ttl-short", one.key, message, "write 60 or more seconds")]
    if one.ttl > LONG_TTL:
        message = f"TTL {one.ttl} is longer than a week: a mistake stays that long"
        return [warning("ttl-long", one.key, message, "write 86400 or less")]
    return []


def _address_set(one: RecordSet) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    labels = one.name.split(".")
    # Below a label that begins with `_` a service names its own hosts (RFC 8552): `gc._msdcs` of Active Directory.
    scoped = any(label.startswith("_") for label in labels)
    bad = [label for label in (labels[1:] if labels[0] == "*" else labels) if not is_host_label(label)]
    if bad and not scoped:
        message = f"`{bad[0]}` cannot be part of a host name: letters, digits and inner hyphens only"
        found.append(error("host-label", one.key, message, "choose a name without it"))
    for value in one.values:
        if labels[0] == "localhost" and ipaddress.ip_address(value).is_loopback:
            continue  # many zones hold it, as RFC 1912 §4.1 advises
        found += address(value, one.key, 4 if one.type == "A" else 6)
    return found


def address(value: str, subject: str, version: int) -> list[Diagnostic]:
    """What is wrong with an address that is to be published."""
    try:
        ip = ipaddress.ip_address(value)
    except ValueError:
        return [
            error(
                "address-syntax",
                subject,
                f"`{value}` is not an IPv{version} address",
                "correct the address",
            )
        ]
    if ip.version != version:
        kind = "A" if ip.version == 4 else "AAAA"
        return [
            error(
                "address-family",
                subject,
                f"`{value}` is IPv{ip.version}",
                f"use an {kind} record",
            )
        ]
    if ip.version == 4 and ip.is_loopback and int(ip) & 0xFF != 1:
        message = f"`{value}` is no address of a host on the internet, as it is in answers of a blocklist"
        return [
            warning(
                "address-unusable", subject, message, "write its public address", source="RFC 6890 §2.2, RFC 5782 §2.1"
            )
        ]
    broadcast = ip == ipaddress.IPv4Address("255.255.255.255")
    mapped = isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None
    if ip.is_unspecified or ip.is_loopback or ip.is_multicast or ip.is_link_local or mapped or broadcast:
        return [
            error(
                "address-unusable",
                subject,
                f"`{value}` is no address of a host on the internet",
                "write its public address",
            )
        ]
    if any(ip in ipaddress.ip_network(block) for block in _DOCUMENTATION):
        return [
            advice(
                "address-documentation",
                subject,
                f"`{value}` is an address for examples",
                "write the real address",
            )
        ]
    if not ip.is_global or (isinstance(ip, ipaddress.IPv6Address) and ip.is_site_local):
        return [
            warning(
                "address-private",
                subject,
                f"`{value}` is not reachable from the internet",
                "write its public address",
            )
        ]
    return []


def _txt(one: RecordSet) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    octets = sum(len(part) + 1 for value in one.values for part in chunks(value))
    if octets > MAX_SET_OCTETS:
        message = f"has {octets:,} octets of text, and an answer holds {MAX_SET_OCTETS:,}"
        found.append(error("txt-long", one.key, message, "shorten it, or spread it over names"))
    for value in one.values:
        if not value:
            found.append(warning("txt-empty", one.key, "has an empty text", "remove it"))
        if any(mark in value for mark in _QUOTES):
            message = "has typographic quotes, left by a word processor"
            found.append(
                warning(
                    "txt-quotes",
                    one.key,
                    message,
                    "replace them by plain ones, or remove them",
                )
            )
    return found


def _target(one: RecordSet, target: str, names: Names) -> list[Diagnostic]:
    """What is wrong with a name that a record leads to; that of MX is judged in `mx`."""
    domain = names.domain
    if not target:  # `.`: there is no such service
        return []
    if slip := no_host(target, domain):
        return [error("target-form", one.key, *slip)]
    if "." not in target and one.type not in ("DNAME", "PTR") and not one.name.startswith("localhost."):
        message = f"`{target}.` is a name of one label, at the top of the DNS"
        fix = f"write `{target}` without the final dot for {target}.{domain}, or the whole name"
        return [warning("target-one-label", one.key, message, fix)]
    doubled = is_below(target, f"{domain}.{domain}") or target == f"{domain}.{domain}"
    if doubled and (one.type != "MX" or not names.address(target).absent):
        message = f"`{target}` has the domain twice: a final dot is missing"
        fix = f"write `{target.removesuffix(f'.{domain}')}.`"
        return [warning("target-doubled", one.key, message, fix)]
    if one.type == "MX":
        return []
    if is_address(target) or (is_address(target.removesuffix(f".{domain}")) and not names.answer(target, "A").absent):
        message = f"`{target}` is an address, and a name belongs here"
        fix = "give the server a name, or use an A record"
        return [error("target-address", one.key, message, fix)]
    if one.type == "CNAME":
        return _alias_target(one, target, names)
    if one.type in ("NS", "SRV") and names.inside(target) and names.alias(target):
        rule = "RFC 2181 §10.3" if one.type == "NS" else "RFC 2782"
        fix = "name the host to which the alias leads"
        return [error("target-alias", one.key, f"`{target}` is an alias", fix, source=rule)]
    if one.type == "NS":
        return delegations.check_server(one, target, names)
    if one.type in ("SRV", "HTTPS", "SVCB") and names.inside(target) and names.address(target).absent:
        message = f"`{target}` has no address in this zone"
        fix = remedy(target, domain, f"add an A or AAAA record for {target}")
        return [error("target-no-address", one.key, message, fix)]
    return []


def _alias_target(one: RecordSet, target: str, names: Names) -> list[Diagnostic]:
    if not names.inside(target) or names.answer(target, "A").outcome is not Outcome.NO_NAME:
        return []
    message = f"`{target}` is not in this zone"
    fix = remedy(target, names.domain, f"add {target}, or remove the alias")
    return [warning("alias-dangling", one.key, message, fix)]


def _alias(one: RecordSet, names: Names) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    if one.name == names.domain:
        message = "an alias at the top of the zone hides its SOA, NS and MX"
        fix = "give A and AAAA records here, and the alias to `www`"
        found.append(error("alias-at-apex", one.key, message, fix))
    if len(one.values) > 1:
        message = f"has {len(one.values)} aliases, and a name has one"
        found.append(error("alias-twice", one.key, message, "keep one"))
    others = sorted(names.held(one.name).keys() - {"CNAME"})
    if others and one.name != names.domain:
        message = f"an alias stands beside {', '.join(others)}"
        found.append(error("alias-beside", one.key, message, "remove the alias, or the others"))
    if circle := names.circle(one.name):
        shown = circle if len(circle) <= _SHOWN_LOOP else [*circle[: _SHOWN_LOOP - 1], "…", circle[-1]]
        message = f"leads back to itself ({' → '.join(shown)})"
        found.append(error("alias-loop", one.key, message, "let one of them name a host"))
    return found
