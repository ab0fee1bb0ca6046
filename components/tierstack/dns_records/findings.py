"""What a validator says of a record: how bad it is, where, why, by which rule, and what to write instead."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How a finding is treated: an error stops the preview; warnings and advice are shown and never stop
    anything."""

    ERROR = "error"
    """The record breaks a rule of its standard, or mail or certificates will fail because of it."""
    WARNING = "warning"
    """It works, but not as its owner probably thinks."""
    ADVICE = "advice"
    """Good practice that is absent."""


_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.ADVICE: 2}


@dataclass(frozen=True)
class Slip:
    """What a parser could not read, before anybody says of which record."""

    wrong: str
    """What is wrong, as a clause."""
    fix: str
    """What to write instead, as a clause."""

    def __str__(self) -> str:
        return self.wrong


@dataclass(frozen=True)
class Finding:
    """One thing that a validator has to say."""

    severity: Severity
    code: str
    """A stable name of the rule, `spf-too-many-lookups`: what tests and suppressions refer to."""
    subject: str
    """The record it is about, `example.org TXT`, or the argument, `mail.brevo.code`."""
    message: str
    """What is wrong, as a clause."""
    source: str
    """Where the rule stands: `RFC 7208 §4.6.4`."""
    fix: str
    """What to write instead, as a clause."""

    def __str__(self) -> str:
        return f"{self.severity.value}: {self.sentence}"

    @property
    def sentence(self) -> str:
        """The finding without its severity, for places that show it anyway."""
        return f"{self.subject}: {self.message}; {self.fix} [{self.code}, {self.source}]"

    def as_dict(self) -> dict[str, str]:
        """The finding as plain text fields, for outputs and for JSON."""
        return {
            "severity": self.severity.value,
            "code": self.code,
            "subject": self.subject,
            "message": self.message,
            "source": self.source,
            "fix": self.fix,
        }


def error(code: str, subject: str, message: str, source: str, fix: str) -> Finding:
    """A finding that stops the preview."""
    return Finding(Severity.ERROR, code, subject, message, source, fix)


def warning(code: str, subject: str, message: str, source: str, fix: str) -> Finding:
    """A finding that is shown."""
    return Finding(Severity.WARNING, code, subject, message, source, fix)


def advice(code: str, subject: str, message: str, source: str, fix: str) -> Finding:
    """A finding about something good that is absent."""
    return Finding(Severity.ADVICE, code, subject, message, source, fix)


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that stop a preview."""
    return [finding for finding in findings if finding.severity is Severity.ERROR]


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """The findings without repeats, worst first, then by subject and code: the same list for the same
    zone."""
    return sorted(set(findings), key=lambda f: (_ORDER[f.severity], f.subject, f.code, f.message))
