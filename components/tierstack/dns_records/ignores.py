"""Findings that somebody means: each is set aside by its rule, for the whole domain or for one name, with a reason."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tierstack.core.errors import MISSING, Problem, nearest
from tierstack.dns_records.findings import Finding
from tierstack.dns_records.rules import RULES


@dataclass(frozen=True)
class Ignored:
    """A finding that is set aside."""

    finding: Finding
    reason: str

    def as_dict(self) -> dict[str, str]:
        """The finding as plain text fields, with the reason."""
        return {**self.finding.as_dict(), "reason": self.reason}


def problems(ignore: Mapping[str, str], path: str = "ignore") -> list[Problem]:
    """What is wrong with the keys and reasons of `ignore`."""
    found: list[Problem] = []
    for key, reason in ignore.items():
        rule = key.partition("@")[0]
        if rule not in RULES:
            guess = nearest(rule, RULES)
            instead = f"did you mean `{guess}`?" if guess else "write the id that a finding shows in brackets"
            found.append(Problem(f"{path}.{key}", MISSING, f"there is no rule `{rule}`", instead))
        elif not RULES[rule].ignorable:
            wrong = "cannot be ignored: without what it asks for there is no record, or no verdict"
            found.append(Problem(f"{path}.{key}", MISSING, wrong, "correct what it is about"))
        elif not reason.strip():
            wrong = "has no reason"
            found.append(Problem(f"{path}.{key}", reason, wrong, "write why the finding is accepted"))
    return found


def set_aside(
    findings: Iterable[Finding], ignore: Mapping[str, str], domain: str
) -> tuple[list[Finding], list[Ignored]]:
    """(The findings that stay, those that are ignored). A key is a rule, or one with a name:
    `address-private@vpn`."""
    kept: list[Finding] = []
    ignored: list[Ignored] = []
    for one in findings:
        reason = next((ignore[key] for key in _keys(one, domain) if key in ignore), None)
        if reason is None or not RULES[one.code].ignorable:
            kept.append(one)
        else:
            ignored.append(Ignored(one, reason))
    return kept, ignored


def _keys(finding: Finding, domain: str) -> list[str]:
    """Every key by which a finding can be ignored: with its name relative to the domain, absolute, or without."""
    name = finding.subject.partition(" ")[0]
    relative = "@" if name == domain else name.removesuffix(f".{domain}")
    return [f"{finding.code}@{one}" for one in (name, relative, f"{name}.")] + [finding.code]
