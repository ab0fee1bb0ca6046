"""Characters that look like others, named so that a reader can tell them apart."""

import unicodedata
from urllib.parse import SplitResult, urlsplit

_SURROGATES = range(0xDC80, 0xDD00)  # how Python keeps an octet that is no UTF-8


def odd_character(text: str) -> str | None:
    """The first character outside of printable ASCII, as a reader can look it up: `U+00A0 (NO-BREAK SPACE)`; None where
    there is none."""
    return next((_named(one) for one in text if not " " <= one <= "~"), None)


def _named(character: str) -> str:
    code = ord(character)
    if code in _SURROGATES:
        return f"the octet 0x{code - 0xDC00:02X}"
    if code < 0x20 or code == 0x7F:
        return f"the control character 0x{code:02X}"
    return f"U+{code:04X} ({unicodedata.name(character, 'without a name')})"


def plain_space(text: str) -> str:
    """`text` with every space of another kind, and what is invisible, as a plain space."""
    return "".join(" " if unicodedata.category(one) in ("Zs", "Cf", "Cc") else one for one in text)


def url_parts(text: str) -> SplitResult:
    """The parts of a URL; all empty where it is none, or where its port is no number from 0 to 65535."""
    try:
        found = urlsplit(text)
        _ = found.port  # read only when it is asked for
    except ValueError:
        return SplitResult("", "", "", "", "")
    return found
