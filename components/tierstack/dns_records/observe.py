"""A domain as the live DNS shows it, asked for by the names that matter for web and mail, and judged.

The DNS does not list the names of a zone, so this sees less than the zone file: hosts other than the usual
ones and DKIM selectors that nobody names stay unseen.
"""

from collections.abc import Iterable, Sequence

from tierstack.dns_records import mx
from tierstack.dns_records.check import check_sets, domain_problem
from tierstack.dns_records.findings import Finding, error, ordered
from tierstack.dns_records.mta_sts_fetch import Fetch, check_served
from tierstack.dns_records.records import Record, RecordError, RecordSet, group, host, is_below, record
from tierstack.dns_records.spf_lookups import LookupUnavailableError, Resolver

SELECTORS = (
    "brevo1", "brevo2", "mail", "google", "selector1", "selector2", "fm1", "fm2", "fm3",
    "k1", "k2", "k3", "mx", "pic", "mailo", "s1", "s2", "default", "dkim",
)  # fmt: skip
"""DKIM selectors that the presets and other common senders use."""

_APEX = ("A", "AAAA", "MX", "TXT", "CAA")
_TEXTS = ("_dmarc", "_mta-sts", "_smtp._tls", "default._bimi")
_HOSTS = ("www", "mta-sts")


def check_live(
    domain: str, resolver: Resolver, selectors: Sequence[str] = (), policy: Fetch | None = None
) -> list[Finding]:
    """What is wrong with a domain as the DNS shows it: what `tierstack dns check example.org` prints.

    `selectors` are DKIM selectors to look at besides `SELECTORS`. `policy` fetches the MTA-STS policy
    (`mta_sts_fetch.fetch`); None: it is not looked at.
    """
    name = domain.rstrip(".").lower()
    if problem := domain_problem(name):
        return [error("domain", "domain", problem, "RFC 1035 §2.3.1", "write a domain such as `example.org`")]
    try:
        sets = observe(name, resolver, selectors)
    except LookupUnavailableError as problem:
        fix = "check the network, or judge a zone file"
        return [error("dns-unreachable", name, f"cannot be asked for: {problem}", "RFC 1034 §5.3.1", fix)]
    if not sets:
        message = "has no records, or does not exist"
        return [error("zone-empty", name, message, "RFC 1035 §5.1", "check the domain")]
    served = check_served(sets, name, policy) if policy else []
    return ordered(check_sets(sets, name, resolver, complete=False) + served)


def observe(domain: str, resolver: Resolver, selectors: Sequence[str] = ()) -> list[RecordSet]:
    """The record sets of a domain that can be asked for by name; raises LookupUnavailableError without an
    answer.

    Aliases are followed by the resolver, so the records behind one appear under the alias. TTLs are not
    observed.
    """
    wanted = [(domain, kind) for kind in _APEX]
    wanted += [(f"{label}.{domain}", "TXT") for label in _TEXTS]
    wanted += [(f"{label}.{domain}", kind) for label in _HOSTS for kind in ("A", "AAAA")]
    wanted += [(f"{one}._domainkey.{domain}", "TXT") for one in dict.fromkeys([*selectors, *SELECTORS])]
    found = list(_ask(wanted, domain, resolver))
    exchanges = mx.targets(one.value for one in found if one.type == "MX")
    inside = [one for one in exchanges if is_below(one, domain)]
    found += _ask([(one, kind) for one in inside for kind in ("A", "AAAA")], domain, resolver)
    return group(found)


def _ask(wanted: Iterable[tuple[str, str]], domain: str, resolver: Resolver) -> Iterable[Record]:
    for name, kind in wanted:
        for value in resolver.lookup(name, kind):
            try:
                yield record(f"{host(name)}.", kind, value, domain)
            except RecordError:
                continue  # what cannot be a record here was none for the resolver's library either
