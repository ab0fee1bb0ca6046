"""The first screens of real changes of this repository's stacks, from previews that the engine made.

tests/engine/test_diff.py makes the previews, and says what each of them changes.
"""

import difflib
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tierstack.diff.markdown import comment
from tierstack.diff.preview import read
from tierstack.diff.report import report

CASES = Path(__file__).parents[1] / "cases" / "diff"
PREVIEWS, SCREENS = CASES / "previews", CASES / "first-screens"


def check(name: str, document: dict[str, Any]) -> None:
    """The first screen of a preview is the golden file; TIERSTACK_UPDATE_GOLDEN=1 rewrites it."""
    made = comment(report(read(document))).partition("\n<details>")[0].rstrip() + "\n"
    file = SCREENS / f"{name}.md"
    if os.environ.get("TIERSTACK_UPDATE_GOLDEN"):
        SCREENS.mkdir(parents=True, exist_ok=True)
        file.write_text(made)
    lines = list(difflib.unified_diff(file.read_text().splitlines(), made.splitlines(), "golden", "now", lineterm=""))
    assert not lines, "\n".join(lines)


@pytest.mark.parametrize("name", sorted(path.stem for path in PREVIEWS.glob("*.json")))
def test_the_first_screen(name: str) -> None:
    check(name, json.loads((PREVIEWS / f"{name}.json").read_text()))


def test_every_screen_has_its_preview() -> None:
    assert {path.stem for path in SCREENS.glob("*.md")} == {path.stem for path in PREVIEWS.glob("*.json")} != set()


def test_the_page_shows_a_screen_as_it_is() -> None:
    page = CASES.parents[2] / "docs" / "diff.md"
    before, name, rest = re.split(r"<!-- screen: ([\w-]+) -->\n", page.read_text(), maxsplit=1)
    shown, after = rest.split("<!-- /screen -->", 1)
    lines = (SCREENS / f"{name}.md").read_text().splitlines()[1:]
    made = "".join(f"> {line}".rstrip() + "\n" for line in lines)
    if os.environ.get("TIERSTACK_UPDATE_GOLDEN"):
        page.write_text(f"{before}<!-- screen: {name} -->\n{made}<!-- /screen -->{after}")
    else:
        assert shown == made, "out of date; TIERSTACK_UPDATE_GOLDEN=1 writes it"
