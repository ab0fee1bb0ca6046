"""How tierstack says that an input is wrong: every problem of a component at once, each with its remedy."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence

import pulumi

from tierstack.core.diagnostics import HIDDEN, MISSING, Diagnostic, Severity, a_or_an, declare, rule, shorten

__all__ = [
    "HIDDEN",
    "MISSING",
    "ArgumentError",
    "Diagnostic",
    "Severity",
    "a_or_an",
    "declare",
    "nearest",
    "out_of_range",
    "rule",
    "shorten",
    "unknown_key",
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
declare("out-of-range", "A number must be in the range of its key.")
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
declare("wrong-platform", "An argument must have a meaning on this kind of platform.")
declare("required-on-platform", "What this kind of platform needs must be given.")
declare(
    "plaintext-secret",
    "A secret must be encrypted in the configuration, and must not stand in rendered files.",
    why="Whoever reads the repository would have them, and its history keeps them.",
    wrong="redis: {password: hunter2}",
    right="pulumi config set --secret --path 'redis.password'",
)
declare("empty-command", "A command must name a program to run.")
declare("port-twice", "Two things on one host or proxy cannot listen on one port.")


class ArgumentError(pulumi.RunError, ValueError):
    """Raised by a component's constructor, before it registers anything, with all problems of its arguments.

    The engine prints a RunError as it stands, without a traceback.
    """

    def __init__(self, subject: str, problems: Sequence[Diagnostic]) -> None:
        self.subject = subject
        self.problems = list(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__("\n".join([f"{subject}: {count}", *(f"  {problem.line}" for problem in self.problems)]))


_ALIKE = 0.6  # from 0 to 1: below it a word is no likely slip of another


def _folded(word: str) -> str:
    return re.sub(r"[._-]", "", word.lower())


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word closest to `word`, or None where none is close enough to be a likely slip."""
    folded = {_folded(candidate): candidate for candidate in known}
    close = difflib.get_close_matches(_folded(word), folded, n=1, cutoff=_ALIKE)
    return folded[close[0]] if close else None


def unknown_key(
    path: str,
    key: str,
    known: Iterable[str],
    groups: Mapping[str, Iterable[str]] | None = None,
    value: object = MISSING,
) -> Diagnostic:
    """The problem of a key that nothing reads, with the nearest key that something does read.

    `groups`: the keys inside those of `known` that hold a group, by its name, and inside examples of a map of groups
    (`roles.worker`). What stands at the wrong level is told the right one: `acme_email` and `email` mean `acme.email`,
    `worker_command` means `roles.worker.command`, and `issuer`, with the `value` "acme", means `acme`.
    """
    names = sorted(known)
    guesses = _in_groups(key, value, groups or {}) or _alike(key, names, groups or {}) or _ending(key, groups or {})
    hint = f"did you mean {_either(guesses[:4])}?" if guesses else f"known keys: {', '.join(names)}"
    return Diagnostic(f"{path}.{key}" if path else key, MISSING, "is not a known key", hint, "unknown-key")


def _either(words: Sequence[str]) -> str:
    quoted = [f"`{word}`" for word in words]
    return " or ".join([*([", ".join(quoted[:-1])] if len(quoted) > 1 else []), quoted[-1]])


def _last(group: str) -> str:
    return group.rpartition(".")[2]


def _in_groups(key: str, value: object, groups: Mapping[str, Iterable[str]]) -> list[str]:
    pairs = [(group, name) for group, names in groups.items() for name in names]
    joined = [f"{group}.{name}" for group, name in pairs if _folded(f"{_last(group)}{name}") == _folded(key)]
    # Those of a mere example (`roles.worker`) are not meant by their name alone.
    alone = [f"{group}.{name}" for group, name in pairs if "." not in group and _folded(name) == _folded(key)]
    chosen = [group for group in groups if isinstance(value, str) and _folded(group) == _folded(value)]
    return joined or alone or chosen


def _alike(key: str, names: Sequence[str], groups: Mapping[str, Iterable[str]]) -> list[str]:
    """The known key that is most like `key`: a group by the name of it (`workers`), one inside a group by the name of
    that (`migrate_command`), or one at the same level."""
    inside = {_folded(_last(group)): group for group in groups}
    for group, keys in groups.items():
        for one in keys:
            before = _folded(key).removesuffix(_folded(one))
            if before != _folded(key) and difflib.get_close_matches(before, [_folded(_last(group))], cutoff=_ALIKE):
                inside[_folded(f"{_last(group)}{one}")] = f"{group}.{one}"
    beside = {_folded(name): name for name in names}
    close = difflib.get_close_matches(_folded(key), [*beside, *inside], n=1, cutoff=0.7)
    close = close or difflib.get_close_matches(_folded(key), beside, n=1, cutoff=_ALIKE)
    return [(inside | beside)[one] for one in close]


def _ending(key: str, groups: Mapping[str, Iterable[str]]) -> list[str]:
    """The keys inside groups with which `key` ends (`web_cpu`)."""
    return [f"{group}.{one}" for group, keys in groups.items() for one in keys if key.endswith(f"_{one}")]


def out_of_range(path: str, value: float | None, low: float, high: float, unit: str = "") -> list[Diagnostic]:
    """The problem of a number outside low..high (both allowed), or none; None means "from the tier" and passes."""
    if value is None or low <= value <= high:
        return []
    wrong = f"must be at least {low:.12g}" if value < low else f"must be at most {high:.12g}"
    hint = f"write a number from {low:.12g} to {high:.12g}{f' {unit}' if unit else ''}"
    return [Diagnostic(path, value, wrong, hint, "out-of-range")]
