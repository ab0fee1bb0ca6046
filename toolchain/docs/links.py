"""Links within the repository's Markdown files: whether each leads to a file, and to a heading that is there (pure)."""

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

_FENCE = re.compile(r"^(?P<marks> {0,3}(?:`{3,}|~{3,})).*?^(?P=marks)[`~]*[ \t]*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_INLINE = re.compile(r"(?<!\\)\]\(\s*<?([^)<>\s]*)>?(?:\s+\"[^\"]*\")?\s*\)")
_DEFINED = re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)", re.MULTILINE)
_TAG = re.compile(r"<(?:a|img)\b[^>]*?\b(?:href|src)=\"([^\"]+)\"", re.IGNORECASE)
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.+?)[ \t]*#*[ \t]*$", re.MULTILINE)
_NAMED = re.compile(r"<a\b[^>]*?\b(?:id|name)=\"([^\"]+)\"", re.IGNORECASE)
_ELSEWHERE = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|//)", re.IGNORECASE)


def blanked(text: str, *patterns: re.Pattern[str]) -> str:
    """The text with what the patterns match made blank, so that line numbers stay."""
    for pattern in patterns:
        text = pattern.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    return text


def slug(title: str) -> str:
    """The anchor that GitHub gives a heading with this plain text; the site gives the same."""
    kept = re.sub(r"[^\w\- ]", "", title.strip().lower())
    return kept.replace(" ", "-")


def plain(heading: str) -> str:
    """The text of a heading without its Markdown: code, emphasis, links and escapes."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    parts = re.split(r"(`+[^`]*`+)", text)
    marks = [part.strip("`") if part.startswith("`") else re.sub(r"\\(\W)|\*", r"\1", part) for part in parts]
    return "".join(marks)


def anchors(text: str) -> set[str]:
    """Every anchor of a page. A heading that comes again gets `-1`, `-2` and so on."""
    text = blanked(text, _FENCE, _COMMENT)
    found: set[str] = set(_NAMED.findall(text))
    times: Counter[str] = Counter()
    for heading in _HEADING.findall(text):
        name = slug(plain(heading))
        found.add(f"{name}-{times[name]}" if times[name] else name)
        times[name] += 1
    return found


def links(text: str) -> Iterator[tuple[int, str]]:
    """Line and target of each link and picture, code left out."""
    text = blanked(text, _FENCE, _COMMENT, _CODE)
    for pattern in (_INLINE, _DEFINED, _TAG):
        for match in pattern.finditer(text):
            yield text.count("\n", 0, match.start(1)) + 1, match[1]


def pages(root: Path) -> list[Path]:
    """Every Markdown file that belongs to the repository, those not yet committed among them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=root, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return sorted({root / name for name in listed.split("\0") if name and (root / name).is_file()})


def problems(root: Path, files: list[Path]) -> list[str]:
    """One line for each link of `files` that leads nowhere, or out of the repository. Other sites are not asked."""
    known: dict[Path, set[str]] = {}
    found: list[str] = []
    for page in files:
        for line, target in sorted(links(page.read_text())):
            if _ELSEWHERE.match(target):
                continue
            path, _, anchor = unquote(target).partition("#")
            where = f"{page.relative_to(root)}:{line}: {target}"
            file = (page.parent / path).resolve() if path else page.resolve()
            if not file.is_relative_to(root.resolve()):
                found.append(f"{where} leads out of the repository; write the address of what is meant")
            elif not target or not file.exists():
                found.append(f"{where} leads to no file")
            elif anchor and file.suffix != ".md":
                found.append(f"{where} names a heading of a file that has none")
            elif anchor:
                if file not in known:
                    known[file] = anchors(file.read_text())
                if anchor not in known[file]:
                    found.append(f"{where} names no heading of that page")
    return found
