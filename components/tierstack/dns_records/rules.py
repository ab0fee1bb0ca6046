"""The rules by which zones are judged. A module declares those that it applies, and says by them what it finds."""

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tierstack.core.diagnostics import MISSING, Diagnostic, Severity

ERROR, WARNING, ADVICE = Severity.ERROR, Severity.WARNING, Severity.ADVICE
_ORDER = {ERROR: 0, WARNING: 1, ADVICE: 2}


@dataclass(frozen=True)
class Rule:
    """One rule."""

    id: str
    """Its name, as diagnostics, `ignore` and the page of the component write it."""
    source: str
    """Where it stands: an RFC, a draft or a vendor's manual."""
    severities: tuple[Severity, ...]
    """What its diagnostics can be; several where it depends."""
    ignorable: bool = True
    """False where there is nothing to accept: no record can be made of the argument, or nothing could be judged."""


@dataclass(frozen=True)
class Slip:
    """What a parser could not read, before anybody says of which record."""

    message: str
    """What is wrong, as a clause."""
    hint: str
    """What to write instead, as a clause."""

    def __str__(self) -> str:
        return self.message


_DECLARED: dict[str, Rule] = {}


def declare(id: str, source: str, *severities: Severity, ignorable: bool = True) -> Rule:
    """Add a rule. Raises ValueError where its id is taken."""
    if id in _DECLARED:
        raise ValueError(f"the rule `{id}` is declared twice")
    _DECLARED[id] = Rule(id, source, severities, ignorable)
    return _DECLARED[id]


def declared() -> Mapping[str, Rule]:
    """Every rule by its id, once every module that declares some is imported."""
    importlib.import_module("tierstack.dns_records.zone.compose")
    importlib.import_module("tierstack.dns_records.zone.observe")
    return _DECLARED


def error(code: str, path: str, message: str, hint: str, source: str | None = None) -> Diagnostic:
    """What stops the preview. `source` where the rule has several."""
    return _say(ERROR, code, path, message, hint, source)


def warning(code: str, path: str, message: str, hint: str, source: str | None = None) -> Diagnostic:
    """What is shown."""
    return _say(WARNING, code, path, message, hint, source)


def advice(code: str, path: str, message: str, hint: str, source: str | None = None) -> Diagnostic:
    """What is good and absent."""
    return _say(ADVICE, code, path, message, hint, source)


def _say(severity: Severity, code: str, path: str, message: str, hint: str, source: str | None) -> Diagnostic:
    rule = _DECLARED[code]
    assert severity in rule.severities, f"the rule `{code}` is declared as {', '.join(rule.severities)}"
    return Diagnostic(path, MISSING, message, hint, code, severity, source or rule.source)


def errors(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The diagnostics that stop a preview."""
    return [one for one in found if one.severity is ERROR]


def ordered(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The diagnostics without repeats, worst first, then by path and code: the same list for the same zone."""
    return sorted(set(found), key=lambda one: (_ORDER[one.severity], one.path, one.code, one.message))
