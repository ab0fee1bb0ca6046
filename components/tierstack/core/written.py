"""A value of a configuration file as somebody wrote it, where YAML makes something else of it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from tierstack.core.diagnostics import HIDDEN, MISSING, AsWritten, Diagnostic, declare

declare(
    "read-otherwise",
    "A value must be written so that YAML reads what is meant.",
    "YAML 1.1 and 1.2 as the engine reads them",
    why="The engine hands over another value than the one that stands in the file.",
    wrong="memory_mb: 04000",
    right="memory_mb: 4000",
)


@dataclass(frozen=True)
class Written:
    """A plain value of a file that is no text to YAML."""

    text: str
    """As it stands in the file: `1.10`."""
    otherwise: str = ""
    """What YAML reads, where hardly anybody means that: `the octal number 2048`. Empty: it is as it seems."""
    hint: str = ""
    """What to write then."""


def as_written(found: Iterable[Diagnostic], written: Mapping[str, Written]) -> list[Diagnostic]:
    """`found` with each value as it stands in the file, and what YAML reads otherwise where nothing else is wrong."""
    shown = [_shown(one, written) for one in found]
    paths = {one.path for one in shown}
    return shown + [
        Diagnostic(path, MISSING, f"is {one.otherwise} to YAML", one.hint, "read-otherwise")
        for path, one in written.items()
        if one.otherwise and path not in paths
    ]


def _shown(one: Diagnostic, written: Mapping[str, Written]) -> Diagnostic:
    place = written.get(one.path)
    if place is None or one.value in (HIDDEN, MISSING) or not isinstance(one.value, bool | int | float):
        return one
    hint = one.hint
    if hint.endswith(", in quotes"):
        kind = "true or false" if isinstance(one.value, bool) else "a number"
        hint = (
            f'write `{one.path.rpartition(".")[2]}: "{place.text}"`: without the quotes YAML reads {kind}, not a text'
        )
        if one.path.endswith("]"):
            hint = f'write `"{place.text}"`: without the quotes YAML reads {kind}, not a text'
    return replace(one, value=AsWritten(place.text, one.value), hint=hint)
