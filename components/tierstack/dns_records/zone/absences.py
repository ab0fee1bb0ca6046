"""What a domain lacks. Nothing is called absent that only nobody here can see."""

from tierstack.core.diagnostics import Diagnostic
from tierstack.dns_records.mail import mx, tags
from tierstack.dns_records.mail.dkim import record as dkim
from tierstack.dns_records.mail.dmarc import discovery as dmarc_discovery
from tierstack.dns_records.mail.dmarc import record as dmarc
from tierstack.dns_records.mail.spf import grammar as spf_grammar
from tierstack.dns_records.records.model import host
from tierstack.dns_records.resolve.names import LookupUnavailableError, Names
from tierstack.dns_records.rules import ADVICE, ERROR, WARNING, advice, declare, error, warning

declare("caa-absent", "CAA says which CAs may issue certificates.", "RFC 8659 §1", ADVICE)
declare("dmarc-absent", "A domain that sends mail has a DMARC policy.", "RFC 9989 §5.1", ERROR)
declare("dmarc-inherited", "It is known that the DMARC policy of a domain above holds.", "RFC 9989 §4.10", ADVICE)
declare("dmarc-unknown", "It is known whether a domain above has a DMARC policy.", "RFC 9989 §4.10", ADVICE)
declare("dnssec-absent", "The zone is signed.", "RFC 4033 §2, RFC 9364 §1", ADVICE)
declare(
    "mx-absent",
    "A domain says who receives its mail, or by a null MX that nobody does.",
    "RFC 5321 §5.1, RFC 7505 §1",
    WARNING,
    ADVICE,
)
declare(
    "null-mx-policy",
    "A domain without mail has the DMARC policy `reject`.",
    "RFC 9989 §5.1, M3AAWG parked domains",
    WARNING,
)
declare("null-mx-sender", "A domain that takes no mail says by SPF that it sends none.", "RFC 7505 §4.2", WARNING)
declare("spf-absent", "A domain has an SPF record.", "RFC 7208 §3", ERROR, ADVICE)


def check(names: Names, *, has_keys: bool, complete: bool) -> list[Diagnostic]:
    """What the domain of a zone lacks. `has_keys` says whether the zone holds a DKIM key or an alias to one; `complete`
    that there are no others."""
    domain = names.domain
    if domain.endswith(".arpa") or any(label.startswith("_") for label in domain.split(".")):
        return []  # no mail comes from names of addresses, keys or services, and no certificate is for one
    texts, exchangers = names.answer(domain, "TXT"), names.answer(domain, "MX")
    found: list[Diagnostic] = []
    senders = [text for text in texts.values if spf_grammar.is_spf(text)]
    # A name below another domain is first of all one of its hosts: nothing says that mail comes from it.
    of_mail = dmarc_discovery.has_nothing_above(domain) or bool(senders) or not exchangers.absent
    if not senders and not texts.unknown and not any(map(spf_grammar.nearly, texts.values)):
        message = "has no SPF record, so anybody may send as it"
        fix = "publish one; `v=spf1 -all` for a domain without mail"
        say = error if of_mail else advice
        found.append(say("spf-absent", domain, message, fix))
    found += _policy(names)
    if exchangers.absent:
        message = "has no MX, so mail is tried at its web address, and replies are lost"
        if names.address(domain).absent:
            message = "has no MX and no address, so replies are lost"
        fix = "name a receiver, or publish the null MX `0 .`"
        say = warning if of_mail else advice
        found.append(say("mx-absent", domain, message, fix))
    elif mx.is_null(exchangers.values):
        found += [finding for text in senders for finding in _sender_without_mail(text, names)]
        found += _policy_without_mail(names)
    elif not exchangers.unknown and not has_keys and mx.targets(exchangers.values):
        found += _keys(names, complete=complete)
    if names.answer(domain, "CAA").absent:
        message = "has no CAA, so every issuer of the world may issue for it"
        found.append(advice("caa-absent", domain, message, "name your issuer in `caa` or `certificate`"))
    if names.answer(domain, "DS").absent:
        message = "is not signed with DNSSEC, so its records can be forged on the way"
        fix = "sign the zone and give the DS to the registrar"
        found.append(advice("dnssec-absent", domain, message, fix))
    return found


def _policy(names: Names) -> list[Diagnostic]:
    domain = names.domain
    own = names.answer(dmarc.record_name(domain), "TXT")
    if own.unknown or any(dmarc.is_dmarc(text) or dmarc.nearly(text) for text in own.values):
        return []
    above, certain = dmarc_discovery.effective(names)
    if above:
        message = f"has no DMARC record of its own; that of {above.at} holds ({above.policy(domain)})"
        fix = f"publish one at `_dmarc.{domain}` where it shall differ"
        return [advice("dmarc-inherited", domain, message, fix)]
    if not certain:
        message = "has no DMARC record of its own; whether a domain above has one cannot be told offline"
        fix = "check against the live DNS"
        return [advice("dmarc-unknown", domain, message, fix)]
    message = "has no DMARC record, and large receivers refuse mail of senders without one"
    fix = "publish `v=DMARC1; p=none; rua=mailto:…` at `_dmarc`"
    return [error("dmarc-absent", domain, message, fix)]


def _keys(names: Names, *, complete: bool) -> list[Diagnostic]:
    domain = names.domain
    message, fix = "takes mail and has no DKIM key", "publish the key of the sender"
    if not complete:
        message, fix = f"{message} under the usual selectors", "name its selector with `--selector`, or publish the key"
    elif names.answer(dkim.key_name("selector", domain), "TXT").unknown:
        return []  # `_domainkey` is delegated, or an alias
    return [warning("dkim-absent", domain, message, fix, source="RFC 6376 §1, RFC 9989 §5.1")]


def _sender_without_mail(text: str, names: Names) -> list[Diagnostic]:
    terms = spf_grammar.parse(text).reached
    try:
        while terms and terms[-1].name == "redirect":
            target = host(terms[-1].value)
            texts = [one for one in names.lookup(target, "TXT") if spf_grammar.is_spf(one)]
            inner = spf_grammar.parse(texts[0]).reached if texts and target != names.domain else []
            terms = [*terms[:-1], *(one for one in inner if one.name != "redirect")]
    except LookupUnavailableError:
        return []
    if [(one.name, one.qualifier) for one in terms] == [("all", "-")]:
        return []
    message = "takes no mail (null MX), but SPF lets hosts send as it; receivers may refuse that mail"
    fix = "publish `v=spf1 -all`, or a real MX"
    if all(one.qualifier in "-~?" for one in terms):
        message = "takes no mail (null MX) and lets nobody send, but SPF does not say that all mail is forged"
        fix = "publish `v=spf1 -all`"
    return [warning("null-mx-sender", names.domain, message, fix)]


def _policy_without_mail(names: Names) -> list[Diagnostic]:
    texts = [one for one in names.answer(dmarc.record_name(names.domain), "TXT").values if dmarc.is_dmarc(one)]
    if all((tags.parse(text).get("p") or "").lower() == "reject" for text in texts):
        return []
    message = "takes no mail, and DMARC does not say reject"
    return [warning("null-mx-policy", names.domain, message, "publish `p=reject`")]
