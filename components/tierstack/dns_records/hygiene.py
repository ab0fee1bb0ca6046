"""The rules that hold for any zone, whatever its records are for: names, aliases, addresses, TTLs and
dangling targets."""

import ipaddress
import re
from collections.abc import Iterable, Sequence

from tierstack.dns_records.findings import Finding, advice, error, warning
from tierstack.dns_records.records import RecordSet, fields, host, is_below

MAX_TTL = 2**31 - 1
"""Seconds (RFC 2181 §8)."""
LONG_TTL = 604_800
"""Seconds: a week, beyond which resolvers cut (RFC 8767 §4)."""
SHORT_TTL = 60
"""Seconds: below it many DNS hosts refuse, and resolvers ask at every page."""

_HOST_LABEL = re.compile(r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")
_QUOTES = "\u2018\u2019\u201c\u201d"
_TARGET_TYPES = {"CNAME": 0, "MX": 1, "NS": 0, "SRV": 3}  # where the target stands in the value


def check(sets: Sequence[RecordSet], domain: str) -> list[Finding]:
    """What is wrong with a zone by the general rules of DNS."""
    known = {(one.name, one.type): one for one in sets}
    names = {one.name for one in sets}
    found: list[Finding] = []
    for one in sets:
        if one.name != domain and not is_below(one.name, domain):
            message = f"is outside {domain}, so this zone cannot hold it"
            found.append(
                error(
                    "name-outside",
                    one.key,
                    message,
                    "RFC 1034 §4.2.1",
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
                    "RFC 1035 §5.1",
                    f"write the name relative to {domain}, or end it with a dot",
                )
            )
        found += _ttl(one)
        if one.type in ("A", "AAAA"):
            found += _address_set(one)
        if one.type == "TXT":
            found += _txt(one)
        if one.type in _TARGET_TYPES:
            found += _targets(one, domain, names, known)
    return found + _aliases(sets, domain, known)


def is_host_label(label: str) -> bool:
    """Whether a label may stand in a host name: letters, digits and inner hyphens (RFC 952, RFC 1123
    §2.1)."""
    return bool(_HOST_LABEL.match(label))


def _ttl(one: RecordSet) -> list[Finding]:
    if one.ttl == 0:
        message = "TTL 0 makes every client ask every time, and DNS hosts refuse it"
        return [error("ttl-zero", one.key, message, "RFC 1035 §3.2.1", "write 300 or more seconds")]
    if not 0 < one.ttl <= MAX_TTL:
        return [
            error(
                "ttl-range",
                one.key,
                f"TTL {one.ttl} is out of range",
                "RFC 2181 §8",
                f"write 60 to {LONG_TTL} seconds",
            )
        ]
    if one.ttl < SHORT_TTL:
        message = f"TTL {one.ttl} is shorter than most DNS hosts and resolvers keep"
        return [warning("ttl-short", one.key, message, "RFC 1912 §2.2", "write 60 or more seconds")]
    if one.ttl > LONG_TTL:
        message = f"TTL {one.ttl} is longer than a week: a mistake stays that long"
        return [warning("ttl-long", one.key, message, "RFC 8767 §4", "write 86400 or less")]
    return []


def _address_set(one: RecordSet) -> list[Finding]:
    found: list[Finding] = []
    labels = one.name.split(".")
    bad = [label for label in (labels[1:] if labels[0] == "*" else labels) if not is_host_label(label)]
    if bad:
        message = f"`{bad[0]}` cannot be part of a host name: letters, digits and inner hyphens only"
        found.append(error("host-label", one.key, message, "RFC 952, RFC 1123 §2.1", "choose a name without it"))
    for value in one.values:
        found += address(value, one.key, 4 if one.type == "A" else 6)
    return found


def address(value: str, subject: str, version: int) -> list[Finding]:
    """What is wrong with an address that is to be published."""
    try:
        ip = ipaddress.ip_address(value)
    except ValueError:
        return [
            error(
                "address-syntax",
                subject,
                f"`{value}` is not an IPv{version} address",
                "RFC 1035 §3.4.1, RFC 3596 §2.2",
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
                "RFC 1035 §3.4.1, RFC 3596 §2.2",
                f"use an {kind} record",
            )
        ]
    if ip.is_unspecified or ip.is_loopback or ip.is_multicast or ip.is_link_local:
        return [
            error(
                "address-unusable",
                subject,
                f"`{value}` is no address of a host on the internet",
                "RFC 6890 §2.2",
                "write its public address",
            )
        ]
    documentation = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")
    if any(ip in ipaddress.ip_network(net) for net in documentation):
        return [
            advice(
                "address-documentation",
                subject,
                f"`{value}` is an address for examples",
                "RFC 5737, RFC 3849, RFC 9637",
                "write the real address",
            )
        ]
    if ip.is_private:
        return [
            warning(
                "address-private",
                subject,
                f"`{value}` is not reachable from the internet",
                "RFC 1918 §3, RFC 4193 §1",
                "write its public address",
            )
        ]
    return []


def _txt(one: RecordSet) -> list[Finding]:
    found: list[Finding] = []
    for value in one.values:
        if not value:
            found.append(warning("txt-empty", one.key, "has an empty text", "RFC 1035 §3.3.14", "remove it"))
        if any(mark in value for mark in _QUOTES):
            message = "has typographic quotes, left by a word processor"
            found.append(
                warning(
                    "txt-quotes",
                    one.key,
                    message,
                    "RFC 1035 §5.1",
                    "replace them by plain ones, or remove them",
                )
            )
    return found


def _targets(one: RecordSet, domain: str, names: set[str], known: dict[tuple[str, str], RecordSet]) -> list[Finding]:
    found: list[Finding] = []
    for value in one.values:
        target = host(fields(value)[_TARGET_TYPES[one.type]])
        if is_below(target, f"{domain}.{domain}") or target == f"{domain}.{domain}":
            message = f"`{target}` has the domain twice: a final dot is missing"
            found.append(
                warning(
                    "target-doubled",
                    one.key,
                    message,
                    "RFC 1035 §5.1",
                    f"write `{target.removesuffix(f'.{domain}')}.`",
                )
            )
        elif (
            one.type == "CNAME"
            and (target == domain or is_below(target, domain))
            and not _exists(target, domain, names)
        ):
            message = f"`{target}` is not in this zone"
            found.append(
                warning("alias-dangling", one.key, message, "RFC 1912 §2.4", f"add {target}, or remove the alias")
            )
        elif one.type in ("NS", "SRV") and (target, "CNAME") in known:
            rule = "RFC 2181 §10.3" if one.type == "NS" else "RFC 2782"
            found.append(
                error(
                    "target-alias",
                    one.key,
                    f"`{target}` is an alias",
                    rule,
                    "name the host to which the alias leads",
                )
            )
        elif (
            one.type == "NS"
            and (target == domain or is_below(target, domain))
            and not ({(target, "A"), (target, "AAAA")} & known.keys())
        ):
            message = f"the name server `{target}` has no address in this zone"
            found.append(
                error("ns-no-glue", one.key, message, "RFC 1034 §4.2.1", f"add an A or AAAA record for {target}")
            )
    return found


def _exists(name: str, domain: str, names: set[str]) -> bool:
    if name in names or any(is_below(other, name) for other in names):
        return True
    parent = name
    while parent != domain and "." in parent:
        parent = parent.partition(".")[2]
        if f"*.{parent}" in names:
            return True
    return False


def _aliases(sets: Iterable[RecordSet], domain: str, known: dict[tuple[str, str], RecordSet]) -> list[Finding]:
    found: list[Finding] = []
    for one in sets:
        if one.type != "CNAME":
            continue
        if one.name == domain:
            message = "an alias at the top of the zone hides its SOA, NS and MX"
            fix = "give A and AAAA records here, and the alias to `www`"
            found.append(error("alias-at-apex", one.key, message, "RFC 1912 §2.4, RFC 2181 §10.1", fix))
        if len(one.values) > 1:
            message = f"has {len(one.values)} aliases, and a name has one"
            found.append(error("alias-twice", one.key, message, "RFC 2181 §10.1", "keep one"))
        others = sorted(kind for name, kind in known if name == one.name and kind != "CNAME")
        if others and one.name != domain:
            message = f"an alias stands beside {', '.join(others)}"
            found.append(error("alias-beside", one.key, message, "RFC 1034 §3.6.2", "remove the alias, or the others"))
        if loop := _loop(one, known):
            message = f"leads back to itself ({' → '.join(loop)})"
            found.append(error("alias-loop", one.key, message, "RFC 1034 §5.2.2", "let one of them name a host"))
    return found


def _loop(one: RecordSet, known: dict[tuple[str, str], RecordSet]) -> list[str]:
    path = [one.name]
    current: RecordSet | None = one
    while current:
        target = host(current.values[0])
        if target == one.name:
            return [*path, target]
        if target in path:
            return []  # a loop further on, reported there
        path.append(target)
        current = known.get((target, "CNAME"))
    return []
