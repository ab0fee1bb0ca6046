"""Zone files (RFC 1035 §5): record sets to text and back, by dnspython."""

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import dns.exception
import dns.grange
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.txtbase
import dns.tokenizer
import dns.zonefile

from tierstack.core.diagnostics import Diagnostic
from tierstack.dns_records.records import dialects
from tierstack.dns_records.records.hostnames import TARGET_FIELDS
from tierstack.dns_records.records.model import (
    DEFAULT_TTL,
    FLATTENED,
    TYPES,
    Record,
    RecordError,
    RecordSet,
    absolute,
    canonical_value,
    decode_txt,
    group,
    quoted,
    relative,
)
from tierstack.dns_records.rules import ADVICE, ERROR, WARNING, advice, declare, error, warning

declare("name-letters", "Names in a zone file are in ASCII, international ones as `xn--…`.", "RFC 5890 §2.3", ADVICE)
declare("record-value", "The data of a record is what its type asks for.", "RFC 1035 §3.3", ERROR, ignorable=False)
declare("spf-type", "SPF stands in a TXT record; the type SPF is read by nobody.", "RFC 7208 §3.1", ERROR)
declare("ttl-mixed", "All records of one set have the same TTL.", "RFC 2181 §5.2", WARNING)
declare("zone-syntax", "A zone file can be read to its end.", "RFC 1035 §5.1", ERROR)

MAX_GENERATED = 200_000
"""Records that the $GENERATE lines of a file may make: three times a reverse zone of IPv4's size /16."""

_MAX_PROBLEMS = 50  # lines that cannot be read; a file with more is no zone file
_HOSTED = ("SOA", "RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "DNSKEY", "CDS", "CDNSKEY")  # the DNS host's own
_FORMS = {
    "CAA": '0 issue "letsencrypt.org"',
    "MX": "10 mail.example.org.",
    "SRV": "0 5 993 imap.example.org.",
    "TLSA": "3 1 1 DIGEST",
    "AAAA": "2001:db8::10",
    "A": "198.51.100.10",
    "CNAME": "www.example.org.",
    "NS": "ns1.example.org.",
}
"""How the value of a type looks, for whoever wrote another."""
_BESIDE_NAMES = re.compile(r'"(?:\\.|[^"\\])*"|;[^\n]*')
_MARKS = re.compile(r'\\.|["();]')


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


@dataclass
class ZoneText:
    """What a zone file holds."""

    sets: list[RecordSet] = field(default_factory=list[RecordSet])
    findings: list[Diagnostic] = field(default_factory=list[Diagnostic])
    """One for each line that cannot be read."""
    whole: bool = True
    """Whether what is not among the sets does not exist: False where the file includes others."""
    binary: bool = False
    """Whether it is no text."""


def decode(octets: bytes) -> str:
    """The text of a zone file. UTF-16 and a byte order mark are read as editors of Windows write them; octets that are
    no UTF-8 become the escapes `\\DDD` of RFC 1035 §5.1, which mean the same."""
    for mark, coding in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if octets.startswith(mark):
            return octets.decode(coding, "replace")
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "".join(chr(octet) if octet < 0x80 else f"\\{octet:03d}" for octet in octets)


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


def parse(text: str, domain: str) -> tuple[list[RecordSet], list[Diagnostic]]:
    """The record sets of a zone file for `domain`, with a finding for each line that cannot be read."""
    read_text = read(text, domain)
    return read_text.sets, read_text.findings


def read(text: str, domain: str) -> ZoneText:
    """What a zone file for `domain` holds. Every entry is read once, so a slip hides no other and costs no time."""
    zone = ZoneText()
    text = text.removeprefix("\ufeff")
    if "\0" in text:
        finding = _unreadable("the file", "is binary, not text", "give the zone as text")
        return ZoneText(findings=[finding], binary=True)
    # The root as origin lets records outside the domain through, for they are ours to report.
    collector, flattened = _Collector(dns.name.root), list[Record]()
    cloudflare = dialects.is_cloudflare(text)
    reader = dns.zonefile.Reader(_tokens(""), dns.rdataclass.IN, collector, default_ttl=DEFAULT_TTL)
    reader.current_origin = reader.last_name = dns.name.from_text(f"{domain}.")
    generated, unread = 0, 0
    for number, entry, closed in _entries(text):
        directive = entry.split(maxsplit=1)[0].upper() if entry.startswith("$") else ""
        made = _generated(entry) if directive == "$GENERATE" else 0
        problem = _refused(directive, made, generated, closed=closed) or _take(reader, entry)
        if problem and (rare := dialects.rare_type(entry, problem[0])):
            problem = _take(reader, rare)
        if problem and (own := dialects.own_type(entry)) and not _take(reader, own.standard):
            zone.findings.append(own.finding(f"line {number}"))
            name, ttl, _ = collector.found.pop()
            flattened.append(Record(_owner(name), FLATTENED, "", ttl))
        elif problem:
            unread += 1
            zone.findings.append(_unreadable(f"line {number}", *problem))
            zone.whole = zone.whole and directive != "$INCLUDE"
        else:
            generated += made
            zone.findings += _own_letters(number, entry, domain)
        if unread >= _MAX_PROBLEMS:
            return ZoneText([], zone.findings)
    records = flattened
    for name, ttl, rdata in collector.found:
        found = _record(name, ttl, rdata, domain)
        if isinstance(found, Record):
            records.append(dialects.of_cloudflare(found, domain) if cloudflare else found)
        elif found:
            zone.findings.append(found)
    zone.sets = group(records)
    zone.findings += _mixed_ttls(records)
    return zone


def _entries(text: str) -> Iterator[tuple[int, str, bool]]:
    """(line, text, whether its parentheses are closed) of each entry: a line, or several between parentheses."""
    lines = re.split(r"\r\n|[\r\n]", text)
    at, unclosed = 0, 0
    while at < len(lines):
        end, depth = at, 0
        while True:
            depth = _depth(lines[end], depth)
            if depth <= 0 or end + 1 >= len(lines) or unclosed >= _MAX_PROBLEMS:
                break
            end += 1
        if depth > 0:
            # Nobody closes it: the rest of the file is read without this line, so that it does not hide the others.
            unclosed += 1
            yield at + 1, lines[at], False
            at += 1
            continue
        entry = "\n".join(lines[at : end + 1])
        if entry.strip() and not entry.lstrip().startswith(";"):
            yield at + 1, entry, True
        at = end + 1


def _depth(line: str, depth: int) -> int:
    """How many parentheses are open after a line, given how many were before it."""
    quoted_text = False
    for match in _MARKS.finditer(line):
        mark = match[0]
        if mark == '"':
            quoted_text = not quoted_text
        elif quoted_text or mark.startswith("\\"):
            continue
        elif mark == ";":
            break
        else:
            depth += 1 if mark == "(" else -1
    return depth


class _Generating(dns.tokenizer.Tokenizer):
    """The tokens of a $GENERATE line. Quotes hold the right side together, and are no part of it: so reads BIND."""

    def get(self, want_leading: bool = False, want_comment: bool = False) -> dns.tokenizer.Token:
        """The next token, a quoted string as a word."""
        token = super().get(want_leading, want_comment)
        return dns.tokenizer.Token(dns.tokenizer.IDENTIFIER, token.value) if token.is_quoted_string() else token


def _tokens(entry: str) -> dns.tokenizer.Tokenizer:
    kind = _Generating if entry[:9].upper() == "$GENERATE" else dns.tokenizer.Tokenizer
    return kind(f"{entry}\n", "zone")


def _own_letters(number: int, entry: str, domain: str) -> list[Diagnostic]:
    """That a name is written in its own letters: where nobody translates it, its octets are served, and nobody asks for
    them."""
    if entry.isascii():
        return []
    words = _BESIDE_NAMES.sub("", entry).replace("(", " ").replace(")", " ").split()
    owner = [] if entry[:1].isspace() else words[:1]
    target = words[-1:] if any(word.upper() in TARGET_FIELDS for word in words[1:-1]) else []
    found: list[Diagnostic] = []
    for word in dict.fromkeys(one for one in owner + target if not one.isascii()):
        try:
            fix = f"write `{relative(absolute(word, domain), domain)}`"
        except RecordError:
            fix = "write it as `xn--…`"
        message = f"`{word}` is not in ASCII letters, which some DNS hosts translate and name servers do not"
        found.append(advice("name-letters", f"line {number}", message, fix))
    return found


def _take(reader: dns.zonefile.Reader, entry: str) -> tuple[str, str] | None:
    """Give an entry to the reader; what is wrong with it and what to do, or None."""
    reader.tok = _tokens(entry)
    try:
        reader.read()
    except (dns.exception.DNSException, UnicodeError, ValueError, OverflowError) as problem:
        why = re.sub(r"^zone:\d+: ", "", str(problem)).rstrip(".") or type(problem).__name__
        return f"cannot be read: {why}", _remedy(why, entry)
    return None


def _remedy(why: str, entry: str) -> str:
    if "string too long" in why:
        return 'split the text into strings of at most 255 octets each: "…" "…"'
    kind = next((one for one in _FORMS if re.search(rf"\s{one}\s", entry, re.IGNORECASE)), None)
    return f"write it in the form `{kind} {_FORMS[kind]}`" if kind else "correct the line"


def _refused(directive: str, made: int, generated: int, *, closed: bool) -> tuple[str, str] | None:
    """Why an entry is not read at all, and what to do."""
    if not closed:
        return "cannot be read: a parenthesis is opened and never closed", "close it, or remove it"
    if directive == "$INCLUDE":
        wrong = "includes another file, and includes are not followed"
        return wrong, "give the zone as one file, as `named-compilezone` writes it"
    if generated + made > MAX_GENERATED:
        wrong = f"makes {made:,} records, and a file may make {MAX_GENERATED:,} of them here"
        return wrong, "correct the range"
    return None


def _generated(entry: str) -> int:
    """How many records a $GENERATE line makes."""
    try:
        start, stop, step = dns.grange.from_text(entry.split()[1])
    except (dns.exception.DNSException, ValueError, IndexError, AssertionError):
        return 0
    return (stop - start) // step + 1


def _unreadable(subject: str, wrong: str, fix: str) -> Diagnostic:
    return error("zone-syntax", subject, wrong, fix)


def _owner(name: dns.name.Name) -> str:
    return name.canonicalize().to_text(omit_final_dot=True)


def _record(name: dns.name.Name, ttl: int, rdata: dns.rdata.Rdata, domain: str) -> Record | Diagnostic | None:
    owner = _owner(name)
    kind = dns.rdatatype.to_text(rdata.rdtype)
    if kind in _HOSTED:
        return None
    if kind == "SPF":
        message = "the record type SPF was withdrawn and is not read"
        return error("spf-type", f"{owner} SPF", message, "publish it as TXT")
    try:
        if isinstance(rdata, dns.rdtypes.txtbase.TXTBase):
            return Record(owner, kind, decode_txt(rdata.strings), ttl)
        # Of a type that no rule is about, only the name matters: it exists.
        value = rdata.to_text()
        return Record(owner, kind, canonical_value(kind, value, domain) if kind in TYPES else value, ttl)
    except RecordError as problem:
        return error("record-value", f"{owner} {kind}", str(problem), "correct the value")


def _mixed_ttls(records: list[Record]) -> list[Diagnostic]:
    ttls: dict[tuple[str, str], set[int]] = {}
    for one in records:
        ttls.setdefault((one.name, one.type), set()).add(one.ttl)
    return [
        warning(
            "ttl-mixed",
            f"{name} {kind}",
            f"has TTLs of {', '.join(map(str, sorted(found)))} seconds in one set",
            "give all records of the set one TTL",
        )
        for (name, kind), found in ttls.items()
        if len(found) > 1
    ]
