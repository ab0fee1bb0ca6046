"""The rules, the findings that the code makes and the page of the component agree."""

import re
from pathlib import Path

from tierstack.dns_records.rules import RULES

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "components" / "dns-records.md"
MADE = re.compile(r"\b(?:error|warning|advice|say|_Kind)\(\s*\"([a-z0-9-]+)\"")
LISTED = re.compile(r"^\| `([a-z0-9-]+)` \| ((?:error|warning|advice)[a-z, ]*) \| (.*) \|$", re.MULTILINE)


def test_every_finding_has_a_rule() -> None:
    code = [path.read_text() for path in (ROOT / "components" / "tierstack" / "dns_records").glob("*.py")]
    assert {one for text in code for one in MADE.findall(text)} == set(RULES)


def test_the_page_lists_every_rule() -> None:
    listed = LISTED.findall(PAGE.read_text())
    assert sorted(listed) == sorted((one.id, one.severity, one.source) for one in RULES.values())
