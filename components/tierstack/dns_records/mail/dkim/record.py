"""DKIM key records (RFC 6376 §3.6.1, RFC 8301, RFC 8463): parse, judge and build."""

import base64
import binascii
import re

from tierstack.core.diagnostics import Diagnostic
from tierstack.dns_records.mail import tags
from tierstack.dns_records.options import DkimAlgorithm
from tierstack.dns_records.records.model import Record, is_below
from tierstack.dns_records.rules import ADVICE, ERROR, WARNING, advice, declare, error, warning

declare(
    "dkim-ed25519-only",
    "An RSA key stands beside an Ed25519 key, which not every receiver verifies.",
    "RFC 8463 §6",
    WARNING,
)
declare("dkim-hash", "A DKIM key allows SHA-256.", "RFC 8301 §3.1", ERROR)
declare("dkim-key-broken", "A DKIM key can be read.", "RFC 8463 §4; RFC 6376 §3.6.1", ERROR)
declare("dkim-key-long", "A DKIM key has at most 4096 bits, which receivers must verify.", "RFC 8301 §3.2", WARNING)
declare("dkim-key-short", "A DKIM key of RSA has at least 2048 bits.", "RFC 8301 §3.2", ERROR, WARNING)
declare("dkim-key-type", "A DKIM key is RSA or Ed25519.", "RFC 8463 §4", ERROR)
declare("dkim-no-key", "A DKIM record holds a key.", "RFC 6376 §3.6.1", ERROR)
declare("dkim-no-version", "A DKIM record begins with `v=DKIM1`.", "RFC 6376 §3.6.1", ADVICE)
declare(
    "dkim-one-selector",
    "There are two DKIM selectors, so that a key can be changed without a gap.",
    "RFC 6376 §3.1, M3AAWG DKIM key rotation",
    ADVICE,
)
declare("dkim-revoked", "A DKIM key is not withdrawn, unless that is meant.", "RFC 6376 §3.6.1", ADVICE)
declare("dkim-service", "A DKIM key is for mail.", "RFC 6376 §3.6.1", ERROR)
declare("dkim-syntax", "A DKIM record is a list of tags.", "RFC 6376 §3.2", ERROR)
declare("dkim-testing", "A DKIM key is not marked as a test.", "RFC 6376 §3.6.1", WARNING)
declare("dkim-unknown-tag", "Tags of DKIM are known ones.", "RFC 6376 §3.6.1", WARNING)
declare("dkim-version", "The version of a DKIM record is DKIM1.", "RFC 6376 §3.6.1", ERROR)

MIN_RSA_BITS = 1024
"""Signers must use at least this many, and verifiers refuse fewer (RFC 8301 §3.2)."""
GOOD_RSA_BITS = 2048
"""Signers should use at least this many (RFC 8301 §3.2); a key that is made here has as many."""
MAX_RSA_BITS = 4096
"""Verifiers need not accept longer keys (RFC 8301 §3.2)."""
ED25519_OCTETS = 32
"""The length of an Ed25519 public key (RFC 8032 §5.1.5)."""

_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_SELECTOR_LABEL = re.compile(r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$", re.IGNORECASE)
_SERVICES = frozenset({"*", "email", "tlsrpt"})
"""What a key of a mail domain may be for; that of TLS reports must say so (RFC 6376 §3.6.1, RFC 8460 §3)."""
_KNOWN = frozenset({"v", "h", "k", "n", "p", "s", "t"})
_ED25519_PREFIX = bytes.fromhex("302a300506032b6570032100")  # SubjectPublicKeyInfo of RFC 8410 §4
_RSA_2048_PREFIX = bytes.fromhex(
    "30820122300d06092a864886f70d01010105000382010f003082010a0282010100"
)  # RFC 3279 §2.3.1
_RSA_EXPONENT = bytes.fromhex("0203010001")


class KeyFormatError(ValueError):
    """A text that is no public key; the message says what it is instead."""


def key_name(selector: str, domain: str) -> str:
    """Where the key of a selector is published (RFC 6376 §3.6.2.1)."""
    return f"{selector}._domainkey.{domain}".lower()


def is_key_name(name: str, domain: str) -> bool:
    """Whether `name` is one under which DKIM keys of the domain, or of a name in it, stand. A selector begins with no
    `_`: `_adsp` and `_report` hold something else (RFC 5617 §4.2.1, RFC 6651 §3.2)."""
    return "._domainkey." in name and not name.startswith("_") and (name == domain or is_below(name, domain))


def selector_problem(selector: str) -> str | None:
    """What is wrong with a selector (one or more labels, RFC 6376 §3.1), or None."""
    bad = [label for label in selector.split(".") if not _SELECTOR_LABEL.match(label)]
    return f"`{bad[0]}` is not a label of letters, digits and inner hyphens" if bad else None


def public_key(text: str) -> tuple[str, str]:
    """(`rsa` or `ed25519`, base64 for the tag p=) from a PEM public key or bare base64.

    Raises KeyFormatError, and never repeats the text: it may be a private key pasted by mistake.
    """
    body = text.strip()
    if match := _PEM.search(body):
        if "PRIVATE" in match[1]:
            raise KeyFormatError("is a private key; it stays with the signer, only the public key is published")
        body = match[2]
    try:
        octets = base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        raise KeyFormatError("is neither PEM nor base64") from None
    if octets.startswith(_ED25519_PREFIX):
        octets = octets[len(_ED25519_PREFIX) :]
    if len(octets) == ED25519_OCTETS:
        return "ed25519", base64.b64encode(octets).decode()
    rsa_bits(octets)
    return "rsa", base64.b64encode(octets).decode()


def key_record(key: str) -> str:
    """The text of a key record for a PEM or base64 public key: `v=DKIM1; k=rsa; p=…`. Raises
    KeyFormatError."""
    kind, encoded = public_key(key)
    return tags.render([("v", "DKIM1"), ("k", kind), ("p", encoded)])


def stand_in(kind: DkimAlgorithm) -> str:
    """A key in base64 with the form of one that is not made yet, so that everything else is judged; nobody has its
    private half."""
    if kind is DkimAlgorithm.ED25519:
        octets = b"\x01" * ED25519_OCTETS
    else:
        octets = _RSA_2048_PREFIX + b"\xff" + bytes(254) + b"\xff" + _RSA_EXPONENT
    return base64.b64encode(octets).decode()


def revoked_record() -> str:
    """The text that says that a key is withdrawn (RFC 6376 §3.6.1: an empty p=)."""
    return "v=DKIM1; p="


def rsa_bits(der: bytes) -> int:
    """The length in bits of the modulus in a DER SubjectPublicKeyInfo or RSAPublicKey (RFC 8017 A.1.1)."""
    try:
        content, _ = _der(der, 0, 0x30)
        if content[:1] == b"\x30":  # SubjectPublicKeyInfo: algorithm, then a bit string with the key in it
            _, after = _der(content, 0, 0x30)
            bits, _ = _der(content, after, 0x03)
            content, _ = _der(bits, 1, 0x30)
        modulus, _ = _der(content, 0, 0x02)
    except (IndexError, ValueError):
        raise KeyFormatError("is not an RSA or Ed25519 public key") from None
    return int.from_bytes(modulus, "big").bit_length()


def _der(data: bytes, at: int, tag: int) -> tuple[bytes, int]:
    """The content of the element of `tag` at `at`, and where the next begins."""
    if data[at] != tag:
        raise ValueError("unexpected element")
    length, start = data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length, start = int.from_bytes(data[start : start + size], "big"), start + size
    if start + length > len(data):
        raise ValueError("cut off")
    return data[start : start + length], start + length


def check(text: str, subject: str) -> list[Diagnostic]:
    """What is wrong with the text of one key record."""
    parsed = tags.parse(text)
    found = [error("dkim-syntax", subject, p.message, p.hint) for p in parsed.problems]
    version = parsed.get("v")
    if version is not None and (version != "DKIM1" or parsed.names[0] != "v"):
        found.append(
            error(
                "dkim-version",
                subject,
                "`v=` is not `DKIM1` in the first place",
                _apart(version) or "begin with `v=DKIM1`",
            )
        )
    if version is None:
        found.append(
            advice(
                "dkim-no-version",
                subject,
                "does not begin with `v=DKIM1`",
                "begin with `v=DKIM1`",
            )
        )
    found += [
        warning("dkim-unknown-tag", subject, f"the tag `{name}` means nothing", tags.remedy(name, _KNOWN))
        for name in parsed.names
        if name not in _KNOWN
    ]
    return found + _check_flags(parsed, subject) + _check_key(parsed, subject)


def _apart(value: str) -> str | None:
    """What to write where the next tag runs into a value: `DKIM1 k=rsa`, `rsap=…`. None: it does not."""
    ran_together = re.match(r"(?:DKIM1|rsa|ed25519)[\s,]*([a-z]\s*=)", value)
    return f"put a `;` before `{ran_together[1]}`" if ran_together else None


def _check_flags(parsed: tags.Tags, subject: str) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    if "y" in tags.split(parsed.get("t") or ""):
        found.append(
            warning(
                "dkim-testing",
                subject,
                "`t=y` says that signatures are only a test",
                "remove `t=y`",
            )
        )
    hashes = parsed.get("h")
    if hashes is not None and "sha256" not in tags.split(hashes):
        found.append(
            error(
                "dkim-hash",
                subject,
                f"`h={hashes}` excludes sha256, the only hash in use",
                "remove `h=`",
            )
        )
    services = parsed.get("s")
    if services is not None and not _SERVICES & set(tags.split(services)):
        found.append(error("dkim-service", subject, f"`s={services}` excludes mail", "remove `s=`"))
    return found


def _check_key(parsed: tags.Tags, subject: str) -> list[Diagnostic]:
    key, kind = parsed.get("p"), parsed.get("k") or "rsa"
    if kind not in ("rsa", "ed25519"):
        return [
            error(
                "dkim-key-type",
                subject,
                f"`k={kind}` is not a type of key",
                _apart(kind) or "write `k=rsa` or `k=ed25519`",
            )
        ]
    if key is None:
        fix = "add `p=` with the public key"
        if parsed.pairs == (("v", "DKIM1"),):
            fix += "; in a zone file put the text in quotes, or `;` begins a comment"
        return [error("dkim-no-key", subject, "has no `p=`", fix)]
    if not key and subject.startswith("*."):
        return []  # every selector of a domain without mail is withdrawn at once, and stays so
    if not key:
        return [
            advice(
                "dkim-revoked",
                subject,
                "is withdrawn (empty `p=`)",
                "remove it some weeks after the last signature",
            )
        ]
    try:
        octets = base64.b64decode("".join(key.split()), validate=True)
        if kind == "ed25519":
            return _check_ed25519(octets, subject)
        bits = rsa_bits(octets)
    except (binascii.Error, ValueError) as problem:
        why = str(problem) if isinstance(problem, KeyFormatError) else "is not base64"
        fix = "copy the key again, whole"
        if "-----" in key:
            why, fix = "has the lines of a PEM file around it", "leave out `-----BEGIN …-----` and `-----END …-----`"
        return [
            error(
                "dkim-key-broken",
                subject,
                f"the key in `p=` {why}",
                fix,
                source="RFC 6376 §3.6.1",
            )
        ]
    if bits < MIN_RSA_BITS:
        message, fix = f"the RSA key has {bits} bits; verifiers refuse it", "make a key of 2048 bits"
        return [error("dkim-key-short", subject, message, fix)]
    if bits < GOOD_RSA_BITS:
        message = f"the RSA key has {bits} bits; it is valid, and some receivers trust it less"
        fix = "make a key of 2048 bits, or ask the provider for one"
        return [warning("dkim-key-short", subject, message, fix)]
    if bits > MAX_RSA_BITS:
        return [
            warning(
                "dkim-key-long",
                subject,
                f"the RSA key has {bits} bits, which verifiers need not accept",
                "make a key of 2048 bits",
            )
        ]
    return []


def _check_ed25519(octets: bytes, subject: str) -> list[Diagnostic]:
    if len(octets) == ED25519_OCTETS:
        return []
    message = f"an Ed25519 key has {ED25519_OCTETS} octets, this one {len(octets)}"
    return [
        error(
            "dkim-key-broken",
            subject,
            message,
            "publish the bare key, without its DER wrapping",
            source="RFC 8463 §4",
        )
    ]


def check_keys(keys: list[Record], delegated: list[Record], domain: str) -> list[Diagnostic]:
    """What is wrong with the keys of a domain together: TXT records in `keys`, CNAMEs to a provider in
    `delegated`."""
    live = [one for one in keys if tags.parse(one.value).get("p")]
    found: list[Diagnostic] = []
    kinds = {tags.parse(one.value).get("k") or "rsa" for one in live}
    if kinds == {"ed25519"} and not delegated:
        found.append(
            warning(
                "dkim-ed25519-only",
                domain,
                "all DKIM keys are Ed25519, which many receivers cannot verify yet",
                "publish an RSA key under a second selector and sign with both",
            )
        )
    if len(live) == 1 and not delegated:
        found.append(
            advice(
                "dkim-one-selector",
                live[0].name,
                "is the only selector, so the key cannot be changed without a gap",
                "publish a second selector before the first is due for change",
            )
        )
    return found
