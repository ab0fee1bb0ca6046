"""MX records, and the null MX of a domain that takes no mail (RFC 5321 §5.1, RFC 7505)."""

from collections import Counter
from collections.abc import Iterable, Sequence

from tierstack.core.diagnostics import Diagnostic
from tierstack.dns_records.records import hostnames as host_names
from tierstack.dns_records.records.model import RecordSet, fields, host
from tierstack.dns_records.resolve.names import Names
from tierstack.dns_records.rules import ERROR, WARNING, declare, error, warning

declare("mx-address", "A mail exchanger is a name, not an IP address.", "RFC 5321 §5.1", ERROR)
declare("mx-alias", "A mail exchanger is not an alias.", "RFC 2181 §10.3", ERROR, WARNING)
declare("mx-no-address", "A mail exchanger has an address.", "RFC 5321 §5.1", ERROR)
declare("mx-null-beside", "A null MX stands alone.", "RFC 7505 §3", ERROR)
declare("mx-twice", "A mail exchanger has one preference.", "RFC 5321 §5.1", WARNING)

NULL_MX = "0 ."
"""The value that says: this domain takes no mail (RFC 7505 §3)."""


def targets(values: Iterable[str]) -> list[str]:
    """The hosts of a record set in order of preference, without the null MX."""
    pairs = sorted((int(fields(value)[0]), host(fields(value)[1])) for value in values)
    return [name for _, name in pairs if name]


def is_null(values: Sequence[str]) -> bool:
    """Whether a record set is exactly the null MX."""
    return [value.split() for value in values] == [NULL_MX.split()]


def check(one: RecordSet, names: Names) -> list[Diagnostic]:
    """What is wrong with an MX record set."""
    subject = one.key
    found: list[Diagnostic] = []
    exchanges = [host(fields(value)[1]) for value in one.values]
    if "" in exchanges and not is_null(one.values):
        message = "a null MX stands beside others, or has a preference other than 0"
        found.append(error("mx-null-beside", subject, message, "keep `0 .` alone, or remove it"))
    for name, count in sorted(Counter(exchanges).items()):
        if name:
            found += _check_exchange(name, subject, names)
        if name and count > 1:
            message = f"`{name}` stands with two preferences"
            found.append(warning("mx-twice", subject, message, "keep one of them"))
    return found


def _check_exchange(name: str, subject: str, names: Names) -> list[Diagnostic]:
    if host_names.is_address(name):
        message = f"`{name}` is an address, and a mail exchanger is a host name"
        return [error("mx-address", subject, message, "give the server a name with an A record")]
    if not names.inside(name) or host_names.no_host(name, names.domain):
        return []
    if names.alias(name):
        message = f"`{name}` is an alias"
        # Where a wildcard makes it one, mail arrives in practice, and nobody wrote this alias for mail.
        say = warning if names.answer(name, "CNAME").wildcard else error
        return [say("mx-alias", subject, message, "name the host to which the alias leads")]
    if names.address(name).absent:
        message = f"`{name}` has no address in this zone"
        fix = host_names.remedy(name, names.domain, f"add an A or AAAA record for {name}")
        return [error("mx-no-address", subject, message, fix)]
    return []
