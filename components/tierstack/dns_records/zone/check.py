"""The judgement of a zone as a whole, be it composed here or found somewhere."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from tierstack.core.diagnostics import Diagnostic
from tierstack.dns_records.mail import bimi, misplaced, mx, tags, tls_rpt
from tierstack.dns_records.mail.dkim import record as dkim
from tierstack.dns_records.mail.dmarc import discovery as dmarc_discovery
from tierstack.dns_records.mail.dmarc import record as dmarc
from tierstack.dns_records.mail.mta_sts import record as mta_sts
from tierstack.dns_records.mail.providers import REPORT_RECEIVERS
from tierstack.dns_records.mail.spf import lookups as spf_lookups
from tierstack.dns_records.mail.spf import record as spf
from tierstack.dns_records.mail.spf.grammar import as_meant, is_spf, nearly, parse
from tierstack.dns_records.records import zonefile
from tierstack.dns_records.records.model import RecordError, RecordSet, absolute, host, is_below
from tierstack.dns_records.records.texts import odd_character
from tierstack.dns_records.resolve.names import Names, Resolver
from tierstack.dns_records.resolve.resolvers import default_resolver
from tierstack.dns_records.rules import ERROR, declare, error, ordered
from tierstack.dns_records.zone import absences, caa, hygiene

declare(
    "bimi-twice", "A BIMI selector has one record.", "draft-brand-indicators-for-message-identification §7.2", ERROR
)
declare("dkim-selector-absent", "A DKIM selector that somebody names has a key.", "RFC 6376 §3.6.2", ERROR)
declare("dkim-twice", "A DKIM selector has one key.", "RFC 6376 §3.6.2.2", ERROR)
declare("dmarc-twice", "A domain has one DMARC policy.", "RFC 9989 §4.10", ERROR)
declare(
    "domain",
    "A domain is written in lower case, without a final dot, in its ASCII form.",
    "RFC 1035 §2.3.1",
    ERROR,
    ignorable=False,
)
declare(
    "spf-twice",
    "A name has one SPF record.",
    "RFC 7208 §4.5",
    ERROR,
    why="Receivers that find two read none, and all mail fails SPF.",
    wrong='@ TXT "v=spf1 include:_spf.google.com ~all" and @ TXT "v=spf1 include:spf.brevo.com ~all"',
    right='@ TXT "v=spf1 include:_spf.google.com include:spf.brevo.com ~all"',
)
declare("spf-version", "An SPF record begins with `v=spf1` and a space.", "RFC 7208 §4.5", ERROR)
declare("sts-twice", "A domain has one MTA-STS record.", "RFC 8461 §3.1", ERROR)
declare("tlsrpt-twice", "A domain has one TLS-RPT record.", "RFC 8460 §3", ERROR)
declare("txt-backslash", "A list of tags has no backslash before `;`.", "RFC 1035 §5.1, RFC 6376 §3.2", ERROR)
declare("zone-empty", "The zone holds records of the domain.", "RFC 1035 §5.1", ERROR, ignorable=False)


def domain_problem(domain: str, *, scoped: bool = False) -> str | None:
    """What is wrong with the name of a domain, or None. `scoped` lets labels begin with `_`, as those of zones do to
    which keys, policies or services are delegated (RFC 8552)."""
    try:
        name = absolute(domain.rstrip(".") + ".", "invalid.")
    except RecordError as problem:
        return str(problem)
    if "." not in name:
        return f"`{domain}` is not a full domain name"
    labels = [label.removeprefix("_") if scoped else label for label in name.split(".")]
    bad = [label for label in labels if not hygiene.is_host_label(label)]
    if bad:
        label = bad[0].replace("\\", "")  # dnspython escapes what is no letter, digit or hyphen
        return f"`{label}` cannot be part of a domain"
    if name != domain:
        shown = f"lower case, no final dot, international labels as `{name}`"
        return f"`{domain}` is not in canonical form: {shown}"
    return None


@dataclass(frozen=True)
class _Context:
    """What the judgement of one record needs to know of the others."""

    names: Names
    targets: Collection[str]
    """The names to which aliases lead."""
    included: Collection[str]
    """The names whose SPF records others include, and nobody takes over as a whole."""


def check_sets(
    sets: Sequence[RecordSet],
    domain: str,
    live: Resolver | None = None,
    *,
    complete: bool = True,
    partly_read: bool = False,
    selectors: Sequence[str] = (),
) -> list[Diagnostic]:
    """Everything that is wrong with the record sets of a zone, composed here or not.

    `complete` says that what is not among the sets does not exist; otherwise `live` is asked. `partly_read` says that
    some of the zone was not read. `selectors` are DKIM selectors that must have a key.
    """
    names = default_resolver(sets, domain, live, complete=complete, partly_read=partly_read)
    found = hygiene.check(sets, names)
    context = _Context(names, misplaced.alias_targets(sets), _included(sets, names))
    for one in sets:
        if one.type == "TXT":
            found += _check_txt(one, context)
        elif one.type == "MX":
            found += mx.check(one, names)
        elif one.type == "CAA":
            found += caa.check(one.values, one.key)
    keys = [r for one in sets if one.type == "TXT" and dkim.is_key_name(one.name, domain) for r in one.records()]
    delegated = [r for one in sets if one.type == "CNAME" and dkim.is_key_name(one.name, domain) for r in one.records()]
    found += dkim.check_keys(keys, delegated, domain)
    found += [finding for selector in selectors for finding in _check_selector(selector, names)]
    announced = {one.name.removeprefix("_mta-sts.") for one in sets if one.name.startswith("_mta-sts.")}
    found += [finding for owner in sorted(announced) for finding in mta_sts.check_host(names, owner)]
    found += mta_sts.check_together(names)
    return found + absences.check(names, has_keys=bool(keys or delegated), complete=complete)


def _included(sets: Sequence[RecordSet], names: Names) -> frozenset[str]:
    terms = [
        term
        for one in sets
        if one.type == "TXT"
        for text in one.values
        if is_spf(text)
        for term in parse(text).terms
        if term.name in ("include", "redirect") and not term.has_macro
    ]
    ends = {name: {host(t.value) for t in terms if t.name == name} for name in ("include", "redirect")}
    included = ends["include"] | {names.answer(one, "TXT").owner for one in ends["include"] if names.inside(one)}
    # Mail comes from no name with a `_`: it stands there to be included (RFC 1123 §2.1).
    included |= {one.name for one in sets if one.type == "TXT" and any(p.startswith("_") for p in one.name.split("."))}
    return frozenset(included - ends["redirect"] - {names.domain})


def _check_txt(one: RecordSet, context: _Context) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    senders = [value for value in one.values if is_spf(value)]
    if len(senders) > 1:
        message = f"has {len(senders)} SPF records, and receivers then read none"
        found.append(error("spf-twice", one.key, message, "merge them into one"))
    for text in senders:
        found += spf.check(text, one.key, included_only=one.name in context.included)
        found += spf_lookups.count(text, one.name, context.names, one.key).findings
    found += [finding for text in one.values for finding in _near_spf(text, one.key)]
    found += misplaced.check(one, context.names, context.targets)
    if escaped := _escaped(one, context.names.domain):
        return [*found, escaped]  # what else is said of such a text follows from it
    if one.name.startswith("_dmarc."):
        found += _check_dmarc(one, context.names)
    if dkim.is_key_name(one.name, context.names.domain):
        found += _check_key(one)
    if one.name.startswith("_mta-sts."):
        texts, twice = _read(one, mta_sts.is_sts, "sts")
        if twice:
            message = f"has {twice} MTA-STS records, and senders then read none"
            found.append(error("sts-twice", one.key, message, "keep one"))
        found += [finding for text in texts for finding in mta_sts.check(text, one.key)]
    if one.name.startswith("_smtp._tls."):
        texts, twice = _read(one, tls_rpt.is_tls_rpt, "tls")
        if twice:
            message = f"has {twice} TLS-RPT records, and senders then read none"
            found.append(error("tlsrpt-twice", one.key, message, "merge their `rua` into one"))
        found += [finding for text in texts for finding in tls_rpt.check(text, one.key)]
    if "._bimi." in one.name:
        texts, twice = _read(one, bimi.is_bimi, "bimi")
        if twice:
            message = f"has {twice} BIMI records, and receivers then read none"
            found.append(error("bimi-twice", one.key, message, "keep one"))
        found += _check_logos(texts, one, context.names)
    return found


def _check_logos(texts: Sequence[str], one: RecordSet, names: Names) -> list[Diagnostic]:
    """The BIMI records of a name, by the DMARC policy of the domain that they are for."""
    domain = one.name.partition("._bimi.")[2]
    policy, known = dmarc_discovery.effective(names, domain)
    found: list[Diagnostic] = []
    for text in texts:
        found += bimi.check(text, one.key, policy and policy.text, known=known)
    above, _ = dmarc_discovery.effective(names)
    own = policy is not None and policy.at == domain and domain != names.domain
    if own and above and any(tags.parse(text).get("l") for text in texts):
        found += bimi.check_above(one.key, above.at, above.text)
    return found


def _escaped(one: RecordSet, domain: str) -> Diagnostic | None:
    """A list of tags in which a backslash stands before `;`: it belongs into some zone files, and was escaped twice."""
    tagged = one.name.startswith(("_dmarc.", "_mta-sts.", "_smtp._tls.")) or "._bimi." in one.name
    if not (tagged or dkim.is_key_name(one.name, domain)) or not any("\\;" in text for text in one.values):
        return None
    message = "has a backslash before `;`, so that readers find no tags"
    return error("txt-backslash", one.key, message, "write `;` without the backslash")


def _read(one: RecordSet, reads: Callable[[str], bool], like: str) -> tuple[list[str], int]:
    """(The texts of a set to judge, how many are too many): those that are read, for others beside them are discarded;
    where there is none, those that were meant."""
    texts = [text for text in one.values if reads(text)]
    if texts:
        return texts, len(texts) if len(texts) > 1 else 0
    return [text for text in one.values if like in text.lower()], 0


def _check_key(one: RecordSet) -> list[Diagnostic]:
    found = [finding for text in one.values for finding in dkim.check(text, one.key)]
    if len(one.values) > 1:
        message = f"has {len(one.values)} keys under one selector, and verifiers take any"
        fix = "give each key a selector of its own"
        found.append(error("dkim-twice", one.key, message, fix))
    return found


def _check_selector(selector: str, names: Names) -> list[Diagnostic]:
    """Whether a selector that somebody named has a key."""
    name = dkim.key_name(selector, names.domain)
    answer = names.answer(name, "TXT")
    if answer.unknown or any(tags.parse(text).get("p") is not None for text in answer.values):
        return []
    message = "has no DKIM key, so what is signed by this selector fails"
    fix = "correct `--selector`, or publish the key"
    return [error("dkim-selector-absent", f"{name} TXT", message, fix)]


def _near_spf(text: str, subject: str) -> list[Diagnostic]:
    """A text that was meant as SPF and is not read as such."""
    if not nearly(text):
        return []
    message = f"`{text[:20]}…` looks like SPF, but does not begin with `v=spf1 `"
    if odd := odd_character(text[:8]):
        message = f"{message}: it holds {odd}"
    meant = as_meant(text)
    fix = f"write `{meant}`" if meant else 'put the text in quotes, with its spaces: `"v=spf1 mx -all"`'
    return [error("spf-version", subject, message, fix)]


def _check_dmarc(one: RecordSet, names: Names) -> list[Diagnostic]:
    texts = [value for value in one.values if dmarc.is_dmarc(value)]
    if len(texts) > 1:
        message = f"has {len(texts)} DMARC policies, and receivers then read none"
        return [error("dmarc-twice", one.key, message, "keep one")]
    domain = one.name.removeprefix("_dmarc.")
    # Other texts beside a policy are discarded (RFC 9989 §4.10).
    meant = texts or [value for value in one.values if dmarc.nearly(value)]
    found = [finding for text in meant for finding in dmarc.check(text, one.key)]
    for text in texts:
        found += dmarc.check_destinations(text, domain, one.key, names, REPORT_RECEIVERS)
    return found


def check_zone(
    zone: str | bytes | Sequence[RecordSet],
    domain: str,
    resolver: Resolver | None = None,
    selectors: Sequence[str] = (),
) -> list[Diagnostic]:
    """What is wrong with an existing zone, as a zone file or as record sets: what `tierstack dns check`
    prints.

    `resolver` is the live DNS (`resolvers.DnsResolver()`); None judges offline, by the zone and the
    snapshot. `selectors` are DKIM selectors that must have a key.
    """
    name = domain.rstrip(".").lower()
    problem = domain_problem(name, scoped=True)
    if problem:
        return [error("domain", "domain", problem, "write a domain such as `example.org`")]
    if not isinstance(zone, str | bytes):
        return ordered(check_sets(zone, name, resolver, selectors=selectors))
    text = zonefile.read(zonefile.decode(zone) if isinstance(zone, bytes) else zone, name)
    if text.binary:
        return text.findings
    inside = any(one.name == name or is_below(one.name, name) for one in text.sets)
    if not inside and text.whole:
        message = f"holds no record of {name}"
        fix = "check the domain, and the $ORIGIN of the file"
        return ordered([*text.findings, error("zone-empty", name, message, fix)])
    judged = check_sets(text.sets, name, resolver, partly_read=not text.whole, selectors=selectors)
    return ordered(text.findings + judged)
