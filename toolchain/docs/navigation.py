"""The order of the site's pages (pure). A page of `docs` that stands here nowhere comes last in the reference."""

HOME = "README"

SECTIONS: dict[str, list[str]] = {
    "Start": ["docs/tutorial", "docs/how-to/README", "docs/runbooks/README"],
    "Components": ["docs/components/README"],
    "Reference": [
        "docs/configuration",
        "docs/rules",
        "docs/cli",
        "docs/releases",
        "docs/diff",
        "docs/comparison",
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

LISTED = ("docs/decisions/README",)
"""First pages of folders that show what is below them; the others have a table of their own."""

LAST = ("docs/components/links",)
"""Pages that stand behind the others of their folder."""

MOVED_UNDER = dict.fromkeys(["docs/ci", "docs/importing", "docs/move-to-kubernetes"], "docs/how-to/README")
"""Pages that stand under another folder's first page than their own."""


def children(page: str, pages: list[str]) -> list[str]:
    """What stands below a folder's first page: the other pages of the folder, and those that belong to it."""
    folder = page.removesuffix("README")
    own = sorted((one for one in pages if one.startswith(folder) and one != page), key=lambda one: (one in LAST, one))
    return own + [one for one, parent in MOVED_UNDER.items() if parent == page and one in pages]


def below(page: str, pages: list[str]) -> dict[str, list[str]]:
    """The pages that a page has below it in the sidebar, by heading ("" for none)."""
    if page == HOME:
        placed = {one for listed in SECTIONS.values() for one in listed} | set(MOVED_UNDER) | {HOME}
        rest = [one for one in pages if one not in placed and one.removeprefix("docs/").count("/") == 0]
        return SECTIONS | {"Reference": [*SECTIONS["Reference"], *rest]}
    if page.endswith("/README"):
        return {"": children(page, pages)}
    return {}
