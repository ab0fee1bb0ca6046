"""Findings that somebody accepts, in the SQL itself or beside it (pure)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tierstack.core.diagnostics import MISSING, Diagnostic, Severity, declare
from tierstack.core.errors import nearest

PREFIX = "migration-"

declare(
    "migration-allowance",
    "A comment that allows something must name rules of migrations and a reason.",
    accepted="cannot be allowed",
    wrong="-- tierstack: allow drop-column\nALTER TABLE orders DROP COLUMN note;",
    right="-- tierstack: allow drop-column because no release since 2.3 reads it\nALTER TABLE orders DROP COLUMN note;",
)
declare(
    "migration-allowance-unused",
    "What is allowed should be there.",
    "",
    Severity.WARNING,
    ignorable=False,
    accepted="cannot be allowed",
    wrong="-- tierstack: allow drop-column because no release reads it\nSELECT 1;",
    right="SELECT 1;",
)

_COMMENT = re.compile(r"tierstack:\s*(?P<verb>\S+)\s*(?P<rest>.*)", re.DOTALL | re.IGNORECASE)
_ALLOW = re.compile(r"(?P<rules>[\w-]+(?:\s*,\s*[\w-]+)*)\s+because\s+(?P<reason>\S.*)", re.DOTALL | re.IGNORECASE)
_KEY = re.compile(r"(?P<rule>[\w-]+)(?:@(?P<subject>[^\s=]+))?")


@dataclass
class Allowance:
    """What is allowed, and why."""

    rule: str
    reason: str
    where: str
    """Where it is written."""
    subject: str = ""
    """The table, or the table and its column, that it is limited to. Empty: whatever the rule finds."""
    used: bool = field(default=False, compare=False)

    @property
    def key(self) -> str:
        """As it was written."""
        return f"{self.rule.removeprefix(PREFIX)}{f'@{self.subject}' if self.subject else ''}"

    def covers(self, code: str, subject: str) -> bool:
        """Whether it allows what a rule finds of a table or column."""
        if code != self.rule:
            return False
        wanted, found = self.subject.lower(), subject.lower()
        return not wanted or found == wanted or found.startswith(f"{wanted}.")


def in_comments(comments: Iterable[str], where: str, known: Iterable[str]) -> tuple[list[Allowance], list[Diagnostic]]:
    """What the comments of a statement allow, and what is wrong with them."""
    allowed: list[Allowance] = []
    problems: list[Diagnostic] = []
    for comment in comments:
        if not (said := _COMMENT.search(comment)):
            continue
        match = _ALLOW.match(said["rest"]) if said["verb"].lower() == "allow" else None
        if not match:
            form = "write `-- tierstack: allow RULE because REASON`"
            problems.append(_wrong(where, f"the comment `{comment.strip()}` names no rule with a reason", form))
            continue
        for name in re.split(r"\s*,\s*", match["rules"]):
            found = _rule(name, known)
            if found is None:
                problems.append(_unknown(where, name, known))
            else:
                allowed.append(Allowance(found, " ".join(match["reason"].split()), where))
    return allowed, problems


def given(allow: Mapping[str, str], path: str, known: Iterable[str]) -> tuple[list[Allowance], list[Diagnostic]]:
    """What options or arguments allow: RULE or RULE@TABLE or RULE@TABLE.COLUMN → the reason."""
    allowed: list[Allowance] = []
    problems: list[Diagnostic] = []
    for name, reason in allow.items():
        match = _KEY.fullmatch(name)
        found = _rule(match["rule"], known) if match else None
        where = f"{path} {name}"
        if found is None or match is None:
            problems.append(_unknown(where, name.partition("@")[0], known))
        elif not reason.strip():
            problems.append(_wrong(where, "gives no reason", f"write `{name}=REASON`"))
        else:
            allowed.append(Allowance(found, reason.strip(), where, match["subject"] or ""))
    return allowed, problems


def unused(allowed: Iterable[Allowance]) -> list[Diagnostic]:
    """The allowances that covered nothing."""
    return [
        Diagnostic(
            one.where,
            MISSING,
            f"`{one.key}` allows nothing that is there",
            "remove it, or correct the rule or the table",
            "migration-allowance-unused",
            Severity.WARNING,
        )
        for one in allowed
        if not one.used
    ]


def _rule(name: str, known: Iterable[str]) -> str | None:
    full = name if name.startswith(PREFIX) else f"{PREFIX}{name}"
    return full if full in known else None


def _unknown(where: str, name: str, known: Iterable[str]) -> Diagnostic:
    names = [one.removeprefix(PREFIX) for one in known]
    guess = nearest(name.removeprefix(PREFIX), names)
    hint = f"did you mean `{guess}`?" if guess else f"write one of {', '.join(names)}"
    return _wrong(where, f"`{name}` is no rule that can be allowed", hint)


def _wrong(where: str, message: str, hint: str) -> Diagnostic:
    return Diagnostic(where, MISSING, message, hint, "migration-allowance")
