"""Blocks of a page that a test runs: the commands that a reader types, the files that they write, what they see (pure).

A comment above a fenced block says what it is; GitHub and the site show the block alone:

    <!-- file: NAME -->     the reader writes this file
    <!-- run -->            the reader types this; with `run: docker`, only where a Docker daemon is
    <!-- fails -->          the same, and the last command ends with an error
    <!-- output -->         what the commands above print; `…` stands for what differs, alone on a line for any lines

A block of a list is indented with its mark.
"""

import re
from dataclasses import dataclass

KINDS = ("file", "run", "fails", "output")
_BLOCK = re.compile(
    rf"^(?P<indent> *)<!-- (?P<kind>{'|'.join(KINDS)})(?:: (?P<argument>[^>\n]+?))? -->\n"
    r"(?P=indent)(?P<marks>`{3,})[^\n]*\n(?P<text>.*?)^(?P=indent)(?P=marks)$",
    re.MULTILINE | re.DOTALL,
)
_MARK = re.compile(rf"^ *<!-- (?:{'|'.join(KINDS)})\b", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One marked block: `argument` is the name of a file, or what a command needs ("" for nothing)."""

    kind: str
    argument: str
    text: str


def blocks(page: str) -> list[Block]:
    """The marked blocks in their order. Raises ValueError for a mark without a block, so that none is skipped."""
    found = [
        Block(match["kind"], match["argument"] or "", re.sub(f"^{match['indent']}", "", match["text"], flags=re.M))
        for match in _BLOCK.finditer(page)
    ]
    if len(found) != (marks := len(_MARK.findall(page))):
        raise ValueError(f"{marks} marks, but {len(found)} of them stand directly above a fenced block")
    return found


def matches(expected: str, printed: str) -> bool:
    """Whether `printed` is what a page shows. A line that is only `…` stands for any lines, also none; blanks at the
    ends of lines do not count."""
    wanted, seen = ([line.rstrip() for line in text.strip().splitlines()] for text in (expected, printed))
    parts = (
        r"(?:[^\n]*\n)*?" if line.strip() == "…" else r"[^\n]*".join(map(re.escape, line.split("…"))) + r"\n"
        for line in wanted
    )
    return re.fullmatch("".join(parts), "".join(f"{line}\n" for line in seen)) is not None
