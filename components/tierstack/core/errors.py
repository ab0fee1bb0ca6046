"""How tierstack says that an input is wrong: every problem of a component at once, each with its remedy."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import cast

import pulumi

_SHOWN = 60  # characters of a value that an error shows; longer ones say nothing more to a reader


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with an input, in the four parts that a reader needs to mend it."""

    path: str
    """Where it is, as the user would write it: `database.replicas`, `hostnames[1]`."""
    value: object
    """What stands there; shown shortened, and never for paths that hold secrets (pass `HIDDEN`)."""
    wrong: str
    """What is wrong with it, as a clause: `must be at least 1`."""
    instead: str
    """What to write instead, as a clause: `write a number from 1 to 50`."""

    def __str__(self) -> str:
        shown = "" if self.value is MISSING else f" = {shorten(self.value)}"
        return f"{self.path}{shown}: {self.wrong}; {self.instead}"


class _Marker:
    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


MISSING = _Marker("(missing)")
"""The value of a problem whose path holds nothing."""
HIDDEN = _Marker("(hidden)")
"""The value of a problem whose path holds a secret."""


class ArgumentError(pulumi.RunError, ValueError):
    """Raised by a component's constructor, before it registers anything, with all problems of its arguments.

    The engine prints a RunError as it stands, without a traceback.
    """

    def __init__(self, subject: str, problems: Sequence[Problem]) -> None:
        self.subject = subject
        self.problems = list(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__("\n".join([f"{subject}: {count}", *(f"  {problem}" for problem in self.problems)]))


def shorten(value: object) -> str:
    """`value` as an error shows it: its repr, cut to a length that a line can hold; an object by its class alone."""
    text = _shown(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _shown(value: object) -> str:
    """A repr of plain values; the repr of any other object is an address in memory, or may hold a secret."""
    if isinstance(value, Enum):
        return repr(value.value)
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


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word closest to `word`, or None where none is close enough to be a likely slip."""
    folded = {candidate.lower().replace("_", "").replace("-", ""): candidate for candidate in known}
    close = difflib.get_close_matches(word.lower().replace("_", "").replace("-", ""), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def unknown_key(path: str, key: str, known: Iterable[str]) -> Problem:
    """The problem of a key that nothing reads, with the nearest key that something does read."""
    names = sorted(known)
    guess = nearest(key, names)
    instead = f"did you mean `{guess}`?" if guess else f"known keys: {', '.join(names)}"
    return Problem(f"{path}.{key}" if path else key, MISSING, "is not a known key", instead)


def out_of_range(path: str, value: float | None, low: float, high: float, unit: str = "") -> list[Problem]:
    """The problem of a number outside low..high (both allowed), or none; None means "from the tier" and passes."""
    if value is None or low <= value <= high:
        return []
    wrong = f"must be at least {low:.12g}" if value < low else f"must be at most {high:.12g}"
    return [Problem(path, value, wrong, f"write a number from {low:.12g} to {high:.12g}{f' {unit}' if unit else ''}")]
