"""MTA-STS (RFC 8461), by which senders must use TLS to our mail servers."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tierstack.core.diagnostics import Diagnostic
from tierstack.dns_records.mail import tags
from tierstack.dns_records.mail.tls_rpt import is_tls_rpt
from tierstack.dns_records.options import LONGEST_POLICY, MtaStsMode
from tierstack.dns_records.resolve.names import Names
from tierstack.dns_records.rules import ADVICE, ERROR, WARNING, advice, declare, error, warning

declare("sts-id", "The id of MTA-STS is 1 to 32 letters and digits.", "RFC 8461 §3.1", ERROR)
declare("sts-max-age", "`max_age` of an MTA-STS policy is 0 to 31557600 seconds.", "RFC 8461 §3.2", ERROR)
declare("sts-mx-missing", "Every mail exchanger is in the MTA-STS policy.", "RFC 8461 §4.1", ERROR)
declare("sts-no-host", "The host of the MTA-STS policy has an address.", "RFC 8461 §3.3", ERROR)
declare("sts-no-mx", "An MTA-STS policy names mail exchangers.", "RFC 8461 §3.2", ERROR)
declare("sts-short", "Senders keep an MTA-STS policy for at least a day.", "RFC 8461 §3.2", WARNING)
declare("sts-syntax", "An MTA-STS record is a list of tags.", "RFC 8461 §3.1", ERROR)
declare("sts-version", "An MTA-STS record begins with `v=STSv1`.", "RFC 8461 §3.1", ERROR)
declare(
    "tlsrpt-absent", "Somebody gets the reports about TLS of a domain with MTA-STS.", "RFC 8461 §6, RFC 8460 §1", ADVICE
)

MIN_USEFUL_AGE = 86_400
"""Seconds: below a day an attacker only has to wait (RFC 8461 §3.2 speaks of weeks or more)."""

_SECONDS = re.compile(r"[0-9]{1,10}")
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


@dataclass(frozen=True)
class Policy:
    """What the file of a policy says."""

    mode: MtaStsMode
    exchanges: tuple[str, ...]
    max_age: int
    """Seconds."""


def read_policy(text: str) -> Policy | str:
    """The policy in a file, or what is wrong with it (RFC 8461 §3.2): fields in any order, the first of a field that
    may stand once, unknown ones ignored."""
    pairs = [(key.strip(), value.strip()) for key, _, value in (line.partition(":") for line in text.splitlines())]
    first = dict(reversed(pairs))
    if first.get("version") != "STSv1":
        return "does not begin with `version: STSv1` (RFC 8461 §3.2)"
    if first.get("mode") not in [mode.value for mode in MtaStsMode]:
        return "has no `mode` of testing, enforce or none (RFC 8461 §3.2)"
    age = first.get("max_age", "")
    if not _SECONDS.fullmatch(age) or int(age) > LONGEST_POLICY:
        return f"has no `max_age` from 0 to {LONGEST_POLICY} seconds (RFC 8461 §3.2)"
    exchanges = tuple(value.lower().rstrip(".") for key, value in pairs if key == "mx")
    if first["mode"] != MtaStsMode.NONE.value and not exchanges:
        return "names no `mx` (RFC 8461 §3.2)"
    return Policy(MtaStsMode(first["mode"]), exchanges, int(age))


def policy_problem(text: str) -> str | None:
    """What is wrong with the text of a policy file (RFC 8461 §3.2), or None."""
    found = read_policy(text)
    return found if isinstance(found, str) else None


def covers(pattern: str, exchange: str) -> bool:
    """Whether a `mx` line of a policy matches a host: exactly, or `*.` for one label (RFC 8461 §4.1)."""
    if pattern.startswith("*."):
        return exchange.partition(".")[2] == pattern[2:]
    return pattern == exchange


def is_sts(text: str) -> bool:
    """Whether senders read a TXT at `_mta-sts`: it begins with `v=STSv1;` (RFC 8461 §3.1)."""
    return bool(re.match(r"v=STSv1[ \t]*(?:;|$)", text))


def check(text: str, subject: str) -> list[Diagnostic]:
    """What is wrong with the text of `_mta-sts.<domain>`."""
    parsed = tags.parse(text, tags.FIELD)
    found = [error("sts-syntax", subject, p.message, p.hint) for p in parsed.problems]
    if not is_sts(text):
        message = "does not begin with `v=STSv1`"
        found.append(error("sts-version", subject, message, "begin with `v=STSv1;`"))
    if not _ID.match(parsed.get("id") or ""):
        message = f"`id={parsed.get('id') or ''}` is not 1 to 32 letters and digits"
        found.append(error("sts-id", subject, message, "write letters and digits only"))
    return found


def check_policy(
    mode: MtaStsMode, exchanges: Sequence[str], patterns: Sequence[str], max_age: int, subject: str
) -> list[Diagnostic]:
    """What is wrong with a policy, given the mail exchangers that the zone has."""
    found: list[Diagnostic] = []
    if not 0 <= max_age <= LONGEST_POLICY:
        message = f"max_age is {max_age} seconds"
        found.append(error("sts-max-age", subject, message, f"write 0 to {LONGEST_POLICY}"))
    elif mode is MtaStsMode.ENFORCE and max_age < MIN_USEFUL_AGE:
        message = f"max_age of {max_age} seconds protects for less than a day"
        found.append(warning("sts-short", subject, message, "write 604800 (a week) or more"))
    missed = [one for one in exchanges if not any(covers(pattern, one) for pattern in patterns)]
    if mode is not MtaStsMode.NONE:
        for one in missed:
            lost = "mail to it will be refused" if mode is MtaStsMode.ENFORCE else "reports will show failures"
            message = f"no `mx` line covers {one}; {lost}"
            found.append(error("sts-mx-missing", subject, message, f"add `{one}`"))
        if not exchanges:
            message = "the domain has no mail exchanger to protect"
            found.append(error("sts-no-mx", subject, message, "remove the policy"))
    return found


def check_host(names: Names, domain: str) -> list[Diagnostic]:
    """Whether the host that serves the policy of `domain`, the zone's own or one in it, has an address when the record
    is there."""
    announced = names.answer(f"_mta-sts.{domain}", "TXT")
    host = host_name(domain)
    if not names.inside(domain) or (announced.values and not any(map(is_sts, announced.values))):
        return []
    if not names.address(host).absent or names.alias(host):
        return []
    message = f"nothing serves the policy: {host} has no address"
    fix = f"add a web host `mta-sts` to {domain}"
    return [error("sts-no-host", f"_mta-sts.{domain} TXT", message, fix)]


def check_together(names: Names) -> list[Diagnostic]:
    """Advice on a domain that takes mail and lacks one of the two."""
    announced = names.answer(f"_mta-sts.{names.domain}", "TXT")
    reports = names.answer(f"_smtp._tls.{names.domain}", "TXT")
    if not any(map(is_sts, announced.values)) and not announced.unknown:
        return []
    if reports.unknown or any(map(is_tls_rpt, reports.values)) or not names.held(f"_mta-sts.{names.domain}"):
        return []
    message = "has MTA-STS and no TLS-RPT, so failures stay unseen"
    return [advice("tlsrpt-absent", names.domain, message, "add TLS-RPT")]
