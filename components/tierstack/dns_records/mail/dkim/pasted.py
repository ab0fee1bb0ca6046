"""DKIM keys and other values in the forms in which vendors' pages and control panels show them (pure)."""

import re

from tierstack.dns_records.mail import tags
from tierstack.dns_records.mail.dkim import record as dkim

_QUOTES = str.maketrans(dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"') | {"\ufeff": None, "\u200b": None})
"""What word processors and web pages make of plain quotes, and characters that nobody sees."""
_TAG = re.compile(r'(?:^|[\s;("])(?:v\s*=\s*[A-Z]+1|[kp]\s*=)', re.IGNORECASE)
"""Where the tags of a record begin, of DKIM or of another kind. Base64 has `=` at its end only, so that no bare key
looks like it."""
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+){2,}\.?", re.IGNORECASE)


def text(value: str) -> str:
    """A value without the quotes, the line breaks and the white space around it that came along."""
    return value.translate(_QUOTES).strip().strip('"').strip()


def selector(value: str) -> str:
    """The selector in `20260101pm`, `20260101pm._domainkey` or `20260101pm._domainkey.example.org`."""
    return re.split(r"\._domainkey\b", text(value), maxsplit=1, flags=re.IGNORECASE)[0]


def key_record(value: str) -> str:
    """The text of a DKIM key record, from a key or a record in any form that a vendor shows.

    Taken are PEM and base64, the tags of a record (`k=rsa; p=…`), quoted in one string or in several, with `\\;` for
    `;`, and a whole line of a zone file. Raises dkim.KeyFormatError, which never repeats the text: it may be a private
    key pasted by mistake.
    """
    plain = value.translate(_QUOTES).strip()
    if "PRIVATE KEY" in plain:
        raise dkim.KeyFormatError("is a private key; it stays with the signer, only the public key is published")
    found = None if "-----BEGIN" in plain else _TAG.search(plain)
    if found is None:
        _check_no_host(plain)
        return dkim.key_record(plain.replace('"', ""))
    start = found.start() + (0 if found[0][0].isalpha() else 1)
    given = tags.parse(re.sub(r'["()\\]', "", plain[start:]))
    return _record(given)


def _record(given: tags.Tags) -> str:
    pairs = {name.lower(): " ".join(value.split()) for name, value in given.pairs}
    if pairs.get("v", "DKIM1").upper() != "DKIM1":
        raise dkim.KeyFormatError(f"is a record of another kind, `v={pairs['v'].split()[0][:10]}`")
    if "p" not in pairs:
        raise dkim.KeyFormatError("has no `p=`, and the key stands there")
    if not pairs["p"]:
        raise dkim.KeyFormatError("is empty after `p=`, which withdraws a key")
    kind, encoded = dkim.public_key(pairs["p"].replace(" ", ""))
    named = pairs.get("k", "rsa").lower()
    if "k" in pairs and named != kind:
        raise dkim.KeyFormatError(f"is of the type {kind}, and `k={named}` stands before it")
    kept = [(name, pairs[name]) for name in pairs if name not in ("v", "k", "p")]
    return tags.render([("v", "DKIM1"), ("k", kind), *kept, ("p", encoded)])


def _check_no_host(plain: str) -> None:
    """A key has no dots; what has them is the target of a CNAME, pasted at the wrong place."""
    if _HOST.fullmatch(plain.strip('"')):
        raise dkim.KeyFormatError("is the name of a host, the target of a CNAME")
