"""What a zone hands to others: delegations with their servers and signers (RFC 1034 §4.2.1), and renamed subtrees
(DNAME, RFC 6672)."""

from collections.abc import Iterable, Sequence

from tierstack.core.diagnostics import Diagnostic
from tierstack.dns_records.records.hostnames import remedy
from tierstack.dns_records.records.model import RecordSet, host, is_below
from tierstack.dns_records.resolve.names import Names
from tierstack.dns_records.rules import ERROR, WARNING, declare, error, warning

declare(
    "delegated-beside",
    "What is delegated has no further records here, because nobody asks for them here.",
    "RFC 1034 §4.2.1",
    WARNING,
)
declare("dname-beside", "Below a DNAME there are no records.", "RFC 6672 §2.4", ERROR)
declare("ds-at-apex", "DS records of the domain itself stand in the zone above.", "RFC 4035 §2.4", ERROR)
declare("ds-without-ns", "A DS record stands beside a delegation.", "RFC 4035 §2.4", ERROR)
declare("ns-no-glue", "A name server below its own delegation has an address here.", "RFC 1034 §4.2.1", ERROR)


def check(sets: Sequence[RecordSet], names: Names) -> list[Diagnostic]:
    """What is wrong with the delegations of a zone, and what stands below one of them."""
    found = [finding for one in sets if one.type == "DS" for finding in _signer(one, names)]
    renamed = {one.name for one in sets if one.type == "DNAME"}
    cuts = {one.name: one for one in sets if one.type == "NS" and is_below(one.name, names.domain)}
    if not cuts and not renamed:
        return found
    servers = {host(value) for one in cuts.values() for value in one.values}
    for one in sets:
        if above := next((name for name in _above(one.name, names.domain) if name in renamed), None):
            message = f"stands below the DNAME of {above}, so nobody can find it"
            fix = "remove the record, or the DNAME"
            found.append(error("dname-beside", one.key, message, fix))
        elif cut := next((name for name in (one.name, *_above(one.name, names.domain)) if name in cuts), None):
            found += _hidden(one, cut, servers)
    return found


def check_server(one: RecordSet, target: str, names: Names) -> list[Diagnostic]:
    """Whether a name server that is named in the zone can be found."""
    if not names.inside(target):
        return []
    # A server below the name that it serves is found only by an address beside the delegation.
    own = target == one.name or is_below(target, one.name)
    if names.held(target).keys() & {"A", "AAAA"} or not (own or names.address(target).absent):
        return []
    message = f"the name server `{target}` has no address in this zone"
    fix = remedy(target, names.domain, f"add an A or AAAA record for {target}")
    return [error("ns-no-glue", one.key, message, fix)]


def _above(name: str, domain: str) -> Iterable[str]:
    """The names between `name` and the domain, the nearest first."""
    name = name.partition(".")[2]
    while is_below(name, domain):
        yield name
        name = name.partition(".")[2]


def _hidden(one: RecordSet, cut: str, servers: set[str]) -> list[Diagnostic]:
    """A record that other name servers answer for. Addresses of name servers stand beside a delegation."""
    if one.type in ("A", "AAAA") and one.name in servers:
        return []
    if one.name == cut and one.type in ("NS", "DS"):
        return []
    message = f"is hidden: {cut} is delegated to other name servers, and they answer"
    fix = "publish it at those servers, or remove the NS records"
    return [warning("delegated-beside", one.key, message, fix)]


def _signer(one: RecordSet, names: Names) -> list[Diagnostic]:
    if one.name == names.domain:
        message = "a DS stands at the top of its own zone, where nobody looks for it"
        return [error("ds-at-apex", one.key, message, "give it to the registrar, or the zone above")]
    if "NS" not in names.held(one.name):
        message = "a DS stands where nothing is delegated"
        return [error("ds-without-ns", one.key, message, "add the NS records of the delegation")]
    return []
