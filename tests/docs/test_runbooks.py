"""Every runbook is in the list, and a test types its commands."""

from pathlib import Path

import pytest

from toolchain.docs.blocks import blocks

pytestmark = pytest.mark.pure
ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(one for one in (ROOT / "docs" / "runbooks").glob("*.md") if one.name != "README.md")

OF_RELEASES = {"stuck-release.md"}
"""Typed by the steps of tests/release/docker, which no run of all tests collects: they have yet to pass in one run."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_runbook_is_listed_and_typed(page: Path) -> None:
    assert f"({page.name}" in (page.parent / "README.md").read_text()
    files = "release/docker/release_steps.py" if page.name in OF_RELEASES else "**/docker/test_*.py"
    typed = "".join(one.read_text() for one in (ROOT / "tests").glob(files))
    assert f'"{page.name}"' in typed
    assert blocks(page.read_text()), "it marks no command"
