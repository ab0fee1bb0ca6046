"""The `tag=value; tag=value` lists that DKIM, DMARC, BIMI, MTA-STS and TLS-RPT share (RFC 6376 §3.2)."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from tierstack.dns_records.records.texts import odd_character
from tierstack.dns_records.rules import Slip

NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_]*$")
"""A tag of DKIM, DMARC and BIMI (RFC 6376 §3.2)."""
FIELD = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$")
"""A field of MTA-STS and TLS-RPT (RFC 8461 §3.1, RFC 8460 §3)."""


@dataclass(frozen=True)
class Tags:
    """A parsed list: the pairs in order, and what could not be read."""

    pairs: tuple[tuple[str, str], ...]
    """(tag, value) with the white space around both removed."""
    problems: tuple[Slip, ...] = ()
    """What is wrong with the list itself."""

    def get(self, tag: str) -> str | None:
        """The first value of `tag`, or None where it is absent."""
        return next((value for name, value in self.pairs if name == tag), None)

    def all(self, tag: str) -> list[str]:
        """Every value of a tag that may be repeated."""
        return [value for name, value in self.pairs if name == tag]

    @property
    def names(self) -> list[str]:
        """The tags in the order in which they stand."""
        return [name for name, _ in self.pairs]


def parse(text: str, form: re.Pattern[str] = NAME, repeated: Collection[str] = ()) -> Tags:
    """The tags of `text`, whose names have a `form`; those of `repeated` may stand more than once. Never raises: what
    cannot be read is listed in `problems`."""
    pairs: list[tuple[str, str]] = []
    problems: list[Slip] = []
    seen: set[str] = set()
    parts = text.split(";")
    if parts and not parts[-1].strip():
        parts.pop()
    for part in parts:
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not form.match(name):
            problems.append(_slip(part.strip(), form))
        elif name in seen and name not in repeated:
            problems.append(Slip(f"the tag `{name}` stands twice", f"keep one `{name}=`"))
        else:
            pairs.append((name, value))
            seen.add(name)
    return Tags(tuple(pairs), tuple(problems))


def _slip(part: str, form: re.Pattern[str]) -> Slip:
    wrong = f"`{part}` is not of the form tag=value"
    if not part:
        return Slip(wrong, "remove the second `;`")
    if odd := odd_character(part):
        return Slip(f"{wrong}: it holds {odd}", "write it with plain letters and spaces")
    name, _, value = part.partition(":")
    if value and form.match(name.strip()):
        return Slip(wrong, f"write `{name.strip()}={value.strip()}`")
    if "=" not in part:
        return Slip(wrong, f"write a tag and `=` before `{part}`, or remove it")
    return Slip(wrong, f"correct the name before `=` in `{part}`")


def remedy(name: str, known: Collection[str]) -> str:
    """What to do with a tag that is none of `known`. One in capitals was meant, and to remove it would lose it."""
    return f"write `{name.lower()}`: tags are lower case" if name.lower() in known else "remove it"


def split(value: str, by: str = ":") -> list[str]:
    """The items of a value such as `y : s`, without the white space around them."""
    return [one.strip() for one in value.split(by)]


def render(pairs: list[tuple[str, str]]) -> str:
    """The pairs as the text of a record: `v=DMARC1; p=none`."""
    return "; ".join(f"{name}={value}" for name, value in pairs)
