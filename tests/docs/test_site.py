"""The site: every page has its place in the sidebar, and nothing is fetched from other servers."""

from collections import Counter
from pathlib import Path

import pytest

from toolchain.docs import __main__ as site
from toolchain.docs import navigation

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix()
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docs").glob("*/*.md")]
)


def test_every_page_has_one_place_in_the_sidebar() -> None:
    places = Counter(
        child for page in PAGES for children in navigation.below(page, PAGES).values() for child in children
    )
    assert {page: places[page] for page in PAGES if places[page] != 1} == {navigation.HOME: 0}
    assert set(places) <= set(PAGES)


def test_a_new_page_comes_last_in_the_reference() -> None:
    assert navigation.below(navigation.HOME, [*PAGES, "docs/new"])["Reference"][-1] == "docs/new"


def test_every_page_says_in_prose_what_it_is_for() -> None:
    """The first paragraph stands above any code, table or diagram."""
    without = []
    for page in PAGES:
        title, _, rest = (ROOT / f"{page}.md").read_text().partition("\n")
        first = next(line for line in rest.splitlines() if line.strip() and not line.startswith("<!--"))
        if not title.startswith("# ") or first.startswith(("#", "```", "|", "-", "!")):
            without.append(page)
    assert without == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('<script src="https://cdn.example/x.js"></script>', "https://cdn.example/x.js"),
        ('<link href="//fonts.example/a" rel="stylesheet">', "//fonts.example/a"),
        ("<style>@import 'https://fonts.example/b';</style>", "https://fonts.example/b"),
        ('<img alt="" src="https://badge.example/c.svg">', "https://badge.example/c.svg"),
        ('<a href="https://example.org">x</a><script src="_static/a.js"></script>', None),
        ('<link rel="canonical" href="https://example.org/">', None),
    ],
)
def test_what_a_browser_would_fetch_elsewhere_is_found(text: str, found: str | None, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(text)
    assert site.loads_from_elsewhere(tmp_path) == ([f"page.html: {found}"] if found else [])
