"""Findings that somebody means: each is set aside by its rule, for the whole domain or for one name, with a reason."""

from collections.abc import Iterable, Mapping

from tierstack.core.diagnostics import Diagnostic, Ignored
from tierstack.core.errors import MISSING, nearest
from tierstack.dns_records.rules import declared


def problems(ignore: Mapping[str, str], path: str = "ignore") -> list[Diagnostic]:
    """What is wrong with the keys and reasons of `ignore`."""
    found: list[Diagnostic] = []
    rules = declared()
    for key, reason in ignore.items():
        rule = key.partition("@")[0]
        if rule not in rules:
            guess = nearest(rule, rules)
            instead = f"did you mean `{guess}`?" if guess else "write the id that a finding shows in brackets"
            found.append(Diagnostic(f"{path}.{key}", MISSING, f"there is no rule `{rule}`", instead, "unknown-rule"))
        elif not rules[rule].ignorable:
            wrong = "cannot be ignored: without what it asks for there is no record, or no verdict"
            found.append(Diagnostic(f"{path}.{key}", MISSING, wrong, "correct what it is about"))
        elif not reason.strip():
            wrong = "has no reason"
            found.append(Diagnostic(f"{path}.{key}", reason, wrong, "write why the finding is accepted"))
    return found


def set_aside(
    findings: Iterable[Diagnostic], ignore: Mapping[str, str], domain: str
) -> tuple[list[Diagnostic], list[Ignored]]:
    """(The findings that stay, those that are ignored). A key is a rule, or one with a name:
    `address-private@vpn`."""
    kept: list[Diagnostic] = []
    ignored: list[Ignored] = []
    for one in findings:
        reason = next((ignore[key] for key in _keys(one, domain) if key in ignore), None)
        if reason is None or not declared()[one.code].ignorable:
            kept.append(one)
        else:
            ignored.append(Ignored(one, reason))
    return kept, ignored


def _keys(finding: Diagnostic, domain: str) -> list[str]:
    """Every key by which a finding can be ignored: with its name relative to the domain, absolute, or without."""
    name = finding.path.partition(" ")[0]
    relative = "@" if name == domain else name.removesuffix(f".{domain}")
    return [f"{finding.code}@{one}" for one in (name, relative, f"{name}.")] + [finding.code]
