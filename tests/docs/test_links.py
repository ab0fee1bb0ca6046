"""Links within the repository lead to a file and a heading that are there. Other sites are not asked."""

from pathlib import Path

import pytest

from toolchain.docs import links

ROOT = Path(__file__).resolve().parents[2]
PAGES = links.pages(ROOT)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert links.problems(ROOT, [page]) == []


def test_all_pages_are_looked_at() -> None:
    names = {str(page.relative_to(ROOT)) for page in PAGES}
    assert {"README.md", "CHANGELOG.md", "docs/tutorial.md", ".github/pull_request_template.md"} <= names


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("## `shop:platform`", "shopplatform"),
        ("### `platform.tolerations[]`", "platformtolerations"),
        ("## TypeScript, Go, C#", "typescript-go-c"),
        ("# A **bold** [link](x.md) and snake_case", "a-bold-link-and-snake_case"),
        ("## 1. Know – what you have", "1-know--what-you-have"),
        ("## Größe", "größe"),
    ],
)
def test_anchors_are_those_of_github(heading: str, anchor: str) -> None:
    assert links.anchors(heading) == {anchor}


def test_a_heading_that_comes_again_is_numbered_and_code_is_no_heading() -> None:
    assert links.anchors('# A\n## A\n```sh\n# not one\n```\n<a id="own"></a>\n') == {"a", "a-1", "own"}


def test_what_leads_nowhere_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("# There\n")
    page = tmp_path / "a.md"
    page.write_text(
        "# A\n[x](b.md#there) [x](https://example.org/gone) `[x](code.md)`\n```\n[x](fence.md)\n```\n"
        "[x](gone.md)\n[x](b.md#gone) [x](#a)\n![x](gone.png)\n[x][y]\n\n[y]: gone2.md\n[x](../out.md)\n"
        '<a href="gone3.md">x</a>\n'
    )
    assert links.problems(tmp_path, [page]) == [
        "a.md:6: gone.md leads to no file",
        "a.md:7: b.md#gone names no heading of that page",
        "a.md:8: gone.png leads to no file",
        "a.md:11: gone2.md leads to no file",
        "a.md:12: ../out.md leads out of the repository; write the address of what is meant",
        "a.md:13: gone3.md leads to no file",
    ]
