"""Records and record sets as plain values, with names and addresses judged by dnspython.

Names are kept absolute, lower case and without the final dot (`www.example.org`); values are in presentation
format (RFC 1035 §5.1) with absolute targets (`10 mail.example.org.`). The value of a TXT record is its text
as a whole: splitting it into strings of 255 octets is the business of the zone file.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.txtbase

MAX_TTL = 2**31 - 1
"""Seconds (RFC 2181 §8)."""
DEFAULT_TTL = 3600
"""Seconds. One hour: long enough to be cached, short enough to mend a mistake the same morning."""
TXT_STRING_OCTETS = 255
"""The most that one character-string holds (RFC 1035 §3.3)."""

TYPES = ("A", "AAAA", "CAA", "CNAME", "DS", "HTTPS", "MX", "NS", "PTR", "SRV", "SSHFP", "SVCB", "TLSA", "TXT")
"""The record types that a zone of ours may hold; SOA and the DNSSEC signatures belong to the DNS host."""


class RecordError(ValueError):
    """A name, type or value that no DNS record can hold; the text says why, and `hint` what to write."""

    def __init__(self, message: str, hint: str = "correct the value") -> None:
        super().__init__(message)
        self.hint = hint


FLATTENED = "ALIAS"
"""In a zone that was read: an alias that its DNS host answers with the addresses of another host."""


@dataclass(frozen=True, order=True)
class Record:
    """One resource record."""

    name: str
    """Absolute owner name, lower case, without the final dot."""
    type: str
    """One of `TYPES`; in a zone that was read any other, too."""
    value: str
    """Presentation format; of TXT the whole text, unquoted."""
    ttl: int = DEFAULT_TTL
    """Seconds."""
    path: str = field(default="", compare=False)
    """The argument that gave it, `mail.brevo.dkim_key`. Empty: it was found in a zone."""


@dataclass(frozen=True, order=True)
class RecordSet:
    """All records of one name and type, which share one TTL (RFC 2181 §5.2)."""

    name: str
    """Absolute owner name, lower case, without the final dot."""
    type: str
    """One of `TYPES`; in a zone that was read any other, too."""
    values: tuple[str, ...]
    """Sorted, without repeats."""
    ttl: int = DEFAULT_TTL
    """Seconds."""

    @property
    def key(self) -> str:
        """`www.example.org A`: what the preview shows as the name of the set."""
        return f"{self.name} {self.type}"

    def records(self) -> list[Record]:
        """The records of the set, one by one."""
        return [Record(self.name, self.type, value, self.ttl) for value in self.values]


def absolute(name: str, origin: str) -> str:
    """`name` as an absolute name: `@` is the origin, `www` is below it, `www.example.org.` stays.

    International names become A-labels by IDNA 2008 (RFC 5891). Raises RecordError when no DNS name can be
    made of it.
    """
    try:
        base = dns.name.from_text(origin.rstrip(".") + ".", idna_codec=dns.name.IDNA_2008)
        full = dns.name.from_text(name, origin=base, idna_codec=dns.name.IDNA_2008)
    except (dns.exception.DNSException, UnicodeError) as problem:
        raise RecordError(f"`{name}` is not a DNS name: {_reason(problem)}") from None
    return full.canonicalize().to_text(omit_final_dot=True)


def relative(name: str, origin: str) -> str:
    """`name` as it is written inside the zone of `origin`: `@`, `www`, or absolute with its dot when
    outside."""
    if name == origin:
        return "@"
    return name.removesuffix(f".{origin}") if is_below(name, origin) else f"{name}."


def is_below(name: str, ancestor: str) -> bool:
    """Whether `name` is a name strictly below `ancestor`."""
    return name.endswith(f".{ancestor}")


def record(name: str, type: str, value: str, origin: str, ttl: int = DEFAULT_TTL, path: str = "") -> Record:
    """A record in canonical form; raises RecordError with the reason when the type or value cannot be one."""
    kind = type.upper()
    if kind not in TYPES:
        raise RecordError(f"`{type}` is not a record type that a zone here may hold ({', '.join(TYPES)})")
    return Record(absolute(name, origin), kind, canonical_value(kind, value, origin), ttl, path)


def canonical_value(kind: str, value: str, origin: str) -> str:
    """`value` in the one form in which it is compared and shown; raises RecordError when it is none of this
    type."""
    if kind == "TXT":
        return txt_text(value)
    if kind in ("A", "AAAA"):
        return _address(kind, value)
    try:
        base = dns.name.from_text(origin.rstrip(".") + ".")
        parsed = dns.rdata.from_text(dns.rdataclass.IN, kind, value, origin=base, relativize=False)
    except (dns.exception.DNSException, UnicodeError, ValueError) as problem:
        raise RecordError(f"`{value}` is not a value of {kind}: {_reason(problem)}") from None
    text = parsed.to_text()
    # Host names compare without regard to case (RFC 4343); the texts of CAA do not.
    return text.lower() if kind in ("CNAME", "MX", "NS", "PTR", "SRV") else text


def _address(kind: str, value: str) -> str:
    wanted = 4 if kind == "A" else 6
    try:
        address = ipaddress.ip_address(value)
        if "%" in value:  # a zone (`fe80::1%eth0`) means something on one host only
            raise ValueError
    except ValueError:
        raise RecordError(f"`{value}` is not an IPv{wanted} address") from None
    if address.version != wanted:
        raise RecordError(f"`{value}` is an IPv{address.version} address, and {kind} records hold IPv{wanted}")
    return str(address)


def txt_text(value: str) -> str:
    """The text of a TXT value given bare, or quoted in one or more strings as control panels show it."""
    if not value.startswith('"'):
        return value
    try:
        parsed = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.TXT, value)
    except dns.exception.DNSException as problem:
        raise RecordError(f"`{value}` is not a value of TXT: {_reason(problem)}") from None
    assert isinstance(parsed, dns.rdtypes.txtbase.TXTBase)
    return decode_txt(parsed.strings)


def decode_txt(strings: Iterable[bytes]) -> str:
    """The strings of a TXT record joined without a space, as SPF and DKIM read them (RFC 7208 §3.3, RFC 6376
    §3.6.2.2)."""
    return b"".join(strings).decode("utf-8", "surrogateescape")


def chunks(text: str) -> list[bytes]:
    """`text` as the character-strings of a TXT record, each at most 255 octets (RFC 1035 §3.3.14). Never
    empty."""
    octets = text.encode("utf-8", "surrogateescape")
    return [octets[at : at + TXT_STRING_OCTETS] for at in range(0, len(octets), TXT_STRING_OCTETS)] or [b""]


def quoted(text: str) -> str:
    """`text` as the value of a TXT record in a zone file: quoted strings, octets outside ASCII as `\\DDD`."""
    return " ".join('"' + "".join(_octet(octet) for octet in chunk) + '"' for chunk in chunks(text))


def _octet(octet: int) -> str:
    if octet in b'"\\':
        return "\\" + chr(octet)
    return chr(octet) if 0x20 <= octet < 0x7F else f"\\{octet:03d}"


def group(records: Iterable[Record]) -> list[RecordSet]:
    """The records as sorted record sets. Where TTLs differ the lowest counts, as resolvers do (RFC 2181
    §5.2)."""
    found: dict[tuple[str, str], list[Record]] = {}
    for one in records:
        found.setdefault((one.name, one.type), []).append(one)
    return sorted(
        RecordSet(name, kind, tuple(sorted({r.value for r in members})), min(r.ttl for r in members))
        for (name, kind), members in found.items()
    )


def fields(value: str) -> list[str]:
    """The parts of a value such as `10 mail.example.org.`."""
    return value.split()


def host(target: str) -> str:
    """A target as an owner name: lower case, without the final dot."""
    return target.lower().rstrip(".")


def _reason(problem: Exception) -> str:
    text = str(problem).strip().rstrip(".")
    return text[:1].lower() + text[1:] if text else type(problem).__name__
