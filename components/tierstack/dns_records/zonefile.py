"""Zone files (RFC 1035 §5): record sets to text and back, by dnspython."""

from collections.abc import Iterable

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.txtbase
import dns.tokenizer
import dns.zonefile

from tierstack.dns_records.findings import Finding, error, warning
from tierstack.dns_records.records import (
    DEFAULT_TTL,
    TYPES,
    Record,
    RecordError,
    RecordSet,
    canonical_value,
    decode_txt,
    group,
    quoted,
    relative,
)

_MAX_PROBLEMS = 50  # lines that cannot be read; a file with more is no zone file
_HOSTED = ("SOA", "RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "DNSKEY", "CDS", "CDNSKEY")  # the DNS host's own


def render(sets: Iterable[RecordSet], domain: str, ttl: int) -> str:
    """The sets as a zone file, sorted, the domain first. SOA and NS are left to the DNS host, so it can be
    imported."""
    lines = [f"$ORIGIN {domain}.", f"$TTL {ttl}"]
    for one in sorted(sets, key=lambda s: (_order(s.name, domain), s.type)):
        owner = relative(one.name, domain)
        own_ttl = "" if one.ttl == ttl else str(one.ttl)
        for value in one.values:
            text = quoted(value) if one.type == "TXT" else value
            lines.append(" ".join(part for part in (owner, own_ttl, "IN", one.type, text) if part))
    return "\n".join(lines) + "\n"


def _order(name: str, domain: str) -> list[str]:
    return [] if name == domain else list(reversed(name.split(".")))


class _Collector(dns.zonefile.RRsetsReaderTransaction):
    """Takes every record as it stands: unlike a zone it refuses no CNAME beside others, for that is ours to
    report."""

    def __init__(self, origin: dns.name.Name) -> None:
        super().__init__(dns.zonefile.RRSetsReaderManager(origin, False), True, False)
        self.found: list[tuple[dns.name.Name, int, dns.rdata.Rdata]] = []

    def add(self, *args: object) -> None:
        name, ttl, rdata = args
        assert isinstance(name, dns.name.Name)
        assert isinstance(ttl, int)
        assert isinstance(rdata, dns.rdata.Rdata)
        self.found.append((name, ttl, rdata))


def parse(text: str, domain: str) -> tuple[list[RecordSet], list[Finding]]:
    """The record sets of a zone file for `domain`, with a finding for each line that cannot be read."""
    lines = text.splitlines()
    findings: list[Finding] = []
    while True:
        collector, problem = _read(lines, domain)
        if problem is None:
            break
        number, why = problem
        # The reader may have passed the end of the line when it complained: then the lines before fail too.
        while number > 1 and _read(lines[: number - 1], domain)[1] is not None:
            number -= 1
        findings.append(error("zone-syntax", f"line {number}", why, "RFC 1035 §5.1", "correct the line"))
        if not 1 <= number <= len(lines) or len(findings) >= _MAX_PROBLEMS:
            return [], findings
        # The rest is read without the line, so that one slip does not hide the others.
        lines[number - 1] = ""
    records: list[Record] = []
    for name, ttl, rdata in collector.found:
        found = _record(name, ttl, rdata, domain)
        if isinstance(found, Record):
            records.append(found)
        elif found:
            findings.append(found)
    return group(records), findings + _mixed_ttls(records)


def _read(lines: list[str], domain: str) -> tuple[_Collector, tuple[int, str] | None]:
    # The root as origin lets records outside the domain through, for they are ours to report; the directive
    # in front makes the names relative to the domain all the same.
    collector = _Collector(dns.name.root)
    tokens = dns.tokenizer.Tokenizer("\n".join([f"$ORIGIN {domain}.", *lines, ""]), "zone")
    reader = dns.zonefile.Reader(tokens, dns.rdataclass.IN, collector, default_ttl=DEFAULT_TTL)
    try:
        reader.read()
    except (dns.exception.DNSException, UnicodeError, ValueError) as problem:
        _, number = tokens.where()
        why = str(problem).removeprefix(f"zone:{number}: ").rstrip(".")
        return collector, (number - 1, f"cannot be read: {why or type(problem).__name__}")
    return collector, None


def _record(name: dns.name.Name, ttl: int, rdata: dns.rdata.Rdata, domain: str) -> Record | Finding | None:
    owner = name.canonicalize().to_text(omit_final_dot=True)
    kind = dns.rdatatype.to_text(rdata.rdtype)
    if kind in _HOSTED:
        return None
    if kind == "SPF":
        message = "the record type SPF was withdrawn and is not read"
        return error("spf-type", f"{owner} SPF", message, "RFC 7208 §3.1", "publish it as TXT")
    if kind not in TYPES:
        message = f"the type {kind} is not judged here"
        return warning("type-unknown", f"{owner} {kind}", message, "RFC 3597", "keep it by hand")
    try:
        if isinstance(rdata, dns.rdtypes.txtbase.TXTBase):
            return Record(owner, kind, decode_txt(rdata.strings), ttl)
        return Record(owner, kind, canonical_value(kind, rdata.to_text(), domain), ttl)
    except RecordError as problem:
        return error("record-value", f"{owner} {kind}", str(problem), "RFC 1035 §3.3", "correct the value")


def _mixed_ttls(records: list[Record]) -> list[Finding]:
    ttls: dict[tuple[str, str], set[int]] = {}
    for one in records:
        ttls.setdefault((one.name, one.type), set()).add(one.ttl)
    return [
        warning(
            "ttl-mixed",
            f"{name} {kind}",
            f"has TTLs of {', '.join(map(str, sorted(found)))} seconds in one set",
            "RFC 2181 §5.2",
            "give all records of the set one TTL",
        )
        for (name, kind), found in ttls.items()
        if len(found) > 1
    ]
