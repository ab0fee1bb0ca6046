"""The page of the component lists every finding that the code can make, and no other."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "components" / "dns-records.md"
MADE = re.compile(r"\b(?:error|warning|advice|say)\(\s*\"([a-z0-9-]+)\"")
LISTED = re.compile(r"^\| `([a-z0-9-]+)` \| (?:error|warning|advice)", re.MULTILINE)


def test_every_finding_is_listed() -> None:
    code = [path.read_text() for path in (ROOT / "components" / "tierstack" / "dns_records").glob("*.py")]
    listed = LISTED.findall(PAGE.read_text())
    assert len(listed) == len(set(listed))
    assert set(listed) == {one for text in code for one in MADE.findall(text)}
