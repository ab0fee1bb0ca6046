"""BIMI, the sender's logo beside the mail (draft-brand-indicators-for-message-identification), needs
enforcing DMARC."""

import re

from tierstack.core.diagnostics import Diagnostic
from tierstack.dns_records.mail import tags
from tierstack.dns_records.mail.dmarc.record import policy
from tierstack.dns_records.records.texts import url_parts
from tierstack.dns_records.rules import ERROR, WARNING, declare, error, warning

declare(
    "bimi-file",
    "The logo of BIMI is an SVG file, and its certificate a PEM file.",
    "draft-brand-indicators-for-message-identification §4.2",
    WARNING,
)
declare(
    "bimi-no-certificate",
    "BIMI has a mark certificate, without which most providers show no logo.",
    "draft-brand-indicators-for-message-identification §4.2",
    WARNING,
)
declare(
    "bimi-not-enforced",
    "BIMI stands beside a DMARC policy that enforces.",
    "draft-brand-indicators-for-message-identification §7.1",
    ERROR,
    WARNING,
)
declare(
    "bimi-syntax", "A BIMI record is a list of tags.", "draft-brand-indicators-for-message-identification §4.2", ERROR
)
declare("bimi-url", "The URLs of BIMI are https.", "draft-brand-indicators-for-message-identification §4.2", ERROR)
declare(
    "bimi-version",
    "A BIMI record begins with `v=BIMI1`.",
    "draft-brand-indicators-for-message-identification §4.2",
    ERROR,
)

SOURCE = "draft-brand-indicators-for-message-identification"
"""The document that defines BIMI; it has no RFC yet."""


def record_name(domain: str, selector: str = "default") -> str:
    """Where the record of a selector stands."""
    return f"{selector}._bimi.{domain}"


def record_text(logo: str, certificate: str | None) -> str:
    """The text of a record: the URL of the SVG, and that of the mark certificate (VMC or CMC)."""
    return tags.render([("v", "BIMI1"), ("l", logo), *([("a", certificate)] if certificate else [])])


def is_bimi(text: str) -> bool:
    """Whether receivers read a TXT as a record of BIMI: its first tag is `v=BIMI1`."""
    return bool(re.match(r"v[ \t]*=[ \t]*BIMI1[ \t]*(?:;|$)", text))


def check(text: str, subject: str, dmarc_text: str | None, *, known: bool = True) -> list[Diagnostic]:
    """What is wrong with a record, given the DMARC record of the domain (None: there is none). `known` is False where
    nobody here can tell which there is."""
    parsed = tags.parse(text)
    found = [error("bimi-syntax", subject, p.message, p.hint) for p in parsed.problems]
    if not is_bimi(text):
        message = "does not begin with `v=BIMI1`"
        found.append(error("bimi-version", subject, message, "begin with `v=BIMI1;`"))
    logo, certificate = parsed.get("l") or "", parsed.get("a") or ""
    if not logo and not certificate and parsed.get("l") is not None:
        return found  # an empty l= declines to take part, which needs nothing else
    found += _check_url("l", logo, (".svg", ".svgz"), subject)
    if certificate:
        found += _check_url("a", certificate, (".pem",), subject)
    else:
        message = "has no mark certificate (`a=`), without which most mailbox providers show no logo"
        found.append(
            warning(
                "bimi-no-certificate",
                subject,
                message,
                "add `a=` with the URL of a VMC or CMC",
            )
        )
    return found + (_check_enforcement(subject, dmarc_text) if known else [])


def _check_url(tag: str, url: str, endings: tuple[str, ...], subject: str) -> list[Diagnostic]:
    parts = url_parts(url)
    if parts.scheme != "https" or not parts.netloc:
        message = f"`{tag}={url}` is not an https: URL"
        return [error("bimi-url", subject, message, "write a URL that begins with `https://`")]
    if not parts.path.lower().endswith(endings):
        message = f"`{tag}={url}` does not end with {' or '.join(endings)}"
        return [warning("bimi-file", subject, message, f"serve a {endings[0]} file")]
    return []


def _check_enforcement(subject: str, dmarc_text: str | None) -> list[Diagnostic]:
    if dmarc_text is None:
        message = "the domain has no DMARC record"
    elif reason := _not_enforced(dmarc_text):
        message = f"DMARC {reason}"
    else:
        return []
    return [error("bimi-not-enforced", subject, message, "bring DMARC to `p=quarantine` or `p=reject` first")]


def _not_enforced(dmarc_text: str) -> str | None:
    if policy(dmarc_text) == "none":
        return "does not enforce (`p=none`, or `p=quarantine` in test mode)"
    if (tags.parse(dmarc_text).get("sp") or "").lower() == "none":
        return "exempts subdomains (`sp=none`)"
    return None


def check_above(subject: str, above: str, dmarc_text: str) -> list[Diagnostic]:
    """What is wrong with the policy of `above`, to which a domain with a logo and a policy of its own belongs. Some
    receivers do not look at it."""
    reason = _not_enforced(dmarc_text)
    if reason is None:
        return []
    message = f"DMARC of {above} {reason}, and receivers ask for both policies"
    fix = f"bring DMARC of {above} to `p=quarantine` or `p=reject`, too"
    return [warning("bimi-not-enforced", subject, message, fix)]
