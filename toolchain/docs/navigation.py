"""The order of the site's pages (pure). A page that stands here nowhere fails tests/docs/test_navigation.py."""

HOME = "README"

SECTIONS: dict[str, list[str]] = {
    "Start": ["docs/tutorial", "docs/how-to/README"],
    "Components": ["docs/components/README"],
    "Reference": [
        "docs/configuration",
        "docs/rules",
        "docs/cli",
        "docs/diff",
        "docs/gitops",
        "docs/languages",
        "docs/tiers",
        "docs/support",
    ],
    "Background": ["docs/decisions/README", "docs/measurements"],
    "Contributing": [
        "CONTRIBUTING",
        "docs/toolchain",
        "docs/cluster",
        "docs/images",
        "docs/shop",
        "CHANGELOG",
        "SECURITY",
    ],
}
"""Heading in the sidebar, and the pages below it."""

MOVED_UNDER = {"docs/importing": "docs/how-to/README", "docs/move-to-kubernetes": "docs/how-to/README"}
"""Pages that stand under another folder's first page than their own."""


def children(page: str, pages: list[str]) -> list[str]:
    """What stands below a folder's first page: the other pages of the folder, and those that belong to it."""
    folder = page.removesuffix("README")
    own = [one for one in pages if one.startswith(folder) and one != page]
    return own + [one for one, parent in MOVED_UNDER.items() if parent == page and one in pages]


def below(page: str, pages: list[str]) -> dict[str, list[str]]:
    """The pages that a page has below it in the sidebar, by heading ("" for none)."""
    if page == HOME:
        return SECTIONS
    if page.endswith("/README"):
        return {"": children(page, pages)}
    return {}
