"""A domain as the live DNS shows it, asked for by the names that matter for web and mail, and judged.

The DNS does not list the names of a zone, so this sees less than the zone file: hosts other than the usual
ones and DKIM selectors that nobody names stay unseen.
"""

from collections.abc import Callable, Iterable, Sequence

from tierstack.core.diagnostics import Diagnostic
from tierstack.dns_records.mail import bimi, mx, tags, tls_rpt
from tierstack.dns_records.mail.dkim import record as dkim
from tierstack.dns_records.mail.dmarc import record as dmarc
from tierstack.dns_records.mail.mta_sts import record as mta_sts
from tierstack.dns_records.mail.mta_sts.fetch import Fetch, check_served
from tierstack.dns_records.records.model import Record, RecordError, RecordSet, group, host, is_below, record
from tierstack.dns_records.resolve.names import LookupUnavailableError, Resolver
from tierstack.dns_records.resolve.resolvers import default_resolver
from tierstack.dns_records.rules import ERROR, WARNING, declare, error, ordered, warning
from tierstack.dns_records.zone.check import check_sets, domain_problem

declare("dns-unreachable", "The name servers of the domain answer.", "RFC 1034 §5.3.1", ERROR, WARNING, ignorable=False)

SELECTORS = (
    "brevo1", "brevo2", "mail", "google", "selector1", "selector2", "fm1", "fm2", "fm3",
    "k1", "k2", "k3", "mx", "pic", "mailo", "s1", "s2", "default", "dkim",
)  # fmt: skip
"""DKIM selectors that the presets and other common senders use."""

_NEEDED = ("MX", "TXT")
_APEX = ("A", "AAAA", *_NEEDED, "CAA")
_HOSTS = ("www", "mta-sts")
_GUESS = "tierstack-no-such-selector"  # a selector that nobody has: what answers for it answers for every name

_TEXTS: dict[str, Callable[[str], bool]] = {
    "_dmarc": lambda text: dmarc.is_dmarc(text) or dmarc.nearly(text),
    "_mta-sts": lambda text: mta_sts.is_sts(text) or "sts" in text.lower(),
    "_smtp._tls": lambda text: tls_rpt.is_tls_rpt(text) or "tls" in text.lower(),
    "default._bimi": lambda text: bimi.is_bimi(text) or "bimi" in text.lower(),
}
"""Labels → whether a text there was meant for it: other texts are discarded by their readers, and a wildcard gives them
for every name (RFC 8461 §3.1, RFC 8460 §3, RFC 9989 §4.10)."""


def check_live(
    domain: str, resolver: Resolver, selectors: Sequence[str] = (), policy: Fetch | None = None
) -> list[Diagnostic]:
    """What is wrong with a domain as the DNS shows it: what `tierstack dns check example.org` prints.

    `selectors` are DKIM selectors that must have a key, besides `SELECTORS`, which may. `policy` fetches the MTA-STS
    policy (`mta_sts_fetch.fetch`); None: it is not looked at.
    """
    name = domain.rstrip(".").lower()
    if problem := domain_problem(name, scoped=True):
        return [error("domain", "domain", problem, "write a domain such as `example.org`")]
    asked = _Remembering(resolver)
    sets = observe(name, asked, selectors)
    if asked.silent:
        message = f"cannot be asked for: {next(iter(asked.failed.values()))}"
        fix = "check the network, or judge a zone file"
        return [error("dns-unreachable", name, message, fix)]
    unanswered = _unanswered(asked, name)
    if not sets:
        message = "has no records, or does not exist"
        return ordered([*unanswered, error("zone-empty", name, message, "check the domain")])
    names = default_resolver(sets, name, asked, complete=False)
    served = check_served(names, policy) if policy else []
    judged = check_sets(sets, name, asked, complete=False, selectors=selectors)
    return ordered([*judged, *served, *unanswered])


class _Remembering:
    """A resolver that is asked each question once, also where it cannot tell."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._answers: dict[tuple[str, str], list[str]] = {}
        self.failed: dict[tuple[str, str], LookupUnavailableError] = {}

    @property
    def silent(self) -> bool:
        """Whether nothing was answered at all."""
        return bool(self.failed) and not self._answers

    def lookup(self, name: str, type: str) -> list[str]:
        """The answer of the resolver behind it."""
        key = (host(name), type)
        if key in self.failed:
            raise self.failed[key]
        if key not in self._answers:
            try:
                self._answers[key] = self._resolver.lookup(*key)
            except LookupUnavailableError as problem:
                self.failed[key] = problem
                raise
        return self._answers[key]


def _unanswered(asked: _Remembering, domain: str) -> list[Diagnostic]:
    """The questions without an answer. A domain cannot be called right when those that every mail depends on are
    among them."""
    needed = {(domain, kind) for kind in _NEEDED} | {(f"_dmarc.{domain}", "TXT")}
    guessed = {f"{selector}._domainkey.{domain}" for selector in (*SELECTORS, _GUESS)}
    found: list[Diagnostic] = []
    for (name, kind), problem in asked.failed.items():
        if name in guessed:
            continue  # nobody says that there is such a selector
        say = error if (name, kind) in needed else warning
        message = f"got no answer, so it is not judged: {problem}"
        fix = "mend the name server of this name, or check the network"
        found.append(say("dns-unreachable", f"{name} {kind}", message, fix))
    return found


def observe(domain: str, resolver: Resolver, selectors: Sequence[str] = ()) -> list[RecordSet]:
    """The record sets of a domain that can be asked for by name, without those that get no answer.

    Aliases are followed by the resolver, so the records behind one appear under the alias. TTLs are not
    observed.
    """
    found = list(_ask([(domain, kind) for kind in _APEX], domain, resolver))
    if isinstance(resolver, _Remembering) and resolver.silent:
        return []
    for label, meant in _TEXTS.items():
        found += [one for one in _ask([(f"{label}.{domain}", "TXT")], domain, resolver) if meant(one.value)]
    found += _ask([(f"{label}.{domain}", kind) for label in _HOSTS for kind in ("A", "AAAA")], domain, resolver)
    found += _keys(domain, resolver, selectors)
    exchanges = mx.targets(one.value for one in found if one.type == "MX")
    inside = [one for one in exchanges if is_below(one, domain)]
    found += _ask([(one, kind) for one in inside for kind in ("A", "AAAA")], domain, resolver)
    return group(found)


def _keys(domain: str, resolver: Resolver, selectors: Sequence[str]) -> Iterable[Record]:
    """The DKIM keys under `selectors`, and under the usual ones where it is not a wildcard that answers."""
    made_up = {one.value for one in _ask([(dkim.key_name(_GUESS, domain), "TXT")], domain, resolver)}
    for selector in dict.fromkeys([*selectors, *SELECTORS]):
        for one in _ask([(dkim.key_name(selector, domain), "TXT")], domain, resolver):
            has_key = tags.parse(one.value).get("p") is not None or "dkim1" in one.value.lower()
            if has_key and (selector in selectors or one.value not in made_up):
                yield one


def _ask(wanted: Iterable[tuple[str, str]], domain: str, resolver: Resolver) -> Iterable[Record]:
    for name, kind in wanted:
        try:
            values = resolver.lookup(name, kind)
        except LookupUnavailableError:
            continue
        for value in values:
            try:
                yield record(f"{host(name)}.", kind, value, domain)
            except RecordError:
                continue  # what cannot be a record here was none for the resolver's library either
