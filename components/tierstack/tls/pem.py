"""Certificates and keys as PEM (RFC 7468): read in the forms in which they arrive, written in the one that every server
reads (pure).

What is pasted loses its line breaks in variables, is indented by YAML, and gets a byte order mark from editors. Python
and OpenSSL read much of that; Go's encoding/pem, and so Traefik and cert-manager, finds no certificate in it. Whatever
passes here is therefore parsed and written anew.
"""

import base64
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

_BLOCK = re.compile(r"-----BEGIN\s*([A-Z0-9\s]+?)\s*-----(.*?)-----END\s*\1\s*-----", re.DOTALL)
_LINE_BREAKS = re.compile(r"\\+[nr]")
"""Line breaks that a shell, a JSON text or an .env file left as two characters."""
_INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b\u00a0"), " ")
_ENCRYPTED = re.compile(r"Proc-Type:\s*4,\s*ENCRYPTED")
_CERTIFICATES = ("CERTIFICATE", "X509CERTIFICATE")
_KEYS = ("PRIVATEKEY", "RSAPRIVATEKEY", "ECPRIVATEKEY")
_REMEDIES = {
    "TRUSTEDCERTIFICATE": "write it as `openssl x509 -in FILE` prints it",
    "PKCS7": "write the certificates as `openssl pkcs7 -print_certs -in FILE` prints them",
    "CERTIFICATEREQUEST": "write the certificate that the CA made of the request",
    "NEWCERTIFICATEREQUEST": "write the certificate that the CA made of the request",
}
_WHOLE = "write the text from `-----BEGIN CERTIFICATE-----` on"
_WHOLE_KEY = "write the text from `-----BEGIN PRIVATE KEY-----` on"


class PemError(ValueError):
    """A text that holds no certificate, or no key; `fix` says what to write. The text, maybe a key, is not repeated."""

    def __init__(self, wrong: str, fix: str) -> None:
        super().__init__(wrong)
        self.fix = fix


@dataclass(frozen=True)
class _Block:
    label: str
    """Without white space: `RSAPRIVATEKEY`."""
    body: str


def read(path: Path) -> str:
    """The text of a file in UTF-8 or, as PowerShell writes it, UTF-16. Raises OSError and UnicodeDecodeError."""
    octets = path.read_bytes()
    utf16 = octets.startswith((b"\xff\xfe", b"\xfe\xff"))
    return octets.decode("utf-16" if utf16 else "utf-8-sig")


def certificates(text: str) -> list[x509.Certificate]:
    """All certificates in a text, in its order; keys beside them are left to others. Raises PemError."""
    found: list[x509.Certificate] = []
    for number, block in enumerate(_blocks(text, "certificate", _WHOLE), 1):
        if block.label in _REMEDIES:
            raise PemError(f"holds another form of certificate (block {number})", _REMEDIES[block.label])
        if block.label in _CERTIFICATES:
            try:
                found.append(x509.load_der_x509_certificate(_octets(block.body)))
            except ValueError:
                raise PemError(f"holds a damaged certificate (block {number})", "copy the file again, whole") from None
    if not found:
        raise PemError("holds no certificate as PEM", _WHOLE)
    return found


def certificates_pem(text: str) -> str:
    """The certificates of a text as every server reads them. Raises PemError."""
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in certificates(text))


def private_key(text: str) -> PrivateKeyTypes:
    """The private key in a text; what stands beside it is left out. Raises PemError."""
    blocks = _blocks(text, "private key", _WHOLE_KEY)
    if any(block.label == "ENCRYPTEDPRIVATEKEY" or _ENCRYPTED.search(block.body) for block in blocks):
        raise PemError("is encrypted with a passphrase", "write it as `openssl pkey -in key.pem` prints it")
    keys = [block for block in blocks if block.label in _KEYS]
    if not keys:
        raise PemError("is not a private key as PEM", _WHOLE_KEY)
    if len(keys) > 1:
        raise PemError(f"holds {len(keys)} private keys", "give the certificate's own key alone")
    try:
        return load_der_private_key(_octets(keys[0].body), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise PemError("is a damaged private key", "copy the file again, whole") from None


def private_key_pem(text: str) -> str:
    """The key of a text as PKCS#8, as every server reads it. Raises PemError."""
    return private_key(text).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _blocks(text: str, what: str, whole: str) -> list[_Block]:
    plain = _LINE_BREAKS.sub("\n", text.translate(_INVISIBLE))
    found = [_Block("".join(one[1].split()), one[2]) for one in _BLOCK.finditer(plain)]
    if plain.count("-----BEGIN") != len(found):
        raise PemError("has a block that begins and does not end", "copy the text up to and with its `-----END` line")
    if found:
        return found
    missing = f"holds no {what} as PEM" if what == "certificate" else f"is not a {what} as PEM"
    if _is_base64_of_pem(plain):
        raise PemError(f"{missing}: it is the base64 of PEM", "decode it first (`base64 -d`)")
    if "BEGIN " in plain:
        raise PemError(f"{missing}: BEGIN stands not between five hyphens", whole)
    raise PemError(missing, whole)


def _octets(body: str) -> bytes:
    """The DER octets of a block. Raises ValueError."""
    return base64.b64decode("".join(body.split()), validate=True)


def _is_base64_of_pem(text: str) -> bool:
    try:
        return base64.b64decode("".join(text.split()), validate=True).startswith(b"-----BEGIN")
    except ValueError:
        return False
