"""Rules about DNS records: what visitors and mail do from now on.

The records of a zone are a map from `www.example.org A` to values such as `3600 192.0.2.1`, the TTL in seconds first.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tierstack.diff.marks import ABSENT
from tierstack.diff.model import Operation, Property
from tierstack.diff.risk import Look, Risk, Rule, Test, every, removed
from tierstack.diff.rules.data import GOES
from tierstack.diff.texts import fill, listed

_ZONE = ("pulumi-python:dynamic/tierstack:ZoneRecords",)
_CHANGED = frozenset({Operation.UPDATE, Operation.REPLACE})
_ADDRESSES = ("records *~A *", "records *~AAAA *", "records *~CNAME *", "records *~ALIAS *")
_POLICIES = ("none", "quarantine", "reject")


def _value(entry: Any) -> str:
    """The value of a record without its TTL; empty where there is none."""
    return entry.partition(" ")[2].strip('"') if isinstance(entry, str) else ""


def _ttl(entry: Any) -> str:
    return entry.partition(" ")[0] if isinstance(entry, str) else ""


def _differs(old: Any, new: Any) -> bool:
    """Another value, not only another TTL."""
    return _value(old) != _value(new)


def _moves(old: Any, new: Any) -> bool:
    return bool(_value(old) and _value(new)) and _differs(old, new)


def _record(found: Property) -> tuple[str, str]:
    name, _, kind = found.path[1].rpartition(" ")
    return name, kind


def _is_host(found: Property) -> bool:
    """Whether it is a name that people visit: the others begin with an underscore somewhere."""
    return not any(label.startswith("_") for label in _record(found)[0].split("."))


def _is_dkim(found: Property) -> bool:
    return "._domainkey." in f".{_record(found)[0]}."


def _named(prefix: str) -> Callable[[Property], bool]:
    return lambda found: _record(found)[0].startswith(f"{prefix}.")


def _facts(_: Look, because: Sequence[Property]) -> Mapping[str, object]:
    first = because[0]
    name, kind = _record(first)
    host = f"{first.path[1]}"
    return {
        "record": host,
        "domain": name,
        "kind": kind,
        "was": _value(first.old) or "nothing",
        "is": _value(first.new) or "nothing",
        "ttl": _ttl(first.old) or _ttl(first.new),
        "records": listed([one.path[1] for one in because]),
        "gone": _gone(_value(first.old), _value(first.new)),
        "policies": fill("p={old} → p={new}", old=_policy(first.old), new=_policy(first.new)),
        "reports": ", ".join(_reports(first.old) - _reports(first.new)),
    }


def _gone(old: str, new: str) -> str:
    """The mechanisms of an SPF record that are no more."""
    after = new.split()
    return ", ".join(re.sub(r"^[+]?(include|redirect)[:=]", "", one) for one in old.split()[1:] if one not in after)


def _spf(entry: Any) -> bool:
    return _value(entry).lower().startswith("v=spf1")


def _senders_removed(old: Any, new: Any) -> bool:
    if not (_spf(old) and _spf(new)):
        return False
    return any(one not in _value(new).split() for one in _value(old).split()[1:] if not one.lower().endswith("all"))


def _spf_weaker(old: Any, new: Any) -> bool:
    if not (_spf(old) and _spf(new)):
        return False
    order = ("+all", "?all", "~all", "-all")
    ranks = [next((order.index(one) for one in _value(side).lower().split() if one in order), 0) for side in (old, new)]
    return ranks[1] < ranks[0]


def _tags(entry: Any) -> dict[str, str]:
    pairs = [one.partition("=") for one in _value(entry).split(";")]
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def _policy(entry: Any) -> str:
    return _tags(entry).get("p", "none")


def _policy_lower(old: Any, new: Any) -> bool:
    known = [_policy(side) in _POLICIES for side in (old, new)]
    return bool(_value(new)) and all(known) and _POLICIES.index(_policy(new)) < _POLICIES.index(_policy(old))


def _reports(entry: Any) -> set[str]:
    return {one.strip() for one in _tags(entry).get("rua", "").split(",") if one.strip()}


def _reports_end(old: Any, new: Any) -> bool:
    return bool(_value(new)) and bool(_reports(old) - _reports(new))


def _whole_spf(old: Any, new: Any) -> bool:
    return _spf(old) and new is ABSENT


def _proof(old: Any, new: Any) -> bool:
    """A text that a provider looks for, and that is gone."""
    return new is ABSENT and bool(re.match(r"[\w-]*(verif|code|site|domain)[\w-]*[=:]", _value(old), re.IGNORECASE))


def _rule(
    id_: str,
    risk: Risk,
    path: str | tuple[str, ...],
    test: Test,
    what: str,
    instead: str,
    only: Callable[[Property], bool] = every,
) -> Rule:
    return Rule(
        id=id_,
        risk=risk,
        types=_ZONE,
        operations=_CHANGED,
        path=path,
        test=test,
        what=what,
        whole=True,
        instead=instead,
        only=only,
        each=id_ != "dns-signature-removed",
        facts=_facts,
    )


_TXT = "records *~TXT *"

RULES = (
    _rule(
        "dns-address-moves",
        Risk.DOWNTIME,
        _ADDRESSES,
        _moves,
        "{record} leads to {is} instead of {was}: visitors go there as caches expire (TTL {ttl} s)",
        "Check first that {is} answers for the name: `curl --resolve`.",
        _is_host,
    ),
    _rule(
        "dns-address-removed",
        Risk.DOWNTIME,
        _ADDRESSES,
        removed,
        "{record} no longer leads to {was}: visitors reach nothing there once caches expire (TTL {ttl} s)",
        "Keep the record while anything uses the name.",
        _is_host,
    ),
    _rule(
        "dns-mail-moves",
        Risk.DOWNTIME,
        "records *~MX *",
        lambda old, new: bool(_value(old)) and _differs(old, new),
        "Mail for {domain} goes to {is} instead of {was}",
        "Check first that the new server accepts mail for the domain.",
    ),
    _rule(
        "dns-sender-removed",
        Risk.DOWNTIME,
        _TXT,
        _senders_removed,
        "Mail of {domain} that is sent through {gone} fails SPF from now on",
        "Remove a sender only once nothing sends through it.",
    ),
    _rule(
        "dns-signature-removed",
        Risk.DOWNTIME,
        ("records *~TXT *", "records *~CNAME *"),
        lambda old, new: bool(_value(old)) and _differs(old, new),
        "Mail that is signed with the keys of {records} fails DKIM from now on",
        "Keep the records until a week after the last mail that was signed with their keys.",
        _is_dkim,
    ),
    _rule(
        "dns-name-servers",
        Risk.IRREVERSIBLE,
        "records *~NS *",
        lambda old, new: bool(_value(old)) and _differs(old, new),
        "{domain} is answered by {is} instead of {was}: resolvers keep the old ones for up to two days",
        "Make sure that the new servers have all records first.",
    ),
    _rule(
        "dns-dnssec",
        Risk.DOWNTIME,
        ("records *~DS *", "records *~DNSKEY *"),
        _differs,
        "The keys of {domain} change: if they do not fit the signatures, the domain vanishes for validating resolvers",
        "Publish the new key beside the old one first (RFC 6781).",
    ),
    _rule(
        "dns-caa-changes",
        Risk.DOWNTIME,
        "records *~CAA *",
        _moves,
        "Certificates of {domain} may come from {is} instead of {was}: renewals by another CA fail",
        "Name every CA that issues for the domain.",
    ),
    _rule(
        "dns-caa-removed",
        Risk.WEAKENS,
        "records *~CAA *",
        removed,
        "{domain} no longer has {was}",
        "Keep the record: without any, every CA may issue certificates for the domain.",
    ),
    _rule(
        "dns-spf-removed",
        Risk.WEAKENS,
        _TXT,
        _whole_spf,
        "{domain} no longer says who may send its mail (SPF)",
        "Keep a record, `v=spf1 -all` where nothing is sent.",
    ),
    _rule(
        "dns-spf-weaker",
        Risk.WEAKENS,
        _TXT,
        _spf_weaker,
        "{domain} asks receivers to be less strict about others who send its mail (SPF)",
        "Keep `-all`, or `~all` with a DMARC policy.",
    ),
    _rule(
        "dns-dmarc-lower",
        Risk.WEAKENS,
        _TXT,
        _policy_lower,
        "{domain}: receivers let more forged mail through (DMARC {policies})",
        "Keep the policy; find in the reports what fails, and mend that.",
        _named("_dmarc"),
    ),
    _rule(
        "dns-dmarc-removed",
        Risk.WEAKENS,
        _TXT,
        removed,
        "{domain} is removed: receivers let forged mail through (DMARC)",
        "Keep a record with `p=reject`.",
        _named("_dmarc"),
    ),
    _rule(
        "dns-dmarc-reports-end",
        Risk.WEAKENS,
        _TXT,
        _reports_end,
        "{domain}: no more DMARC reports go to {reports}",
        "Keep an address for reports: they show who sends in your name.",
        _named("_dmarc"),
    ),
    _rule(
        "dns-mail-tls-removed",
        Risk.WEAKENS,
        _TXT,
        removed,
        "{record} is removed: servers may send mail to the domain without TLS, or tell nobody that it fails",
        "Keep `_mta-sts` and `_smtp._tls`.",
        lambda found: _record(found)[0].startswith(("_mta-sts.", "_smtp._tls.")),
    ),
    _rule(
        "dns-proof-removed",
        Risk.INFORMATION,
        _TXT,
        _proof,
        "{domain} no longer proves to a provider that it is yours ({was})",
        "Remove it once the provider is no longer used.",
        _is_host,
    ),
    Rule(
        id="dns-ttl",
        risk=Risk.INFORMATION,
        types=_ZONE,
        operations=_CHANGED,
        path="records * *",
        test=lambda old, new: bool(_value(old)) and not _differs(old, new),
        what="lets resolvers keep some answers for another time (TTL)",
        instead="",
    ),
    Rule(
        id="dns-not-published",
        risk=Risk.INFORMATION,
        types=_ZONE,
        operations=_CHANGED,
        condition=lambda look: "publish" not in look.change.state,
        what="computes the records, and publishes none: change them at your DNS host, too",
        instead="",
    ),
    Rule(
        id="dns-zone-deleted",
        risk=Risk.DOWNTIME,
        types=_ZONE,
        operations=GOES,
        what="is deleted with all its records: the shop and its mail can no longer be found",
        instead="Keep `dns`, or publish the records elsewhere first.",
    ),
)
