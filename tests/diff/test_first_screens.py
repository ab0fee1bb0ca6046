"""The first screens of real changes of this repository's stacks, from previews that the engine made, and comments on
plans of tests/cases/diff/screens.yaml.

tests/engine/test_diff.py makes the previews, and says what each of them changes.
"""

import copy
import difflib
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.diff import plans
from tierstack.diff.markdown import LIMIT, comment
from tierstack.diff.preview import read
from tierstack.diff.report import report

CASES = Path(__file__).parents[1] / "cases" / "diff"
PREVIEWS, SCREENS, COMMENTS = (CASES / name for name in ("previews", "first-screens", "comments"))
PLANS: list[dict[str, Any]] = yaml.safe_load((CASES / "screens.yaml").read_text())
WRITTEN_ELSEWHERE = {"a-new-environment", "no-daemon", "a-base-that-moved-on", "a-configuration-with-problems"}
"""Comments that tests/cli/test_diff.py checks."""


def same(file: Path, made: str) -> None:
    """A text is the golden file; TIERSTACK_UPDATE_GOLDEN=1 rewrites it."""
    if os.environ.get("TIERSTACK_UPDATE_GOLDEN"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(made)
    lines = list(difflib.unified_diff(file.read_text().splitlines(), made.splitlines(), "golden", "now", lineterm=""))
    assert not lines, "\n".join(lines)


@pytest.mark.parametrize("name", sorted(path.stem for path in PREVIEWS.glob("*.json")))
def test_the_first_screen(name: str) -> None:
    document = json.loads((PREVIEWS / f"{name}.json").read_text())
    plan = replace(read(document), tier=document.get("tier"))
    same(SCREENS / f"{name}.md", first_screen(comment(report(plan))))


def first_screen(said: str) -> str:
    return said.partition("\n<details>")[0].rstrip() + "\n"


def numbered(value: Any, number: int) -> Any:
    """A value of a case with its number."""
    if isinstance(value, str):
        return value.replace("{n}", str(number))
    if isinstance(value, dict):
        return {numbered(key, number): numbered(one, number) for key, one in value.items()}
    return [numbered(one, number) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("case", PLANS, ids=lambda case: case["name"])
def test_the_comment_on_a_plan(case: dict[str, Any]) -> None:
    groups: list[list[dict[str, Any]]] = []
    for number in range(case.get("repeat", 1)):
        given = numbered(copy.deepcopy(case["steps"]), number)
        groups += [plans.steps(one.pop("type"), **one) for one in given]
    plan = plans.plan(*groups, outputs=case.get("outputs", ()), diagnostics=case.get("diagnostics", ()), same=3)
    made = report(replace(plan, readers=tuple(case.get("readers", ())), tier=case.get("tier")))
    said = comment(made)
    assert len(said.encode("utf-16-le")) // 2 <= LIMIT
    assert said.startswith(first_screen(comment(made, limit=10**9)).rstrip())
    assert "correct-horse" not in said
    same(COMMENTS / f"{case['name']}.md", said if case.get("whole") else first_screen(said))


def test_every_comment_has_its_plan() -> None:
    names = [case["name"] for case in PLANS]
    assert len(names) == len(set(names))
    assert {path.stem for path in COMMENTS.glob("*.md")} == {*names} | WRITTEN_ELSEWHERE


def test_every_screen_has_its_preview() -> None:
    assert {path.stem for path in SCREENS.glob("*.md")} == {path.stem for path in PREVIEWS.glob("*.json")} != set()


@pytest.mark.parametrize("name", ["diff.md", "comparison.md"])
def test_a_page_shows_screens_as_they_are(name: str) -> None:
    page = CASES.parents[2] / "docs" / name
    written = page.read_text()
    pattern = re.compile(r"(<!-- screen: ([\w-]+) -->\n).*?(<!-- /screen -->)", re.DOTALL)
    made = pattern.sub(lambda found: f"{found[1]}{quoted(found[2])}{found[3]}", written)
    assert pattern.search(written)
    if os.environ.get("TIERSTACK_UPDATE_GOLDEN"):
        page.write_text(made)
    else:
        assert written == made, "out of date; TIERSTACK_UPDATE_GOLDEN=1 writes it"


def quoted(name: str) -> str:
    """A first screen as a page shows it."""
    lines = (SCREENS / f"{name}.md").read_text().splitlines()[1:]
    return "".join(f"> {line}".rstrip() + "\n" for line in lines)
