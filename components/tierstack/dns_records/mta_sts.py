"""MTA-STS (RFC 8461), by which senders must use TLS to our mail servers, and TLS-RPT (RFC 8460), by which
they report."""

import hashlib
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from tierstack.dns_records import tags
from tierstack.dns_records.findings import Finding, advice, error, warning
from tierstack.dns_records.options import MtaStsMode
from tierstack.dns_records.records import RecordSet

MAX_AGE_LIMIT = 31_557_600
"""Seconds: a year, the longest that a policy may be kept (RFC 8461 §3.2)."""
MIN_USEFUL_AGE = 86_400
"""Seconds: below a day an attacker only has to wait (RFC 8461 §3.2 speaks of weeks or more)."""

_ID = re.compile(r"^[A-Za-z0-9]{1,32}$")


def policy_text(mode: MtaStsMode, exchanges: Sequence[str], max_age: int) -> str:
    """The file served at https://mta-sts.<domain>/.well-known/mta-sts.txt (RFC 8461 §3.2); lines end with
    CRLF."""
    lines = [
        "version: STSv1",
        f"mode: {mode.value}",
        *(f"mx: {one}" for one in exchanges),
        f"max_age: {max_age}",
    ]
    return "".join(f"{line}\r\n" for line in lines)


def policy_id(text: str) -> str:
    """The id of a policy, from its content, so that it changes exactly when the policy does (RFC 8461
    §3.1)."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def record_text(policy: str) -> str:
    """The text of `_mta-sts.<domain>` for a policy file."""
    return f"v=STSv1; id={policy_id(policy)}"


def host_name(domain: str) -> str:
    """The host that serves the policy of a domain (RFC 8461 §3.3)."""
    return f"mta-sts.{domain}"


def policy_problem(text: str) -> str | None:
    """What is wrong with the text of a policy file (RFC 8461 §3.2), or None."""
    pairs = [line.partition(":")[::2] for line in text.splitlines()]
    keys = [key.strip() for key, _ in pairs]
    values = {key.strip(): value.strip() for key, value in pairs}
    if keys[:1] != ["version"] or values["version"] != "STSv1":
        return "does not begin with `version: STSv1` (RFC 8461 §3.2)"
    if values.get("mode") not in [mode.value for mode in MtaStsMode]:
        return "has no `mode` of testing, enforce or none (RFC 8461 §3.2)"
    if not values.get("max_age", "").isdecimal() or not 1 <= int(values["max_age"]) <= MAX_AGE_LIMIT:
        return f"has no `max_age` from 1 to {MAX_AGE_LIMIT} seconds (RFC 8461 §3.2)"
    if values["mode"] != MtaStsMode.NONE.value and "mx" not in keys:
        return "names no `mx` (RFC 8461 §3.2)"
    return None


def covers(pattern: str, exchange: str) -> bool:
    """Whether a `mx` line of a policy matches a host: exactly, or `*.` for one label (RFC 8461 §4.1)."""
    if pattern.startswith("*."):
        return exchange.partition(".")[2] == pattern[2:]
    return pattern == exchange


def check(text: str, subject: str) -> list[Finding]:
    """What is wrong with the text of `_mta-sts.<domain>`."""
    parsed = tags.parse(text)
    found = [error("sts-syntax", subject, p, "RFC 8461 §3.1", "correct the list of tags") for p in parsed.problems]
    if parsed.get("v") != "STSv1" or parsed.names[0] != "v":
        message = "does not begin with `v=STSv1`"
        found.append(error("sts-version", subject, message, "RFC 8461 §3.1", "begin with `v=STSv1;`"))
    if not _ID.match(parsed.get("id") or ""):
        message = f"`id={parsed.get('id') or ''}` is not 1 to 32 letters and digits"
        found.append(error("sts-id", subject, message, "RFC 8461 §3.1", "write letters and digits only"))
    return found


def check_policy(
    mode: MtaStsMode, exchanges: Sequence[str], patterns: Sequence[str], max_age: int, subject: str
) -> list[Finding]:
    """What is wrong with a policy, given the mail exchangers that the zone has."""
    found: list[Finding] = []
    if not 1 <= max_age <= MAX_AGE_LIMIT:
        message = f"max_age is {max_age} seconds"
        found.append(error("sts-max-age", subject, message, "RFC 8461 §3.2", f"write 1 to {MAX_AGE_LIMIT}"))
    elif mode is MtaStsMode.ENFORCE and max_age < MIN_USEFUL_AGE:
        message = f"max_age of {max_age} seconds protects for less than a day"
        found.append(warning("sts-short", subject, message, "RFC 8461 §3.2", "write 604800 (a week) or more"))
    missed = [one for one in exchanges if not any(covers(pattern, one) for pattern in patterns)]
    if mode is not MtaStsMode.NONE:
        for one in missed:
            lost = "mail to it will be refused" if mode is MtaStsMode.ENFORCE else "reports will show failures"
            message = f"no `mx` line covers {one}; {lost}"
            found.append(error("sts-mx-missing", subject, message, "RFC 8461 §4.1", f"add `{one}`"))
        if not exchanges:
            message = "the domain has no mail exchanger to protect"
            found.append(error("sts-no-mx", subject, message, "RFC 8461 §3.2", "remove the policy"))
    return found


def check_host(sets: Sequence[RecordSet], domain: str) -> list[Finding]:
    """Whether the host that serves the policy is in the zone when the record is."""
    owners = {(one.name, one.type) for one in sets}
    if (f"_mta-sts.{domain}", "TXT") not in owners and (f"_mta-sts.{domain}", "CNAME") not in owners:
        return []
    if any((f"mta-sts.{domain}", kind) in owners for kind in ("A", "AAAA", "CNAME")):
        return []
    message = f"nothing serves the policy: mta-sts.{domain} has no address"
    return [
        error(
            "sts-no-host",
            f"_mta-sts.{domain} TXT",
            message,
            "RFC 8461 §3.3",
            f"add a web host `mta-sts` to {domain}",
        )
    ]


def tls_rpt_text(addresses: Sequence[str]) -> str:
    """The text of `_smtp._tls.<domain>` (RFC 8460 §3); addresses are bare or URIs."""
    return "v=TLSRPTv1; rua=" + ",".join(one if ":" in one else f"mailto:{one}" for one in addresses)


def check_tls_rpt(text: str, subject: str) -> list[Finding]:
    """What is wrong with the text of `_smtp._tls.<domain>`."""
    parsed = tags.parse(text)
    found = [error("tlsrpt-syntax", subject, p, "RFC 8460 §3", "correct the list of tags") for p in parsed.problems]
    if parsed.get("v") != "TLSRPTv1" or parsed.names[0] != "v":
        message = "does not begin with `v=TLSRPTv1`"
        found.append(error("tlsrpt-version", subject, message, "RFC 8460 §3", "begin with `v=TLSRPTv1;`"))
    addresses = [one.strip() for one in (parsed.get("rua") or "").split(",") if one.strip()]
    if not addresses:
        found.append(error("tlsrpt-no-address", subject, "has no `rua`", "RFC 8460 §3", "add `rua=mailto:…`"))
    for one in addresses:
        parts = urlsplit(one)
        if not (parts.scheme == "mailto" and "@" in parts.path) and not (parts.scheme == "https" and parts.netloc):
            message = f"`{one}` is not a mailto: or https: address"
            found.append(error("tlsrpt-address", subject, message, "RFC 8460 §3", f"write `mailto:{one}`"))
    return found


def check_together(sets: Sequence[RecordSet], domain: str) -> list[Finding]:
    """Advice on a domain that takes mail and lacks one of the two."""
    owners = {one.name for one in sets if one.type in ("TXT", "CNAME")}
    if f"_mta-sts.{domain}" in owners and f"_smtp._tls.{domain}" not in owners:
        message = "has MTA-STS and no TLS-RPT, so failures stay unseen"
        return [advice("tlsrpt-absent", domain, message, "RFC 8461 §6, RFC 8460 §1", "add TLS-RPT")]
    return []
