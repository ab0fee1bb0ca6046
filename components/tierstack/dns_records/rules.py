"""The rules by which zones are judged. A module declares those that it applies, and says by them what it finds."""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass

from tierstack.core import diagnostics
from tierstack.core.diagnostics import MISSING, Diagnostic, Rule, Severity, calling_module

ERROR, WARNING, ADVICE = Severity.ERROR, Severity.WARNING, Severity.ADVICE
_ORDER = {ERROR: 0, WARNING: 1, ADVICE: 2}
_PACKAGE = __name__.rpartition(".")[0]


@dataclass(frozen=True)
class Slip:
    """What a parser could not read, before anybody says of which record."""

    message: str
    """What is wrong, as a clause."""
    hint: str
    """What to write instead, as a clause."""

    def __str__(self) -> str:
        return self.message


def declare(
    code: str,
    guards: str,
    source: str,
    *severities: Severity,
    ignorable: bool = True,
    why: str = "",
    wrong: str = "",
    right: str = "",
) -> Rule:
    """Add a rule about records. Its errors may be accepted, too: what is published may be meant. `ignorable` False: no
    record can be made of the argument, or nothing could be judged. Raises ValueError where its code is taken."""
    module = calling_module()
    return diagnostics.declare(
        code, guards, source, *severities, ignorable=ignorable, why=why, wrong=wrong, right=right, module=module
    )


def declared() -> dict[str, Rule]:
    """Every rule about records by its code."""
    importlib.import_module("tierstack.dns_records.zone.compose")
    importlib.import_module("tierstack.dns_records.zone.observe")
    return {code: rule for code, rule in diagnostics.declared().items() if rule.module.startswith(f"{_PACKAGE}.")}


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
    rule = diagnostics.declared()[code]
    assert severity in rule.severities, f"the rule `{code}` is declared as {', '.join(rule.severities)}"
    return Diagnostic(path, MISSING, message, hint, code, severity, source or rule.source)


def errors(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The diagnostics that stop a preview."""
    return [one for one in found if one.severity is ERROR]


def ordered(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The diagnostics without repeats, worst first, then by path and code: the same list for the same zone."""
    return sorted(set(found), key=lambda one: (_ORDER[one.severity], one.path, one.code, one.message))
