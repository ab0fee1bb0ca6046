"""What somebody accepts of what a check says: each is set aside by the code of its rule, for all or for one place, with
a reason."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from tierstack.core.diagnostics import MISSING, Diagnostic, Ignored, Rule, Severity, declare, declared
from tierstack.core.errors import nearest

declare(
    "unknown-rule",
    "Each key of `ignore` must name a rule.",
    wrong="ignore: {adress-private: inside only}",
    right="ignore: {address-private: inside only}",
)
declare(
    "ignore-refused",
    "`ignore` accepts warnings, advice, and errors about records that may be meant; no other error.",
    why="Of any other error something fails, or nothing could be made of the value.",
)
declare(
    "ignore-reason",
    "Each key of `ignore` needs a reason.",
    why="Who comes later cannot tell what was meant from what was silenced.",
    wrong='ignore: {backups-absent: ""}',
    right="ignore: {backups-absent: a demo that is made anew every night}",
)
declare("ignore-unused", "Each key of `ignore` should match a finding.", "", Severity.ADVICE)

Places = Callable[[Diagnostic], Sequence[str]]
"""The names of what a diagnostic is about, as they stand after `@` in a key of `ignore`."""


def code_of(key: str) -> str:
    """The rule of a key of `ignore`: `address-private` of `address-private@vpn`."""
    return key.partition("@")[0]


def problems(ignore: Mapping[str, str], rules: Mapping[str, Rule], path: str = "ignore") -> list[Diagnostic]:
    """What is wrong with the keys and reasons of `ignore`, where `rules` are all that there are."""
    return [one for key, reason in ignore.items() for one in _problems_of(key, reason, rules, f"{path}.{key}")]


def _problems_of(key: str, reason: str, rules: Mapping[str, Rule], path: str) -> list[Diagnostic]:
    code = code_of(key)
    if code not in rules:
        guess = nearest(code, rules)
        hint = f"did you mean `{guess}`?" if guess else "write the code in brackets at the end of a finding"
        return [Diagnostic(path, MISSING, f"there is no rule `{code}`", hint, "unknown-rule")]
    if not rules[code].ignorable:
        wrong = "is an error that cannot be ignored: something would fail, or nothing could be made of the value"
        return [Diagnostic(path, MISSING, wrong, "remove it, and correct what the error names", "ignore-refused")]
    if not reason.strip():
        return [Diagnostic(path, reason, "has no reason", "write why the finding is accepted", "ignore-reason")]
    return []


def set_aside(
    found: Iterable[Diagnostic], ignore: Mapping[str, str], places: Places
) -> tuple[list[Diagnostic], list[Ignored]]:
    """(What stays, what is ignored). A key is a rule, or one with a place: `address-private@vpn`."""
    kept: list[Diagnostic] = []
    ignored: list[Ignored] = []
    for one in found:
        keys = [*(f"{one.code}@{place}" for place in places(one)), one.code]
        key = next((key for key in keys if key in ignore), None)
        rule = declared().get(one.code)
        if key is None or rule is None or not rule.ignorable:
            kept.append(one)
        else:
            ignored.append(Ignored(one, ignore[key], key))
    return kept, ignored


def unused(ignore: Mapping[str, str], ignored: Iterable[Ignored], path: str = "ignore") -> list[Diagnostic]:
    """The keys of `ignore` that nothing was said of."""
    used = {one.key for one in ignored}
    return [
        Diagnostic(f"{path}.{key}", MISSING, "matches no finding", "remove it", "ignore-unused", Severity.ADVICE)
        for key in ignore
        if key not in used
    ]
