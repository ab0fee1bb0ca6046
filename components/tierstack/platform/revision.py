"""Digits that stand for values among which are secrets (pure)."""

import hashlib
import json
from collections.abc import Mapping

PATTERN = "[0-9a-f]{6}"
"""What a revision looks like before it is known, as a regular expression."""


def revision(late: Mapping[str, str]) -> str:
    """6 hexadecimal digits for the values that are known only during an update, secrets among them: where they stand
    in a name or a label, a rotated secret gives another container.

    scrypt (RFC 7914), because the digits are no secret while some of the values are.
    """
    text = json.dumps(dict(late), sort_keys=True).encode()
    return hashlib.scrypt(text, salt=b"tierstack", n=2**14, r=8, p=1, dklen=3).hex()
