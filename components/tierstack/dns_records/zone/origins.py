"""From which argument a record comes, so that what is wrong with it is said where it can be mended."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tierstack.core.diagnostics import Diagnostic
from tierstack.dns_records.mail.dmarc import record as dmarc
from tierstack.dns_records.mail.spf import grammar as spf_grammar
from tierstack.dns_records.records.model import Record

_OF_DOMAIN = {
    "caa": "caa",
    "dkim": "mail",
    "dmarc": "dmarc",
    "mx": "mail",
    "null": "mail",
    "spf": "mail",
    "sts": "mail.mta_sts",
    "tlsrpt": "mail.tls_reports",
}
"""The first word of a rule's id → the argument by which the domain gets what it lacks."""
_QUOTED = re.compile(r"`([^`]+)`")


_ADDRESS = re.compile(r"\.ipv[46]\[\d+\]$")


@dataclass(frozen=True)
class Origins:
    """Which argument gave which record of a zone."""

    domain: str = ""
    paths: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict[tuple[str, str], dict[str, str]])
    """(Name, type) → value → the path of the argument."""
    terms: Mapping[str, str] = field(default_factory=dict[str, str])
    """Terms of the SPF record → the path of the argument."""

    @classmethod
    def of(cls, records: Iterable[Record], domain: str, terms: Sequence[str]) -> "Origins":
        """Those of records that know their arguments, and of `mail.spf_terms`."""
        paths: dict[tuple[str, str], dict[str, str]] = {}
        for one in records:
            paths.setdefault((one.name, one.type), {})[one.value] = one.path
        return cls(domain, paths, {term: f"mail.spf_terms[{n}]" for n, term in enumerate(terms)})

    def argument(self, finding: Diagnostic) -> str | None:
        """The path of the argument that a finding is about; None where several could be meant, or it is one already."""
        name, _, kind = finding.path.partition(" ")
        family = finding.code.partition("-")[0]
        named = _QUOTED.findall(finding.message)
        if family == "spf" and (path := next((self.terms[one] for one in named if one in self.terms), None)):
            return path
        if finding.path == self.domain:
            return _OF_DOMAIN.get(family)
        values = self.paths.get((name, kind), {})
        read = {"spf": spf_grammar.is_spf, "dmarc": dmarc.is_dmarc}.get(family)
        # What names no address is about the host that has it.
        meant = {_ADDRESS.sub("", path) for value, path in values.items() if read is None or read(value)}
        exact = {path for value, path in values.items() if any(one in value.split() for one in named)}
        return next((next(iter(one)) for one in (exact, meant) if len(one) == 1), None)
