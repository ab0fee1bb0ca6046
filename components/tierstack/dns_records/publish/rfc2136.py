"""octoDNS's provider for one's own name server (RFC 2136), made safe against other writers.

Every change carries a prerequisite (RFC 2136 §2.4) that the record set is still as it was read, and one message is
applied as a whole or not at all (§3.4.2.7). A zone of usual size needs one message.
"""

# octoDNS carries no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false, reportUntypedBaseClass=false
# pyright: reportPrivateUsage=false

import binascii
from collections.abc import Iterator
from typing import Any, Literal

import dns.exception
import dns.query
import dns.rcode
import dns.rdatatype
import dns.update
import dns.xfr
import dns.zone
from octodns.record import Create, Delete, Record
from octodns.record.rr import RdataParseError, Rrset
from octodns_bind import Rfc2136Provider

from tierstack.dns_records.records.model import quoted

_OVERTAKEN = "another writer was quicker with one of these record sets, and nothing was changed"
_ANSWERS = {
    dns.rcode.YXRRSET: (_OVERTAKEN, "update again"),
    dns.rcode.NXRRSET: (_OVERTAKEN, "update again"),
    dns.rcode.REFUSED: ("the key may not change these records", "grant it the update of the zone"),
    dns.rcode.NOTAUTH: ("it is not the zone's primary, or does not know the key", "write the primary and its key"),
    dns.rcode.SERVFAIL: ("it failed", "see its log; often it cannot write its journal"),
}


class UpdateError(Exception):
    """The server did not do what it was told; `hint` says what helps."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class PrerequisiteProvider(Rfc2136Provider):  # type: ignore[misc]
    """Reads by zone transfer, writes by updates that fail when somebody else was quicker."""

    names: frozenset[str] | None = None
    """Owner names (absolute, without the final dot) that are read; others may hold what octoDNS cannot parse."""

    def populate(self, zone: Any, target: bool = False, lenient: bool = False) -> bool:
        for rrset in self._transferred(zone.name):
            try:
                record = Record.from_rrset(zone, rrset, lenient=True)
            except RdataParseError:
                wrong = f"{rrset.name} {rrset._type} of another writer holds what octoDNS cannot read"
                raise UpdateError(wrong, "mend or move it at the server") from None
            zone.add_record(record, lenient=True)
        return True

    def _transferred(self, zone: str) -> Iterator[Rrset]:
        found = dns.zone.Zone(zone, relativize=False)
        try:
            query, _ = dns.xfr.make_query(found, **self._auth_params())
        except binascii.Error:
            raise UpdateError("the key's secret is not base64", "write it as `tsig-keygen` prints it") from None
        try:
            dns.query.inbound_xfr(
                str(self.host), found, query, port=self.port, timeout=self.timeout, lifetime=self.timeout
            )
        except (dns.exception.DNSException, OSError, EOFError) as problem:
            wrong = f"no transfer of {zone} from {self.host} port {self.port}: {_said(problem)}"
            raise UpdateError(wrong, "check the address, the key, and that it may transfer the zone") from None
        for name, rdataset in found.iterate_rdatasets():
            owner, kind = name.to_text(), dns.rdatatype.to_text(rdataset.rdtype)
            if kind in self.SUPPORTS and (self.names is None or owner.lower().rstrip(".") in self.names):
                yield Rrset(owner, kind, rdataset.ttl, [rdata.to_text() for rdata in rdataset])

    def _apply(self, plan: Any) -> Literal[True]:
        for message in self._messages(plan.desired.name, plan.changes):
            try:
                answer = dns.query.tcp(message, str(self.host), port=self.port, timeout=self.timeout)
            except (dns.exception.DNSException, OSError, EOFError) as problem:
                wrong = f"no answer to an update from {self.host} port {self.port}: {_said(problem)}"
                instead = "update again: it goes on from what is there, applied or not"
                raise UpdateError(wrong, instead) from None
            if answer.rcode() != dns.rcode.NOERROR:
                code = dns.rcode.to_text(answer.rcode())
                wrong, instead = _ANSWERS.get(answer.rcode(), ("no reason is known here", "see the server's log"))
                raise UpdateError(f"{self.host} answered {code}: {wrong}", instead)
        return True

    def _messages(self, zone: str, changes: list[Any]) -> Iterator[dns.update.UpdateMessage]:
        """As few messages as hold the changes, deletes first; over TCP one holds 65,535 octets (RFC 1035 §4.2.2)."""
        message = self._message(zone, changes)
        try:
            message.to_wire()
        except dns.exception.TooBig:
            half = len(changes) // 2
            if not half:
                wrong = f"{changes[0].record.fqdn} {changes[0].record._type} is too large for a message"
                raise UpdateError(wrong, "give it fewer or shorter values") from None
            yield from self._messages(zone, changes[:half])
            yield from self._messages(zone, changes[half:])
        else:
            # Made anew: a message is signed when it is sent, once.
            yield self._message(zone, changes)

    def _message(self, zone: str, changes: list[Any]) -> dns.update.UpdateMessage:
        message = dns.update.UpdateMessage(zone, **self._auth_params())
        for change in changes:
            name, kind = change.record.fqdn, change.record._type
            if isinstance(change, Create):
                message.absent(name, kind)
                message.add(name, change.new.ttl, kind, *_rdatas(change.new))
                continue
            before = _rdatas(change.existing)
            message.present(name, kind, *before)
            if isinstance(change, Delete):
                message.delete(name, kind)
            elif name == zone and kind == "NS":
                # A server ignores the deletion of all name servers of its zone (RFC 2136 §3.4.2.4).
                after = _rdatas(change.new)
                message.add(name, change.new.ttl, kind, *after)
                for gone in sorted(set(before) - set(after)):
                    message.delete(name, kind, gone)
            else:
                message.replace(name, change.new.ttl, kind, *_rdatas(change.new))
        return message


def _rdatas(record: Any) -> list[str]:
    if record._type == "TXT":
        # octoDNS's own rendering is not exact for texts outside ASCII.
        return [quoted(value.to_raw_text()) for value in record.values]
    return record.to_rrset().rdatas


def _said(problem: Exception) -> str:
    return str(problem).strip().rstrip(".") or type(problem).__name__
