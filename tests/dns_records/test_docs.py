"""The page of the component lists every finding that the code can make, and no other."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "components" / "dns-records.md"
MAKERS = {"error", "warning", "advice", "say"}


def codes_in_the_code() -> set[str]:
    found: set[str] = set()
    for path in (ROOT / "components" / "tierstack" / "dns_records").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKERS:
                assert isinstance(node.args[0], ast.Constant), (
                    f"{path.name}:{node.lineno}: a code is a plain text"
                )
                found.add(node.args[0].value)
    return found


def test_every_finding_is_listed() -> None:
    listed = re.findall(r"^\| `([a-z0-9-]+)` \| (?:error|warning|advice)", PAGE.read_text(), re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(listed) == codes_in_the_code()
