"""What DNS hosts write into zone files beside the standard (pure): types of their own, and values that only they
understand."""

import re
from dataclasses import dataclass, replace

from tierstack.core.diagnostics import Diagnostic
from tierstack.dns_records.records.model import FLATTENED, Record
from tierstack.dns_records.rules import WARNING, declare, warning

declare("zone-dialect", "A zone file has no types that one DNS host alone knows.", "RFC 3597 §1", WARNING)

_OWN_TYPES = (
    *("ALIAS", "ANAME", "R53ALIAS", "AZURE_ALIAS", "FLATTEN", "LUA"),
    *("URL", "URL301", "URL302", "REDIRECT", "FRAME", "FORWARD", "WORKER", "WEBREDIR", "REDIR"),
)
_OWN = re.compile(rf"\s(?:AWS\s+)?({'|'.join(_OWN_TYPES)})\s", re.IGNORECASE)
_CLOUDFLARE = re.compile(r"\bcf_tags=|\.ns\.cloudflare\.com\b", re.IGNORECASE)
_AUTOMATIC_TTL = 1
_CLOUDFLARE_TTL = 300
"""Seconds: what Cloudflare answers where the TTL is automatic (developers.cloudflare.com/dns, "Time to Live")."""


_RARE_TYPES = (
    *("A6", "ATMA", "DOA", "EID", "GID", "MB", "MG", "MINFO", "MR", "NIMLOC", "NXT", "RKEY", "SINK", "TA", "TALINK"),
    *("UID", "UINFO", "UNSPEC"),
)
_RARE = re.compile(rf"\s(?:{'|'.join(_RARE_TYPES)})\s", re.IGNORECASE)
"""Registered types (IANA, Domain Name System Parameters) whose values the library here cannot read."""


def rare_type(entry: str, why: str) -> str | None:
    """An entry that cannot be read for its rare type, with a value that can be: no rule is about it, and its name
    exists. None where it is none of those."""
    match = _RARE.search(entry) if "unknown rdatatype" in why or "generic rdata" in why else None
    return f"{entry[: match.start()]} TYPE65534 \\# 0" if match else None


@dataclass(frozen=True)
class OwnType:
    """A record of a type that only one DNS host knows. It answers for it with records of other types."""

    type: str
    standard: str
    """The entry with a standard type and no target, so that its owner and TTL can be read."""

    def finding(self, subject: str) -> Diagnostic:
        """What to say of it at `subject`."""
        message = f"`{self.type}` is a type of your DNS host only, and what it answers is not judged"
        fix = "leave the line out where another DNS host reads this file"
        return warning("zone-dialect", subject, message, fix)


def own_type(entry: str) -> OwnType | None:
    """The record of an entry that no standard knows; None where it is none of those known here."""
    match = _OWN.search(entry)
    return OwnType(match[1].upper(), f"{entry[: match.start()]} CNAME .") if match else None


def is_cloudflare(text: str) -> bool:
    """Whether Cloudflare wrote a zone file, or serves the zone."""
    return bool(_CLOUDFLARE.search(text))


def of_cloudflare(one: Record, domain: str) -> Record:
    """A record as Cloudflare means it: TTL 1 is automatic, and an alias at the top of the zone is flattened."""
    ttl = _CLOUDFLARE_TTL if one.ttl == _AUTOMATIC_TTL else one.ttl
    if one.type == "CNAME" and one.name == domain:
        return Record(one.name, FLATTENED, one.value, ttl)
    return replace(one, ttl=ttl)
