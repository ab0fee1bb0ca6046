"""DMARC policy records by RFC 9989 (which replaces RFC 7489): parse, judge, build, and the steps of a ramp.

RFC 9989 removed `pct`, `rf` and `ri`, and added `np` (names that do not exist), `psd` and `t` (test mode).
With `t=y` receivers apply the policy one level lower: reject as quarantine, quarantine as none. That is what
replaces `pct`.
"""

import re
from collections.abc import Sequence
from urllib.parse import unquote

from tierstack.core.diagnostics import Diagnostic
from tierstack.dns_records.mail import tags
from tierstack.dns_records.mail.report_uris import is_mailbox, mailbox, report_uri_slip
from tierstack.dns_records.options import DmarcStage
from tierstack.dns_records.records import hostnames as names
from tierstack.dns_records.records.model import Record, is_below
from tierstack.dns_records.records.texts import odd_character
from tierstack.dns_records.resolve.names import LookupUnavailableError, Resolver
from tierstack.dns_records.rules import ADVICE, ERROR, WARNING, advice, declare, error, warning

declare("dmarc-external-refused", "Another domain that gets DMARC reports agrees to it.", "RFC 9990 §4", ERROR)
declare(
    "dmarc-external-unknown",
    "It is known whether another domain that gets DMARC reports agrees to it.",
    "RFC 9990 §4",
    ADVICE,
)
declare("dmarc-fo", "`fo` of DMARC is made of 0, 1, d and s.", "RFC 9989 §4.8", ERROR)
declare(
    "dmarc-fo-without-ruf",
    "`fo` of DMARC stands beside `ruf`, without which it means nothing.",
    "RFC 9989 §4.7",
    WARNING,
)
declare("dmarc-monitoring", "The DMARC policy enforces something.", "RFC 9989 §5.1", ADVICE)
declare("dmarc-no-policy", "A DMARC record says a policy with `p`.", "RFC 9989 §4.7", WARNING)
declare("dmarc-no-reports", "Somebody gets the DMARC reports.", "RFC 9989 §5.1.3", WARNING, ADVICE)
declare("dmarc-pct", "DMARC has no `pct` below 100: the policy holds for all mail.", "RFC 9989 §A.6", ERROR)
declare("dmarc-removed-tag", "DMARC has no tags that RFC 9989 removed.", "RFC 9989 §C", WARNING)
declare("dmarc-report-uri", "DMARC reports go to mailto addresses.", "RFC 9990 §3", ERROR)
declare(
    "dmarc-size", "Addresses of DMARC reports have no size limit, which is no longer read.", "RFC 9989 §C.4", WARNING
)
declare("dmarc-syntax", "A DMARC record is a list of tags.", "RFC 9989 §4.8", ERROR)
declare("dmarc-unknown-tag", "Tags of DMARC are known ones.", "RFC 9989 §4.8", WARNING)
declare("dmarc-value", "Tags of DMARC have values that they can have.", "RFC 9989 §4.7", ERROR)
declare("dmarc-version", "A DMARC record begins with `v=DMARC1`.", "RFC 9989 §4.8", ERROR)
declare("dmarc-weaker-subdomains", "Subdomains are not protected less than the domain.", "RFC 9989 §4.7", WARNING)

POLICIES = ("none", "quarantine", "reject")
"""Weakest first."""

_RULE = "RFC 9989 §4.7"
_CHOICES = {
    "p": POLICIES,
    "sp": POLICIES,
    "np": POLICIES,
    "adkim": ("r", "s"),
    "aspf": ("r", "s"),
    "psd": ("y", "n", "u"),
    "t": ("y", "n"),
}
_OTHER_SCHEMES = frozenset({"https", "http"})
_KNOWN = frozenset({"v", "rua", "ruf", "fo", *_CHOICES})
_REMOVED = ("pct", "rf", "ri")
_SIZE = re.compile(r"!\d+[kmgt]?$", re.IGNORECASE)
_NEXT_TAG = re.compile(r"[\s,]+(?=(?:p|sp|np|rua|ruf|fo|t|psd|adkim|aspf|pct|ri|rf)\s*=)")

RAMP: dict[DmarcStage, tuple[str, bool]] = {
    DmarcStage.MONITOR: ("none", False),
    DmarcStage.QUARANTINE_TEST: ("quarantine", True),
    DmarcStage.QUARANTINE: ("quarantine", False),
    DmarcStage.REJECT_TEST: ("reject", True),
    DmarcStage.REJECT: ("reject", False),
}
"""Each step of the ramp as (p, whether t=y), in the order in which a domain takes them (RFC 9989 §4.7)."""


def record_name(domain: str) -> str:
    """Where the policy of a domain stands (RFC 9989 §4.7)."""
    return f"_dmarc.{domain}"


def is_dmarc(text: str) -> bool:
    """Whether a TXT is a DMARC record: its first tag is `v=DMARC1`, in this case (RFC 9989 §4.8)."""
    return bool(re.match(r"^v\s*=\s*DMARC1\s*(;|$)", text))


def nearly(text: str) -> bool:
    """Whether a text at `_dmarc` was meant as a policy, though it is none."""
    return not is_dmarc(text) and bool(re.match(r"\W*(v\W*dmarc|dmarc|p\s*=)", text, re.IGNORECASE))


def build(
    stage: DmarcStage,
    *,
    rua: Sequence[str] = (),
    ruf: Sequence[str] = (),
    sp: str | None = None,
    np: str | None = None,
    strict_dkim: bool = False,
    strict_spf: bool = False,
    fo: str | None = None,
    psd: bool = False,
) -> str:
    """The text of a policy record. Addresses are given bare (`dmarc@example.org`) or as URIs."""
    policy, test = RAMP[stage]
    pairs = [("v", "DMARC1"), ("p", policy)]
    pairs += [("sp", sp)] if sp else []
    pairs += [("np", np)] if np else []
    pairs += [("t", "y")] if test else []
    pairs += [("psd", "y")] if psd else []
    pairs += [("rua", ",".join(map(uri, rua)))] if rua else []
    pairs += [("ruf", ",".join(map(uri, ruf)))] if ruf else []
    pairs += [("fo", fo)] if fo else []
    pairs += [("adkim", "s")] if strict_dkim else []
    pairs += [("aspf", "s")] if strict_spf else []
    return tags.render(pairs)


def uri(address: str) -> str:
    """A report address as a URI, escaped where it must be (RFC 9989 §4.8)."""
    return address if ":" in address else f"mailto:{mailbox(address)}"


def policy(text: str) -> str:
    """What receivers do with a failing mail: `none`, `quarantine` or `reject`, with `t=y` already counted
    in."""
    parsed = tags.parse(text)
    given = (parsed.get("p") or "none").lower()
    level = POLICIES.index(given) if given in POLICIES else 0
    return POLICIES[max(0, level - ((parsed.get("t") or "").lower() == "y"))]


def check(text: str, subject: str) -> list[Diagnostic]:
    """What is wrong with the text of one DMARC record."""
    parsed = tags.parse(text)
    if not is_dmarc(text):
        message, fix = "does not begin with `v=DMARC1`, so receivers ignore it", "begin with `v=DMARC1;`"
        if odd := odd_character(text[: len("v=DMARC1") + 1]):
            message, fix = (
                f"{message}: it holds {odd}",
                "begin with `v=DMARC1;` in plain letters, without anything before it",
            )
        elif text[:1].isspace():
            message, fix = "begins with white space, so receivers ignore it", "remove the space before `v=DMARC1;`"
        return [error("dmarc-version", subject, message, fix)]
    found = [error("dmarc-syntax", subject, p.message, p.hint) for p in parsed.problems]
    return found + _check_values(parsed, subject) + _check_removed(parsed, subject) + _check_policy(parsed, subject)


def _check_values(parsed: tags.Tags, subject: str) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    for name, value in parsed.pairs:
        choices = _CHOICES.get(name)
        if choices and value.lower() not in choices:
            fix = f"write one of {', '.join(choices)}"
            if tail := _NEXT_TAG.split(value, maxsplit=1)[1:]:
                fix = f"put a `;` before `{tail[0]}`"
            found.append(error("dmarc-value", subject, f"`{name}={value}` is not a value of `{name}`", fix))
        if name not in _KNOWN and name not in _REMOVED:
            fix = tags.remedy(name, _KNOWN)
            found.append(warning("dmarc-unknown-tag", subject, f"the tag `{name}` is ignored", fix))
    for name in ("rua", "ruf"):
        given = addresses(parsed, name)
        found += [finding for one in given for finding in _check_uri(name, one, subject)]
        if given and all(_scheme(one) in _OTHER_SCHEMES for one in given):
            message = f"`{name}`: `{given[0]}` is not a mailto: address, and nothing else is required to work"
            found.append(error("dmarc-report-uri", subject, message, "add a mailto: address"))
    return found + _check_fo(parsed, subject)


def _check_fo(parsed: tags.Tags, subject: str) -> list[Diagnostic]:
    fo = parsed.get("fo")
    if fo is None:
        return []
    options = [one.strip() for one in fo.split(":")]
    if set(options) - {"0", "1", "d", "s"} or len(set(options)) != len(options) or {"0", "1"} <= set(options):
        message = f"`fo={fo}` is not a list of 0 or 1, d and s"
        return [error("dmarc-fo", subject, message, "write `fo=1`, or another such list")]
    if parsed.get("ruf") is None:
        return [
            warning(
                "dmarc-fo-without-ruf",
                subject,
                "`fo` is ignored where there is no `ruf`",
                "remove `fo`, or add `ruf`",
            )
        ]
    return []


def _check_uri(tag: str, one: str, subject: str) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    if _SIZE.search(one):
        found.append(
            warning(
                "dmarc-size",
                subject,
                f"`{tag}`: the size after `!` in `{one}` is no longer read",
                "remove it",
            )
        )
    bare = _SIZE.sub("", one)
    if _scheme(bare) in _OTHER_SCHEMES:
        return found  # any URI may stand here, and receivers pass over what they do not support
    if not bare.lower().startswith("mailto:"):
        message = f"`{tag}`: `{one}` is not a mailto: address, and nothing else is required to work"
        return [*found, error("dmarc-report-uri", subject, message, _uri_remedy(one))]
    if slip := report_uri_slip(f"mailto:{bare[7:]}"):
        return [*found, error("dmarc-report-uri", subject, f"`{tag}`: {slip.message}", slip.hint)]
    return found


def _scheme(address: str) -> str:
    """The scheme of a URI in lower case, or an empty text."""
    return address.partition(":")[0].lower() if ":" in address else ""


def _uri_remedy(address: str) -> str:
    return f"write `mailto:{address}`" if is_mailbox(address) else "write `mailto:name@example.org`"


def _check_removed(parsed: tags.Tags, subject: str) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    for name in _REMOVED:
        value = parsed.get(name)
        if value is None:
            continue
        if name == "pct" and value != "100":
            found.append(
                error(
                    "dmarc-pct",
                    subject,
                    f"`pct={value}` was removed: receivers apply the policy to all mail",
                    "remove `pct`; to test a policy write `t=y`",
                )
            )
        else:
            found.append(warning("dmarc-removed-tag", subject, f"`{name}` was removed", f"remove `{name}`"))
    return found


def _check_policy(parsed: tags.Tags, subject: str) -> list[Diagnostic]:
    p = parsed.get("p")
    if p is None and parsed.problems:
        return []  # what could not be read may be the policy
    found: list[Diagnostic] = []
    if p is None:
        fix = "write `p=none`, `p=quarantine` or `p=reject`"
        if parsed.names == ["v"]:
            fix += "; in a zone file put the text in quotes, or `;` begins a comment"
        found.append(warning("dmarc-no-policy", subject, "has no `p`, which is read as none", fix))
    if (p or "none").lower() == "none":
        found.append(
            advice(
                "dmarc-monitoring",
                subject,
                "`p=none` stops no forged mail",
                "read the reports for some weeks, then go to `p=quarantine; t=y`",
            )
        )
    if parsed.get("rua") is None:
        # A policy that only watches is of no use when nobody reads; an enforcing one still protects.
        say = warning if (p or "none").lower() == "none" else advice
        message = "has no `rua`: nobody learns who sends as this domain"
        found.append(say("dmarc-no-reports", subject, message, "add `rua=mailto:…`"))
    for tag in ("sp", "np"):
        value = (parsed.get(tag) or "").lower()
        if p and value in POLICIES and p.lower() in POLICIES and POLICIES.index(value) < POLICIES.index(p.lower()):
            found.append(
                warning(
                    "dmarc-weaker-subdomains",
                    subject,
                    f"`{tag}={value}` is weaker than `p={p}`: forgers use subdomains",
                    f"remove `{tag}`, or write `{tag}={p}`",
                )
            )
    return found


def addresses(parsed: tags.Tags, tag: str) -> list[str]:
    """The URIs of `rua` or `ruf`, in order."""
    return [one.strip() for one in (parsed.get(tag) or "").split(",") if one.strip()]


def report_domain(address: str) -> str:
    """The domain to which a mailto: report address belongs, or an empty text."""
    scheme, _, path = _SIZE.sub("", address).partition(":")
    if scheme.lower() != "mailto":
        return ""
    return names.mail_address(unquote(path.partition("?")[0])).rpartition("@")[2].lower()


def external_destinations(text: str, domain: str) -> list[str]:
    """The domains that must agree to receive the reports of `domain` (RFC 9990 §4): those outside of it.

    A name above or below `domain` belongs to the same organization; without the tree walk of RFC 9989 §4.10
    that is what can be told offline, and it errs on the side of asking.
    """
    parsed = tags.parse(text)
    found = {report_domain(one) for tag in ("rua", "ruf") for one in addresses(parsed, tag)}
    return sorted(
        one for one in found if one and one != domain and not is_below(one, domain) and not is_below(domain, one)
    )


def authorisation(domain: str, destination: str) -> Record:
    """The record that `destination` publishes to accept the reports of `domain` (RFC 9990 §4)."""
    return Record(f"{domain}._report._dmarc.{destination}", "TXT", "v=DMARC1")


def check_destinations(
    text: str, domain: str, subject: str, resolver: Resolver, agreed: Sequence[str] = ()
) -> list[Diagnostic]:
    """Whether the external receivers of reports agree; `agreed` lists those that are known to accept all
    domains."""
    found: list[Diagnostic] = []
    for destination in external_destinations(text, domain):
        if destination in agreed:
            continue
        needed = authorisation(domain, destination)
        fix = f'let {destination} publish `{needed.name} TXT "{needed.value}"`'
        try:
            answers = resolver.lookup(needed.name, "TXT")
        except LookupUnavailableError:
            message = f"reports go to {destination} only if it agrees, which cannot be told offline"
            found.append(advice("dmarc-external-unknown", subject, message, fix))
            continue
        if not any(is_dmarc(one) for one in answers):
            message = f"{destination} does not agree to receive the reports, so none are sent"
            found.append(error("dmarc-external-refused", subject, message, fix))
    return found
