"""What a check says of something that it looked at, and the rules by which it does: one form for arguments, settings
and DNS records.

A rule is declared once, in the module that applies it: by `declare`, or by the decorator `rule` of the function that is
the rule. Whoever says something names the rule by its code.
"""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from typing import ParamSpec, cast

P = ParamSpec("P")

NO_RULE = "invalid-value"
"""The code of a diagnostic whose rule has no name of its own."""
_SHOWN = 60  # characters of a value that a message shows; longer ones say nothing more to a reader


class Severity(StrEnum):
    """What follows from a diagnostic."""

    ERROR = "error"
    """It stops a preview: a rule is broken, or something will fail because of it."""
    WARNING = "warning"
    """It is shown: it works, but not as its owner probably thinks."""
    ADVICE = "advice"
    """It is shown: good practice that is absent."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule, as whoever meets its code wants to know it."""

    code: str
    """Its name, as diagnostics, `ignore` and `tierstack rule` write it. It stands for years."""
    guards: str
    """What must hold, in one sentence."""
    severities: tuple[Severity, ...]
    """What its diagnostics can be; several where it depends."""
    source: str = ""
    """Where it stands: an RFC, a manual. Empty: it is a rule of tierstack."""
    ignorable: bool
    """Whether `ignore` may accept what it says. False where nothing would work then, or nothing could be judged."""
    why: str = ""
    """What happens where it is broken, in a sentence. Empty: the sentence above says it."""
    wrong: str = ""
    """An example of what it refuses. Empty: there is none."""
    right: str = ""
    """The same, as it should be. Empty: there is none."""
    accepted: str = ""
    """How what it says can be accepted, as a clause. Empty: by `ignore` alone, or not at all."""
    module: str
    """Where it is declared."""


_RULES: dict[str, Rule] = {}


def declare(
    code: str,
    guards: str,
    source: str = "",
    *severities: Severity,
    ignorable: bool | None = None,
    why: str = "",
    wrong: str = "",
    right: str = "",
    accepted: str = "",
    module: str | None = None,
) -> Rule:
    """Add a rule. Without `severities` it gives errors. `ignorable` None: where it never gives an error. `module` None:
    the caller's. Raises ValueError where its code is taken."""
    if code in _RULES:
        raise ValueError(f"the rule `{code}` is declared twice")
    given = severities or (Severity.ERROR,)
    _RULES[code] = Rule(
        code=code,
        guards=guards,
        severities=given,
        source=source,
        ignorable=Severity.ERROR not in given if ignorable is None else ignorable,
        why=why,
        wrong=wrong,
        right=right,
        accepted=accepted,
        module=module or calling_module(),
    )
    return _RULES[code]


def calling_module(above: int = 1) -> str:
    """The module that called the function which asks; `above`: of how many callers further up."""
    frame = inspect.currentframe()
    for _ in range(above + 1):
        frame = frame.f_back if frame else None
    return str(frame.f_globals["__name__"]) if frame else ""


def declared() -> Mapping[str, Rule]:
    """Every rule by its code, of the modules that are imported."""
    return _RULES


class _Marker:
    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


MISSING = _Marker("(missing)")
"""The value of a diagnostic whose path holds nothing, or whose message shows the value."""
HIDDEN = _Marker("(hidden)")
"""The value of a diagnostic whose path holds a secret."""


@dataclass(frozen=True)
class AsWritten:
    """A value with the text that stands for it in a file; a message shows the text."""

    text: str
    value: bool | float


@dataclass(frozen=True)
class Diagnostic:
    """One thing that a check has to say, with all that a reader needs to act on it."""

    path: str
    """Where it is, as the user would write it: `database.replicas`, `hostnames[1]`, or a record, `example.org TXT`."""
    value: object
    """The value at that path. A message shows it shortened, and never a secret (pass `HIDDEN`)."""
    message: str
    """What is wrong, as a clause: `must be at least 1`."""
    hint: str
    """What to do, as a clause: `write a number from 1 to 50`."""
    code: str = NO_RULE
    """A stable name of the rule, `spf-twice`: what tests pin and `ignore` names."""
    severity: Severity = Severity.ERROR
    source: str = ""
    """Where the rule stands: `RFC 7208 §4.5`. Left out: as the rule declares it. Empty: it is a rule of tierstack."""

    def __post_init__(self) -> None:
        """Take the source from the rule."""
        if not self.source and self.code in _RULES:
            object.__setattr__(self, "source", _RULES[self.code].source)

    def __str__(self) -> str:
        shown = "" if self.value is MISSING else f" = {shorten(self.value)}"
        return f"{self.path}{shown}: {self.message}; {self.hint}"

    @property
    def line(self) -> str:
        """What it says as one line of output, with its rule at the end: `tierstack rule CODE` explains it."""
        return f"{self} [{', '.join(filter(None, (self.code, self.source)))}]"

    def as_dict(self) -> dict[str, object]:
        """The diagnostic for machines: the same fields in every command. A hidden or missing value is null."""
        value = self.value.value if isinstance(self.value, AsWritten) else self.value
        value = None if value in (MISSING, HIDDEN) else value
        return {
            "code": self.code,
            "severity": self.severity.value,
            "path": self.path,
            "value": value if type(value) in (str, int, float, bool, list, dict, type(None)) else str(value),
            "message": self.message,
            "hint": self.hint,
            "source": self.source,
        }


def rule(
    code: str, guards: str = "", source: str = "", *, why: str = "", wrong: str = "", right: str = ""
) -> Callable[[Callable[P, list[Diagnostic]]], Callable[P, list[Diagnostic]]]:
    """The decorator of a function that applies one rule: what it says carries the rule's `code`.

    With `guards` it declares the rule, too; without, the rule is declared elsewhere. What says of itself which rule it
    is, such as a number out of range, keeps its own code.
    """

    def named(function: Callable[P, list[Diagnostic]]) -> Callable[P, list[Diagnostic]]:
        if guards:
            declare(code, guards, source, why=why, wrong=wrong, right=right, module=function.__module__)

        @functools.wraps(function)
        def apply(*args: P.args, **kwargs: P.kwargs) -> list[Diagnostic]:
            return [
                replace(one, code=code, source="") if one.code == NO_RULE else one for one in function(*args, **kwargs)
            ]

        return apply

    return named


declare(NO_RULE, "A value is what its key asks for; the rule has no name of its own.")


@dataclass(frozen=True)
class Ignored:
    """A diagnostic that somebody accepts."""

    diagnostic: Diagnostic
    reason: str
    key: str
    """What accepts it: `address-private@vpn`."""

    def as_dict(self) -> dict[str, object]:
        """The diagnostic for machines, with the reason."""
        return {**self.diagnostic.as_dict(), "reason": self.reason}


def shorten(value: object) -> str:
    """`value` as a message shows it: its repr, cut to a length that a line can hold; an object by its class alone."""
    text = _shown(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _shown(value: object) -> str:
    """A repr of plain values; the repr of any other object is an address in memory, or may hold a secret."""
    if isinstance(value, Enum):
        return repr(value.value)
    if isinstance(value, AsWritten):
        return value.text
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_shown, cast(Sequence[object], value)))}]"
    if isinstance(value, Mapping):
        pairs = cast(Mapping[object, object], value).items()
        return f"{{{', '.join(f'{_shown(key)}: {_shown(entry)}' for key, entry in pairs)}}}"
    if value is None or isinstance(value, str | bytes | int | float | _Marker):
        return repr(value)
    return f"({a_or_an(type(value).__name__)})"


def a_or_an(noun: str) -> str:
    """`noun` with its article."""
    return f"an {noun}" if noun[:1] in "AEIOUaeiou" else f"a {noun}"
