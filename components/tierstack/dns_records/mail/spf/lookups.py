"""How many DNS queries a receiver makes for an SPF record, through all its includes (RFC 7208 §4.6.4).

Where answers come from is a `Resolver`: the zone being written, the live DNS, or a dated snapshot of the
records of common mail providers, so that the same preview gives the same verdict on a train. What no resolver
knows is counted once and reported, never guessed.
"""

import contextlib
from dataclasses import dataclass, field

from tierstack.core.diagnostics import Diagnostic
from tierstack.dns_records.mail.spf.grammar import Spf, Term, is_spf, parse
from tierstack.dns_records.mail.spf.record import LOOKUP_TERMS, MAX_LOOKUPS, MAX_VOID_LOOKUPS
from tierstack.dns_records.records.model import fields, host
from tierstack.dns_records.resolve.names import LookupUnavailableError, Resolver
from tierstack.dns_records.rules import ADVICE, ERROR, WARNING, advice, declare, error, warning

declare("spf-include-broken", "A name that SPF includes has one SPF record.", "RFC 7208 §5.2", ERROR)
declare("spf-include-syntax", "The SPF record of an included name can be read.", "RFC 7208 §5.2", ERROR)
declare("spf-loop", "Includes of SPF do not lead back to themselves.", "RFC 7208 §4.6.4", ERROR)
declare(
    "spf-too-many-lookups",
    "SPF needs at most ten lookups of the DNS.",
    "RFC 7208 §4.6.4",
    ERROR,
    why="Receivers stop at ten, and all mail fails SPF. Each include counts, with those inside it.",
)
declare("spf-too-many-mx", "`mx` of SPF stands for at most ten mail exchangers.", "RFC 7208 §4.6.4", ERROR)
declare("spf-too-many-void-lookups", "At most two lookups of SPF find nothing.", "RFC 7208 §4.6.4", ERROR)
declare("spf-uncounted", "All lookups of SPF can be counted offline.", "RFC 7208 §4.6.4", ADVICE)
declare(
    "spf-void-lookups-by-family",
    "At most two lookups of SPF find nothing, for senders over IPv4 and IPv6 alike.",
    "RFC 7208 §4.6.4",
    WARNING,
)

MAX_MX_NAMES = 10
"""The names that one `mx` mechanism may bring (RFC 7208 §4.6.4)."""


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
    findings: list[Diagnostic] = field(default_factory=list[Diagnostic])
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
                "check against the live DNS",
            )
        )
    return report


def _check_void(report: LookupReport, about: str) -> list[Diagnostic]:
    worst = max(report.void, report.void_v6)
    if worst <= MAX_VOID_LOOKUPS:
        return []
    fix = "remove the names that do not exist, or give them the missing addresses"
    message = f"makes {worst} lookups that find nothing, and receivers stop at {MAX_VOID_LOOKUPS}"
    if min(report.void, report.void_v6) > MAX_VOID_LOOKUPS:
        return [error("spf-too-many-void-lookups", about, message, fix)]
    family = "IPv4" if report.void > report.void_v6 else "IPv6"
    message = f"for senders over {family}, {message}"
    return [warning("spf-void-lookups-by-family", about, message, fix)]


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
                "correct the name, or remove the include",
            )
        )
        return
    inner = parse(records[0])
    report.findings += [
        error(
            "spf-include-syntax",
            about,
            f"`{term.text}`: in {target}, {problem.message}",
            f"let its owner {problem.hint}, or remove the include",
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
