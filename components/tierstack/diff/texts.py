"""Texts about a plan: sentences of tierstack with values of the plan in them, kept apart until they are written.

Names and values of a plan come from anybody. A form of a report (Markdown, HTML) quotes each `Value` in its own way, so
no name can become markup, a link or a mention, whatever sentence it stands in.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from string import Formatter
from typing import Any, cast

from tierstack.diff.marks import ABSENT, Mark

_LONGEST = 120
"""Characters of a value within a sentence; the details have more of it."""


@dataclass(frozen=True)
class Value:
    """A name or a value of the plan within a sentence."""

    text: str


Text = tuple[str | Value, ...]
"""A sentence: its own words as strings, and what is quoted from the plan."""


def fill(template: str, **values: object) -> Text:
    """`template` with each `{key}` replaced: a Text as it is, anything else quoted."""
    parts: list[str | Value] = []
    for words, key, _, _ in Formatter().parse(template):
        if words:
            parts.append(words)
        if key is None:
            continue
        value = values[key]
        if isinstance(value, tuple):
            parts += cast(Text, value)
        else:
            parts.append(Value(shown(value)))
    return tuple(parts)


_HARMLESS = re.compile(r"[0-9][A-Za-z0-9 .,]{0,60}|[A-Z][A-Za-z]{0,60}")


def plain_or_value(text: str) -> Text:
    """An amount or the name of a type as plain words, of which no markup can be made; anything else quoted."""
    return (text if _HARMLESS.fullmatch(text) else Value(shown(text)),)


def listed(names: Iterable[str], most: int = 3) -> Text:
    """Names in a sentence: all of them, or the first few and how many more."""
    found = list(dict.fromkeys(names))
    if len(found) == most + 1:
        most += 1  # "and 1 more" is no shorter than the name
    parts: list[str | Value] = []
    for index, name in enumerate(found[:most]):
        last = index == len(found) - 1
        parts += [*(["" if index == 0 else " and " if last else ", "]), Value(shown(name))]
    more = len(found) - most
    return tuple(part for part in (*parts, f" and {more} more" if more > 0 else "") if part)


def plain(text: Text) -> str:
    """The sentence without any markup."""
    return "".join(part if isinstance(part, str) else part.text for part in text)


def shown(value: Any, longest: int = _LONGEST) -> str:
    """A value on one line: strings as they are, structures as JSON, without characters that move the cursor."""
    if value is ABSENT:
        text = "not set"
    elif isinstance(value, Mark):
        text = str(value)
    elif isinstance(value, str):
        text = value
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    text = printable(text)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


_UNSEEN = {
    **dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), *range(0x200B, 0x2010), *range(0x2028, 0x202F)), "·"),
    **dict.fromkeys((*range(0x2060, 0x2070), 0xFEFF), "·"),
    0x0A: "⏎",
    0x09: " ",
}


def printable(text: str) -> str:
    """`text` on one line: control characters, and those that turn the direction of writing, become visible."""
    return text.translate(_UNSEEN)


def counted(count: int, noun: str, plural: str = "") -> str:
    """`1 resource`, `2 resources`."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"
