"""How tierstack says that an input is wrong: every problem of a component at once, each with its remedy."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence

import pulumi

from tierstack.core.diagnostics import HIDDEN, MISSING, Diagnostic, Severity, a_or_an, rule, shorten

__all__ = [
    "HIDDEN",
    "MISSING",
    "ArgumentError",
    "Diagnostic",
    "Problem",
    "Severity",
    "a_or_an",
    "nearest",
    "out_of_range",
    "rule",
    "shorten",
    "unknown_key",
]

Problem = Diagnostic
"""The name by which rules of arguments make a diagnostic: `Problem(path, value, message, hint)`."""


class ArgumentError(pulumi.RunError, ValueError):
    """Raised by a component's constructor, before it registers anything, with all problems of its arguments.

    The engine prints a RunError as it stands, without a traceback.
    """

    def __init__(self, subject: str, problems: Sequence[Problem]) -> None:
        self.subject = subject
        self.problems = list(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__("\n".join([f"{subject}: {count}", *(f"  {problem}" for problem in self.problems)]))


def _folded(word: str) -> str:
    return re.sub(r"[._-]", "", word.lower())


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word closest to `word`, or None where none is close enough to be a likely slip."""
    folded = {_folded(candidate): candidate for candidate in known}
    close = difflib.get_close_matches(_folded(word), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def unknown_key(
    path: str,
    key: str,
    known: Iterable[str],
    groups: Mapping[str, Iterable[str]] | None = None,
    value: object = MISSING,
) -> Problem:
    """The problem of a key that nothing reads, with the nearest key that something does read.

    `groups`: the keys inside those of `known` that hold a group, by its name. What stands at the wrong level is told
    the right one: `acme_email` and `email` mean `acme.email`, and `issuer`, with the `value` "acme", means `acme`.
    """
    names = sorted(known)
    guess = _in_a_group(key, value, groups or {}) or nearest(key, names)
    hint = f"did you mean `{guess}`?" if guess else f"known keys: {', '.join(names)}"
    return Problem(f"{path}.{key}" if path else key, MISSING, "is not a known key", hint, "unknown-key")


def _in_a_group(key: str, value: object, groups: Mapping[str, Iterable[str]]) -> str | None:
    pairs = [(group, name) for group, names in groups.items() for name in names]
    joined = [f"{group}.{name}" for group, name in pairs if _folded(f"{group}{name}") == _folded(key)]
    alone = [f"{group}.{name}" for group, name in pairs if _folded(name) == _folded(key)]
    chosen = [group for group in groups if isinstance(value, str) and _folded(group) == _folded(value)]
    # A name that several groups have tells nothing.
    return next((found[0] for found in (joined, alone, chosen) if len(found) == 1), None)


def out_of_range(path: str, value: float | None, low: float, high: float, unit: str = "") -> list[Problem]:
    """The problem of a number outside low..high (both allowed), or none; None means "from the tier" and passes."""
    if value is None or low <= value <= high:
        return []
    wrong = f"must be at least {low:.12g}" if value < low else f"must be at most {high:.12g}"
    hint = f"write a number from {low:.12g} to {high:.12g}{f' {unit}' if unit else ''}"
    return [Problem(path, value, wrong, hint, "out-of-range")]
