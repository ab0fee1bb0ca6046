"""Keys and long values that the cases name by a word, so that the cases stay readable."""

import base64
from pathlib import Path

CASES = Path(__file__).resolve().parent.parent / "cases" / "dns"


def _der(tag: int, content: bytes) -> bytes:
    length = len(content)
    size = (length.bit_length() + 7) // 8
    return (
        bytes([tag])
        + (bytes([length]) if length < 128 else bytes([0x80 | size]) + length.to_bytes(size, "big"))
        + content
    )


def rsa_key(bits: int, *, wrapped: bool = True) -> str:
    """A public key of the right shape and length in base64; its modulus is no product of primes, which nobody
    checks."""
    modulus = (1 << (bits - 1)) | 1
    octets = modulus.to_bytes((bits + 8) // 8, "big")
    key = _der(0x30, _der(0x02, octets) + _der(0x02, b"\x01\x00\x01"))
    if wrapped:
        algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
        key = _der(0x30, algorithm + _der(0x03, b"\x00" + key))
    return base64.b64encode(key).decode()


def _strings(text: str) -> str:
    return " ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))


WORDS = {
    **{f"RSA_{bits}": _strings(f"v=DKIM1; k=rsa; p={rsa_key(bits)}") for bits in (512, 1024, 2048, 8192)},
    "RSA_BARE": _strings(rsa_key(2048)),
    "LONG_SPF": _strings("v=spf1 " + " ".join(f"ip4:198.51.100.{n}" for n in range(1, 40)) + " -all"),
    "LONG_LABEL": "x" * 64,
    "LONG_STRING": "x" * 300,
}


def expand(text: str) -> str:
    """`text` with the words replaced."""
    for word, value in WORDS.items():
        text = text.replace(word, value)
    return text


PLAIN = {
    **{f"RSA_{bits}": rsa_key(bits) for bits in (1024, 2048)},
    "PRIVATE_KEY": "-----BEGIN PRIVATE KEY-----\nMIIEvQ==\n-----END PRIVATE KEY-----\n",
    "LONG_LABEL": "x" * 64,
    "LONG_NAME": ".".join(["x" * 60] * 4),
}


def substitute(value: object, words: dict[str, object]) -> object:
    """`value` with every text that is, or holds, a word replaced: the structures of the cases are read
    through this."""
    if isinstance(value, dict):
        return {key: substitute(item, words) for key, item in value.items()}
    if isinstance(value, list):
        return [substitute(item, words) for item in value]
    if not isinstance(value, str):
        return value
    if value in words:
        return substitute(words[value], words)
    for word, text in PLAIN.items():
        value = value.replace(word, text)
    return value
