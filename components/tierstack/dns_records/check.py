"""The judgement of a zone as a whole, be it composed here or found somewhere."""

from collections.abc import Sequence

from tierstack.dns_records import (
    bimi,
    caa,
    dkim,
    dmarc,
    dmarc_discovery,
    hygiene,
    mta_sts,
    mx,
    spf,
    spf_lookups,
    tags,
    zonefile,
)
from tierstack.dns_records.findings import Finding, advice, error, ordered, warning
from tierstack.dns_records.providers import REPORT_RECEIVERS
from tierstack.dns_records.records import RecordError, RecordSet, absolute, is_below


def domain_problem(domain: str) -> str | None:
    """What is wrong with the name of a domain, or None."""
    try:
        name = absolute(domain.rstrip(".") + ".", "invalid.")
    except RecordError as problem:
        return str(problem)
    if "." not in name:
        return f"`{domain}` is not a full domain name"
    bad = [label for label in name.split(".") if not hygiene.is_host_label(label)]
    if bad:
        label = bad[0].replace("\\", "")  # dnspython escapes what is no letter, digit or hyphen
        return f"`{label}` cannot be part of a domain"
    if name != domain:
        shown = f"lower case, no final dot, international labels as `{name}`"
        return f"`{domain}` is not in canonical form: {shown}"
    return None


def check_sets(
    sets: Sequence[RecordSet],
    domain: str,
    live: spf_lookups.Resolver | None = None,
    *,
    complete: bool = True,
) -> list[Finding]:
    """Everything that is wrong with the record sets of a zone, composed here or not.

    `complete` says that what is not among the sets does not exist; otherwise `live` is asked.
    """
    resolver = spf_lookups.default_resolver(sets, domain, live, complete=complete)
    found = hygiene.check(sets, domain)
    policy = next((v for one in sets if one.name == f"_dmarc.{domain}" for v in one.values if dmarc.is_dmarc(v)), None)
    for one in sets:
        if one.type == "TXT":
            found += _check_txt(one, domain, resolver, policy)
        elif one.type == "MX":
            found += mx.check(one, sets, domain)
        elif one.type == "CAA":
            found += caa.check(one.values, one.key)
    keys = [r for one in sets if one.type == "TXT" and dkim.is_key_name(one.name, domain) for r in one.records()]
    delegated = [r for one in sets if one.type == "CNAME" and dkim.is_key_name(one.name, domain) for r in one.records()]
    found += dkim.check_keys(keys, delegated, domain)
    found += mta_sts.check_host(sets, domain) + mta_sts.check_together(sets, domain)
    return found + _check_absences(sets, domain, live) + _check_signed(domain, live)


def _check_txt(one: RecordSet, domain: str, resolver: spf_lookups.Resolver, policy: str | None) -> list[Finding]:
    found: list[Finding] = []
    senders = [value for value in one.values if spf.is_spf(value)]
    if len(senders) > 1:
        message = f"has {len(senders)} SPF records, and receivers then read none"
        found.append(error("spf-twice", one.key, message, "RFC 7208 §4.5", "merge them into one"))
    for text in senders:
        found += spf.check(text, one.key) + spf_lookups.count(text, one.name, resolver, one.key).findings
    found += _near_spf(one)
    if one.name.startswith("_dmarc."):
        found += _check_dmarc(one, resolver)
    if dkim.is_key_name(one.name, domain):
        found += [finding for text in one.values for finding in dkim.check(text, one.key)]
        if len(one.values) > 1:
            message = f"has {len(one.values)} keys under one selector, and verifiers take any"
            found.append(
                error("dkim-twice", one.key, message, "RFC 6376 §3.6.2.2", "give each key a selector of its own")
            )
    if one.name.startswith("_mta-sts."):
        found += [finding for text in one.values for finding in mta_sts.check(text, one.key)]
    if one.name.startswith("_smtp._tls."):
        found += [finding for text in one.values for finding in mta_sts.check_tls_rpt(text, one.key)]
    if "._bimi." in one.name:
        found += [finding for text in one.values for finding in bimi.check(text, one.key, policy)]
    return found


def _near_spf(one: RecordSet) -> list[Finding]:
    """Texts that were meant as SPF and are not read as such, or policies that stand at the wrong name."""
    found: list[Finding] = []
    for value in one.values:
        start = value.lower().lstrip(" \"'")
        if (
            start.startswith(("v=spf", "spf1", "v=sfp", "v = spf"))
            and not spf.is_spf(value)
            and not start.startswith("v=spf2")
        ):
            message = f"`{value[:20]}…` looks like SPF, but does not begin with `v=spf1 `"
            found.append(error("spf-version", one.key, message, "RFC 7208 §4.5", "begin with `v=spf1 `"))
        if dmarc.is_dmarc(value) and not one.name.startswith("_dmarc.") and "._report._dmarc." not in one.name:
            message = "a DMARC policy stands here, and receivers look for it below `_dmarc`"
            found.append(error("dmarc-misplaced", one.key, message, "RFC 9989 §4.7", f"move it to `_dmarc.{one.name}`"))
    return found


def _check_dmarc(one: RecordSet, resolver: spf_lookups.Resolver) -> list[Finding]:
    texts = [value for value in one.values if dmarc.is_dmarc(value)]
    if len(texts) > 1:
        message = f"has {len(texts)} DMARC policies, and receivers then read none"
        return [error("dmarc-twice", one.key, message, "RFC 9989 §4.10", "keep one")]
    domain = one.name.removeprefix("_dmarc.")
    found = [finding for text in one.values for finding in dmarc.check(text, one.key)]
    for text in texts:
        found += dmarc.check_destinations(text, domain, one.key, resolver, REPORT_RECEIVERS)
    return found


def _check_absences(sets: Sequence[RecordSet], domain: str, live: spf_lookups.Resolver | None) -> list[Finding]:
    known = {(one.name, one.type): one for one in sets}
    texts = known[(domain, "TXT")].values if (domain, "TXT") in known else ()
    exchangers = known.get((domain, "MX"))
    found: list[Finding] = []
    if not any(spf.is_spf(text) for text in texts):
        message = "has no SPF record, so anybody may send as it"
        found.append(
            error(
                "spf-absent",
                domain,
                message,
                "RFC 7208 §3",
                "publish one; `v=spf1 -all` for a domain without mail",
            )
        )
    if not {(f"_dmarc.{domain}", "TXT"), (f"_dmarc.{domain}", "CNAME")} & known.keys():
        found.append(_without_dmarc(domain, live))
    if exchangers is None:
        message = "has no MX, so mail is tried at its web address, and replies are lost"
        found.append(
            warning(
                "mx-absent",
                domain,
                message,
                "RFC 5321 §5.1, RFC 7505 §1",
                "name a receiver, or publish the null MX `0 .`",
            )
        )
    elif mx.is_null(exchangers.values):
        found += _check_without_mail(known, texts, domain)
    elif not any(dkim.is_key_name(one.name, domain) for one in sets):
        message = "takes mail and has no DKIM key"
        found.append(
            warning("dkim-absent", domain, message, "RFC 6376 §1, RFC 9989 §5.1", "publish the key of the sender")
        )
    if (domain, "CAA") not in known:
        message = "has no CAA, so every issuer of the world may issue for it"
        found.append(advice("caa-absent", domain, message, "RFC 8659 §1", "name your issuer in `caa` or `certificate`"))
    return found


def _without_dmarc(domain: str, live: spf_lookups.Resolver | None) -> Finding:
    """A domain below another has its policy (RFC 9989 §4.10), which only the DNS can tell."""
    above = dmarc_discovery.inherited(domain, live) if live else None
    if above:
        message = f"has no DMARC record of its own; that of {above.at} holds ({above.policy(domain)})"
        fix = f"publish one at `_dmarc.{domain}` where it shall differ"
        return advice("dmarc-inherited", domain, message, "RFC 9989 §4.10", fix)
    message = "has no DMARC record, and large receivers refuse mail of senders without one"
    fix = "publish `v=DMARC1; p=none; rua=mailto:…` at `_dmarc`"
    return error("dmarc-absent", domain, message, "RFC 9989 §5.1", fix)


def _check_without_mail(known: dict[tuple[str, str], RecordSet], texts: Sequence[str], domain: str) -> list[Finding]:
    found: list[Finding] = []
    sending = [text for text in texts if spf.is_spf(text) and text.lower().split() != ["v=spf1", "-all"]]
    if sending:
        message = "takes no mail (null MX), but SPF lets hosts send as it; receivers may refuse that mail"
        found.append(warning("null-mx-sender", domain, message, "RFC 7505 §4.2", "publish `v=spf1 -all`, or a real MX"))
    policies = known.get((f"_dmarc.{domain}", "TXT"))
    if policies and any(tags.parse(text).get("p") != "reject" for text in policies.values):
        message = "takes no mail, and DMARC does not say reject"
        found.append(
            warning(
                "null-mx-policy",
                domain,
                message,
                "RFC 9989 §5.1, M3AAWG parked domains",
                "publish `p=reject`",
            )
        )
    return found


def _check_signed(domain: str, live: spf_lookups.Resolver | None) -> list[Finding]:
    if live is None:
        return []
    try:
        if live.lookup(domain, "DS"):
            return []
    except spf_lookups.LookupUnavailableError:
        return []
    message = "is not signed with DNSSEC, so its records can be forged on the way"
    return [
        advice(
            "dnssec-absent",
            domain,
            message,
            "RFC 4033 §2, RFC 9364 §1",
            "sign the zone and give the DS to the registrar",
        )
    ]


def check_zone(
    zone: str | Sequence[RecordSet], domain: str, resolver: spf_lookups.Resolver | None = None
) -> list[Finding]:
    """What is wrong with an existing zone, as a zone file or as record sets: what `tierstack dns check`
    prints.

    `resolver` is the live DNS (`spf_lookups.DnsResolver()`); None judges offline, by the zone and the
    snapshot.
    """
    name = domain.rstrip(".").lower()
    problem = domain_problem(name)
    if problem:
        return [error("domain", "domain", problem, "RFC 1035 §2.3.1", "write a domain such as `example.org`")]
    if not isinstance(zone, str):
        return ordered(check_sets(zone, name, resolver))
    sets, findings = zonefile.parse(zone, name)
    inside = any(one.name == name or is_below(one.name, name) for one in sets)
    if not inside:
        message = f"holds no record of {name}"
        findings.append(
            error("zone-empty", name, message, "RFC 1035 §5.1", "check the domain, and the $ORIGIN of the file")
        )
        return ordered(findings)
    return ordered(findings + check_sets(sets, name, resolver))
