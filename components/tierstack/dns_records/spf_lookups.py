"""How many DNS queries a receiver makes for an SPF record, through all its includes (RFC 7208 §4.6.4).

Where answers come from is a `Resolver`: the zone being written, the live DNS, or a dated snapshot of the
records of common mail providers, so that the same preview gives the same verdict on a train. What no resolver
knows is counted once and reported, never guessed.
"""

import contextlib
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import dns.exception
import dns.rdtypes.txtbase
import dns.resolver

from tierstack.dns_records.findings import Finding, advice, error, warning
from tierstack.dns_records.records import RecordSet, decode_txt, fields, host
from tierstack.dns_records.resolve import LookupUnavailableError, Names, Resolver
from tierstack.dns_records.spf import LOOKUP_TERMS, MAX_LOOKUPS, MAX_VOID_LOOKUPS
from tierstack.dns_records.spf_grammar import Spf, Term, is_spf, parse
from tierstack.dns_records.spf_snapshot import SNAPSHOT, TAKEN

MAX_MX_NAMES = 10
"""The names that one `mx` mechanism may bring (RFC 7208 §4.6.4)."""


class SnapshotResolver:
    """What the SPF records of common providers included on a day (`spf_snapshot.TAKEN`); good for counting
    only."""

    def __init__(self, records: Mapping[str, Sequence[str]] = SNAPSHOT, taken: str = TAKEN) -> None:
        self._records = records
        self.taken = taken

    def lookup(self, name: str, type: str) -> list[str]:
        """A record of the shape that the snapshot holds; everything else is unknown to it."""
        if type != "TXT" or host(name) not in self._records:
            raise LookupUnavailableError(f"{name} is not in the snapshot of {self.taken}")
        return [" ".join(["v=spf1", *self._records[host(name)], "-all"])]


_GIVE_UP = 2
"""Questions that time out after which name servers that never answered are asked no more."""


class DnsResolver:
    """The live DNS. Answers, also those of absence, are kept for as long as their TTL says; that there was none is
    kept for good, so that a question costs its time once."""

    def __init__(self, timeout: float = 3.0, nameservers: Sequence[str] = ()) -> None:
        """`timeout` in seconds for a question; `nameservers` as IP addresses, none: those of this machine."""
        try:
            self._resolver = dns.resolver.Resolver(configure=not nameservers)
        except dns.resolver.NoResolverConfiguration:
            # A machine without name servers is like one without a network: no question has an answer.
            self._resolver = dns.resolver.Resolver(configure=False)
        if nameservers:
            self._resolver.nameservers = list(nameservers)
        self._resolver.lifetime = timeout
        self._resolver.cache = dns.resolver.Cache()
        self._unanswered: dict[tuple[str, str], str] = {}
        self._silences = 0
        self._answers = 0

    def lookup(self, name: str, type: str) -> list[str]:
        """What the DNS answers now. Raises LookupUnavailableError where it gives no answer, or gave none before."""
        question = (host(name), type)
        if reason := self._unanswered.get(question):
            raise LookupUnavailableError(reason)
        if not self._answers and self._silences >= _GIVE_UP:
            raise LookupUnavailableError(f"{name} {type}: not asked, because the name servers do not answer")
        try:
            answer = self._resolver.resolve(question[0], type, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            self._answers += 1
            return []
        except (dns.exception.DNSException, OSError) as problem:
            self._silences += isinstance(problem, dns.exception.Timeout)
            self._unanswered[question] = f"{name} {type}: {problem}"
            raise LookupUnavailableError(self._unanswered[question]) from problem
        self._answers += 1
        return [
            decode_txt(one.strings) if isinstance(one, dns.rdtypes.txtbase.TXTBase) else one.to_text() for one in answer
        ]


@functools.cache
def system_resolver() -> DnsResolver:
    """The live DNS as this machine sees it; one for the process, so that a preview asks nothing twice."""
    return DnsResolver()


class Asked:
    """A resolver that notes which questions had no answer."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self.unanswered: dict[str, None] = {}
        """The questions, `example.org TXT`, in their order."""

    def lookup(self, name: str, type: str) -> list[str]:
        """The answer of the resolver behind it."""
        try:
            return self._resolver.lookup(name, type)
        except LookupUnavailableError:
            self.unanswered[f"{host(name)} {type}"] = None
            raise

    def findings(self, domain: str) -> list[Finding]:
        """That there were such questions: nothing else says that rules were not judged."""
        if not self.unanswered:
            return []
        questions = list(self.unanswered)
        shown = ", ".join(questions[:5]) + (f" and {len(questions) - 5} more" if questions[5:] else "")
        return [
            warning(
                "dns-unanswered",
                domain,
                f"the DNS gave no answer for {shown}, so what depends on it was not checked against the live DNS",
                "RFC 1035 §7.2",
                "check the network and its name servers and run this again, or turn `live_dns` off",
            )
        ]


class FirstAnswer:
    """Asks each resolver in turn until one can tell."""

    def __init__(self, *resolvers: Resolver) -> None:
        self._resolvers = resolvers

    def lookup(self, name: str, type: str) -> list[str]:
        """The answer of the first resolver that knows; raises LookupUnavailableError when none does."""
        reason = LookupUnavailableError(f"nobody to ask for {name}")
        for resolver in self._resolvers:
            try:
                return resolver.lookup(name, type)
            except LookupUnavailableError as problem:
                reason = problem
        raise reason


@dataclass
class LookupReport:
    """The result of a count."""

    lookups: int = 0
    """Terms that cause a query, the worst case of all senders."""
    void: int = 0
    """Queries that are answered with nothing when the sender has an IPv4 address (then only A is asked)."""
    void_v6: int = 0
    """The same for senders with an IPv6 address (only AAAA is asked)."""
    unknown: list[str] = field(default_factory=list[str])
    """Names that no resolver could tell; each is counted as one lookup."""
    findings: list[Finding] = field(default_factory=list[Finding])
    """What is wrong on the way: an include without SPF, a loop, too many of something."""


def count(text: str, domain: str, resolver: Resolver, subject: str | None = None) -> LookupReport:
    """The lookups of the SPF record `text` of `domain`, with findings when there are more than a receiver
    makes."""
    report = LookupReport()
    about = subject or f"{domain} TXT"
    _walk(parse(text), domain, resolver, report, about, (domain,))
    if report.lookups > MAX_LOOKUPS:
        report.findings.append(
            error(
                "spf-too-many-lookups",
                about,
                f"needs {report.lookups} DNS lookups, and receivers stop at {MAX_LOOKUPS}",
                "RFC 7208 §4.6.4",
                "remove a sender, let one send from a subdomain of its own, or ask for flattening",
            )
        )
    report.findings += _check_void(report, about)
    if report.unknown:
        names = ", ".join(f"`{name}`" for name in dict.fromkeys(report.unknown))
        report.findings.append(
            advice(
                "spf-uncounted",
                about,
                f"the lookups inside {names} are not known offline and are counted as one each",
                "RFC 7208 §4.6.4",
                "check against the live DNS",
            )
        )
    return report


def _check_void(report: LookupReport, about: str) -> list[Finding]:
    worst = max(report.void, report.void_v6)
    if worst <= MAX_VOID_LOOKUPS:
        return []
    fix = "remove the names that do not exist, or give them the missing addresses"
    message = f"makes {worst} lookups that find nothing, and receivers stop at {MAX_VOID_LOOKUPS}"
    if min(report.void, report.void_v6) > MAX_VOID_LOOKUPS:
        return [error("spf-too-many-void-lookups", about, message, "RFC 7208 §4.6.4", fix)]
    family = "IPv4" if report.void > report.void_v6 else "IPv6"
    message = f"for senders over {family}, {message}"
    return [warning("spf-void-lookups-by-family", about, message, "RFC 7208 §4.6.4", fix)]


def _walk(spf: Spf, domain: str, resolver: Resolver, report: LookupReport, about: str, path: tuple[str, ...]) -> None:
    for term in spf.reached:
        if term.name not in LOOKUP_TERMS or term.broken:
            continue
        report.lookups += 1
        # ptr, exists and macros depend on the message: one lookup each, whose answer nobody knows beforehand.
        if term.has_macro or term.name in ("ptr", "exists"):
            continue
        try:
            if term.name in ("include", "redirect"):
                _enter(term, resolver, report, about, path)
            else:
                _hosts(term, host(term.value) or domain, resolver, report, about)
        except LookupUnavailableError:
            report.unknown.append(host(term.value) or domain)


def _enter(term: Term, resolver: Resolver, report: LookupReport, about: str, path: tuple[str, ...]) -> None:
    target = host(term.value)
    if target in path:
        report.findings.append(
            error(
                "spf-loop",
                about,
                f"`{term.text}` leads back to {target}",
                "RFC 7208 §4.6.4",
                "remove the include",
            )
        )
        return
    texts = resolver.lookup(target, "TXT")
    records = [text for text in texts if is_spf(text)]
    if not texts:
        _void(report, 4, 6)
    if len(records) != 1:
        what = "has no SPF record" if not records else f"has {len(records)} SPF records"
        report.findings.append(
            error(
                "spf-include-broken",
                about,
                f"`{term.text}`: {target} {what}, which makes every mail a permanent error",
                "RFC 7208 §5.2",
                "correct the name, or remove the include",
            )
        )
        return
    inner = parse(records[0])
    report.findings += [
        error(
            "spf-include-syntax",
            about,
            f"`{term.text}`: in {target}, {problem.wrong}",
            "RFC 7208 §5.2",
            f"let its owner {problem.fix}, or remove the include",
        )
        for problem in inner.problems
    ]
    if report.lookups <= 4 * MAX_LOOKUPS:  # far beyond the limit the exact number helps nobody
        _walk(inner, target, resolver, report, about, (*path, target))


def _hosts(term: Term, target: str, resolver: Resolver, report: LookupReport, about: str) -> None:
    if term.name == "a":
        _addresses(target, resolver, report)
        return
    exchanges = resolver.lookup(target, "MX")
    if not exchanges:
        _void(report, 4, 6)
    if len(exchanges) > MAX_MX_NAMES:
        report.findings.append(
            error(
                "spf-too-many-mx",
                about,
                f"`{term.text}` brings {len(exchanges)} names, and receivers stop at {MAX_MX_NAMES}",
                "RFC 7208 §4.6.4",
                "name the networks with `ip4` and `ip6`",
            )
        )
    for exchange in exchanges:
        # The addresses of the names cost nothing of the ten, but finding none is void as well.
        with contextlib.suppress(LookupUnavailableError):
            _addresses(host(fields(exchange)[-1]), resolver, report)


def _addresses(name: str, resolver: Resolver, report: LookupReport) -> None:
    found = {version: resolver.lookup(name, kind) for version, kind in ((4, "A"), (6, "AAAA"))}
    _void(report, *(version for version, answers in found.items() if not answers))


def _void(report: LookupReport, *versions: int) -> None:
    report.void += 4 in versions
    report.void_v6 += 6 in versions


def default_resolver(
    sets: Iterable[RecordSet],
    domain: str,
    live: Resolver | None = None,
    *,
    complete: bool = True,
    partly_read: bool = False,
) -> Names:
    """The zone first where it is known as a whole, then `live` when given, then the snapshot."""
    outside = FirstAnswer(*([live] if live else []), SnapshotResolver())
    return Names(sets, domain, outside, complete=complete, partly_read=partly_read)
