"""TLS-RPT (RFC 8460), by which senders report whether TLS to our mail servers worked."""

import re
from collections.abc import Sequence

from tierstack.core.diagnostics import Diagnostic
from tierstack.dns_records.mail import tags
from tierstack.dns_records.mail.report_uris import mailbox, report_uri_slip
from tierstack.dns_records.rules import ERROR, declare, error

declare("tlsrpt-address", "TLS reports go to mailto or https addresses.", "RFC 8460 §3", ERROR)
declare("tlsrpt-no-address", "A TLS-RPT record names who gets the reports.", "RFC 8460 §3", ERROR)
declare("tlsrpt-syntax", "A TLS-RPT record is a list of tags.", "RFC 8460 §3", ERROR)
declare("tlsrpt-version", "A TLS-RPT record begins with `v=TLSRPTv1`.", "RFC 8460 §3", ERROR)


def _uri(address: str) -> str:
    return address if ":" in address else f"mailto:{mailbox(address)}"


def record_text(addresses: Sequence[str]) -> str:
    """The text of `_smtp._tls.<domain>` (RFC 8460 §3); addresses are bare or URIs."""
    return "v=TLSRPTv1; rua=" + ",".join(map(_uri, addresses))


def is_tls_rpt(text: str) -> bool:
    """Whether senders read a TXT at `_smtp._tls`: it begins with `v=TLSRPTv1;` (RFC 8460 §3)."""
    return bool(re.match(r"v=TLSRPTv1[ \t]*(?:;|$)", text))


def check(text: str, subject: str) -> list[Diagnostic]:
    """What is wrong with the text of `_smtp._tls.<domain>`."""
    parsed = tags.parse(text, tags.FIELD, repeated=("rua",))
    found = [error("tlsrpt-syntax", subject, p.message, p.hint) for p in parsed.problems]
    if not is_tls_rpt(text):
        message = "does not begin with `v=TLSRPTv1`"
        found.append(error("tlsrpt-version", subject, message, "begin with `v=TLSRPTv1;`"))
    addresses = [one for value in parsed.all("rua") for one in tags.split(value, ",") if one]
    if not addresses:
        found.append(error("tlsrpt-no-address", subject, "has no `rua`", "add `rua=mailto:…`"))
    slips = [slip for one in addresses if (slip := report_uri_slip(one))]
    return found + [error("tlsrpt-address", subject, slip.message, slip.hint) for slip in slips]
