"""How tierstack says that an input is wrong: every problem of a component at once, each with its remedy."""

import difflib
import re
from collections.abc import Iterable, Sequence

import pulumi

from tierstack.core.diagnostics import HIDDEN, MISSING, Diagnostic, Severity, a_or_an, declare, rule, shorten

__all__ = [
    "ALIKE",
    "HIDDEN",
    "MISSING",
    "ArgumentError",
    "Diagnostic",
    "Severity",
    "a_or_an",
    "declare",
    "folded",
    "nearest",
    "out_of_range",
    "rule",
    "shorten",
]

# What is asked of every argument and setting, whatever it is for.
declare(
    "unknown-key",
    "A key must be one that tierstack knows.",
    wrong="databse: {replicas: 1}",
    right="database: {replicas: 1}",
)
declare("missing-key", "A required key must be given.")
declare("given-twice", "A value must be written in one of its two forms, not in both.")
declare("wrong-type", "A value must have the type of its key.", wrong='replicas: "3"', right="replicas: 3")
declare("not-a-choice", "A value must be one of the choices of its key.", wrong="tier: 10k", right="tier: 100k")
declare(
    "out-of-range", "A number must be in the range of its key.", wrong="app: {replicas: 0}", right="app: {replicas: 2}"
)
declare(
    "unknown-value",
    "What decides which resources there are must be known at preview.",
    why="The number, names and kinds of resources could not be planned, and nothing about them could be checked.",
)
declare(
    "no-keyword",
    "Arguments in Python must be given by keyword.",
    wrong='TLSArgs(["a"])',
    right='TLSArgs(hostnames=["a"])',
)
declare(
    "wrong-platform",
    "An argument must have a meaning on this kind of platform.",
    wrong="platform: {kind: docker, storage_class: fast}",
    right="platform: {kind: docker}, kubernetes: {platform: {storage_class: fast}}",
)
declare("required-on-platform", "What this kind of platform needs must be given.")
declare(
    "plaintext-secret",
    "A secret must be encrypted in the configuration, and must not stand in rendered files.",
    why="Whoever reads the repository would have them, and its history keeps them.",
    wrong="app: {secrets: {API_KEY: hunter2}}",
    right="pulumi config set --secret --path 'app.secrets.API_KEY'",
)
declare(
    "empty-command",
    "A command must name a program to run.",
    wrong="app: {roles: {mail: {command: []}}}",
    right="app: {roles: {mail: {command: [php, mail]}}}",
)
declare(
    "port-twice",
    "Two things on one host or proxy cannot listen on one port.",
    wrong="gateway: {http_port: 443, https_port: 443}",
    right="gateway: {http_port: 80, https_port: 443}",
)


class ArgumentError(pulumi.RunError, ValueError):
    """Raised by a component's constructor, before it registers anything, with all problems of its arguments.

    The engine prints a RunError as it stands, without a traceback.
    """

    def __init__(self, subject: str, problems: Sequence[Diagnostic]) -> None:
        self.subject = subject
        self.problems = list(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__("\n".join([f"{subject}: {count}", *(f"  {problem.line}" for problem in self.problems)]))


ALIKE = 0.6  # from 0 to 1: below it a word is no likely slip of another


def folded(word: str) -> str:
    """A word without what people write in different ways: capitals, dots, hyphens, underscores."""
    return re.sub(r"[._-]", "", word.lower())


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word closest to `word`, or None where none is close enough to be a likely slip."""
    names = {folded(candidate): candidate for candidate in known}
    close = difflib.get_close_matches(folded(word), names, n=1, cutoff=ALIKE)
    return names[close[0]] if close else None


def out_of_range(path: str, value: float | None, low: float, high: float, unit: str = "") -> list[Diagnostic]:
    """The problem of a number outside low..high (both allowed), or none; None means "from the tier" and passes."""
    if value is None or low <= value <= high:
        return []
    wrong = f"must be at least {low:.12g}" if value < low else f"must be at most {high:.12g}"
    hint = f"write a number from {low:.12g} to {high:.12g}{f' {unit}' if unit else ''}"
    return [Diagnostic(path, value, wrong, hint, "out-of-range")]
