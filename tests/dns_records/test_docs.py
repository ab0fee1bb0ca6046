"""The rules that modules declare, those that they apply, and the page of the component agree."""

import re
from pathlib import Path

import pytest

from tierstack.core.diagnostics import Severity
from tierstack.dns_records import rules

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "components" / "tierstack" / "dns_records"
PAGE = ROOT / "docs" / "components" / "dns-records.md"
MADE = re.compile(r"\b(?:error|warning|advice|say|_Kind)\(\s*\"([a-z0-9-]+)\"")
DECLARED = re.compile(r"^declare\(\s*\"([a-z0-9-]+)\"", re.MULTILINE)
LISTED = re.compile(r"^\| `([a-z0-9-]+)` \| ((?:error|warning|advice)[a-z, ]*) \| (.*) \|$", re.MULTILINE)
SOURCES = [path.read_text() for path in sorted(PACKAGE.rglob("*.py"))]


def test_every_declared_rule_is_applied_and_every_applied_one_declared() -> None:
    applied = {code for text in SOURCES for code in MADE.findall(text)}
    written = [code for text in SOURCES for code in DECLARED.findall(text)]
    assert len(written) == len(set(written))
    assert applied == set(written) == set(rules.declared())


def test_the_page_lists_every_rule() -> None:
    listed = LISTED.findall(PAGE.read_text())
    known = rules.declared().values()
    assert sorted(listed) == sorted((one.id, ", ".join(one.severities), one.source) for one in known)


def test_a_rule_says_only_what_it_is_declared_to_say() -> None:
    with pytest.raises(ValueError, match="the rule `spf-twice` is declared twice"):
        rules.declare("spf-twice", "RFC 7208 §4.5", Severity.ERROR)
    with pytest.raises(AssertionError, match="the rule `spf-twice` is declared as error"):
        rules.warning("spf-twice", "example.org TXT", "x", "y")
    with pytest.raises(KeyError):
        rules.error("no-such-rule", "example.org TXT", "x", "y")
