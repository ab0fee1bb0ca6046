"""The `tag=value; tag=value` lists that DKIM, DMARC, BIMI, MTA-STS and TLS-RPT share (RFC 6376 §3.2)."""

import re
from dataclasses import dataclass

_NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_]*$")


@dataclass(frozen=True)
class Tags:
    """A parsed list: the pairs in order, and what could not be read."""

    pairs: tuple[tuple[str, str], ...]
    """(tag, value) with the white space around both removed."""
    problems: tuple[str, ...] = ()
    """What is wrong with the list itself, as clauses."""

    def get(self, tag: str) -> str | None:
        """The value of `tag`, or None where it is absent."""
        return dict(self.pairs).get(tag)

    @property
    def names(self) -> list[str]:
        """The tags in the order in which they stand."""
        return [name for name, _ in self.pairs]


def parse(text: str) -> Tags:
    """The tags of `text`. Never raises: what cannot be read is listed in `problems`."""
    pairs: list[tuple[str, str]] = []
    problems: list[str] = []
    parts = text.split(";")
    if parts and not parts[-1].strip():
        parts.pop()
    for part in parts:
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not _NAME.match(name):
            problems.append(f"`{part.strip()}` is not of the form tag=value")
        elif name in (known for known, _ in pairs):
            problems.append(f"the tag `{name}` stands twice")
        else:
            pairs.append((name, value))
    return Tags(tuple(pairs), tuple(problems))


def render(pairs: list[tuple[str, str]]) -> str:
    """The pairs as the text of a record: `v=DMARC1; p=none`."""
    return "; ".join(f"{name}={value}" for name, value in pairs)
