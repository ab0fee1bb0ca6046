"""Where answers come from: the live DNS, several sources in turn, and what judges a zone when nothing else is said."""

import functools
from collections.abc import Iterable, Sequence

import dns.exception
import dns.rdtypes.txtbase
import dns.resolver

from tierstack.core.diagnostics import Diagnostic
from tierstack.dns_records.records.model import RecordSet, decode_txt, host
from tierstack.dns_records.resolve.names import LookupUnavailableError, Names, Resolver
from tierstack.dns_records.resolve.snapshot import SnapshotResolver
from tierstack.dns_records.rules import WARNING, declare, warning

declare(
    "dns-unanswered", "What the verdict depends on was answered by the DNS.", "RFC 1035 §7.2", WARNING, ignorable=False
)


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

    def findings(self, domain: str) -> list[Diagnostic]:
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
