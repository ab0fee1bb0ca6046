"""MX records, and the null MX of a domain that takes no mail (RFC 5321 §5.1, RFC 7505)."""

import ipaddress
from collections.abc import Iterable, Sequence

from tierstack.dns_records.findings import Finding, error, warning
from tierstack.dns_records.records import RecordSet, fields, host, is_below

NULL_MX = "0 ."
"""The value that says: this domain takes no mail (RFC 7505 §3)."""


def targets(values: Iterable[str]) -> list[str]:
    """The hosts of a record set in order of preference, without the null MX."""
    pairs = sorted((int(fields(value)[0]), host(fields(value)[1])) for value in values)
    return [name for _, name in pairs if name]


def is_null(values: Sequence[str]) -> bool:
    """Whether a record set is exactly the null MX."""
    return [value.split() for value in values] == [NULL_MX.split()]


def check(one: RecordSet, sets: Sequence[RecordSet], domain: str) -> list[Finding]:
    """What is wrong with an MX record set, given all sets of the zone."""
    subject = one.key
    found: list[Finding] = []
    owners = {(other.name, other.type) for other in sets}
    names = [host(fields(value)[1]) for value in one.values]
    if "" in names and not is_null(one.values):
        message = "a null MX stands beside others, or has a preference other than 0"
        found.append(error("mx-null-beside", subject, message, "RFC 7505 §3", "keep `0 .` alone, or remove it"))
    for name in sorted(set(names) - {""}):
        if _is_address(name):
            message = f"`{name}` is an address, and a mail exchanger is a host name"
            found.append(
                error("mx-address", subject, message, "RFC 5321 §5.1", "give the server a name with an A record")
            )
            continue
        if (name, "CNAME") in owners:
            message = f"`{name}` is an alias"
            found.append(
                error("mx-alias", subject, message, "RFC 2181 §10.3", "name the host to which the alias leads")
            )
        elif (name == domain or is_below(name, domain)) and not {(name, "A"), (name, "AAAA")} & owners:
            message = f"`{name}` has no address in this zone"
            found.append(
                error("mx-no-address", subject, message, "RFC 5321 §5.1", f"add an A or AAAA record for {name}")
            )
        if names.count(name) > 1:
            message = f"`{name}` stands with two preferences"
            found.append(warning("mx-twice", subject, message, "RFC 5321 §5.1", "keep one of them"))
    return found


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
