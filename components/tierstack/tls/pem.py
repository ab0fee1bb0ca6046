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
_DER_SEQUENCE = b"\x30\x82"
"""How a certificate, a key or a bag of them begins in DER (X.690 section 8.1): a sequence of 256 octets or more."""
_OF_BINARY = (
    "write it as PEM: `openssl x509 -inform der -in FILE` for a certificate, `openssl pkey -inform der -in FILE` for a "
    "key, `openssl pkcs12 -in FILE -noenc` for a .pfx"
)
_OTHER_KEYS = {
    "PUBLICKEY": ("is a public key", "give the private key beside it"),
    "OPENSSHPRIVATEKEY": ("is a key in the form of OpenSSH", "write it as `ssh-keygen -p -m PKCS8 -f FILE` leaves it"),
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
    """The text of a file in UTF-8 or, as PowerShell writes it, UTF-16. Raises OSError, and PemError for a file that is
    no text."""
    octets = path.read_bytes()
    if octets.startswith((b"\xff\xfe", b"\xfe\xff")):
        return octets.decode("utf-16", "replace")
    for coding in ("utf-16-le", "utf-16-be"):
        if octets.find("-----BEGIN".encode(coding)) % 2 == 0:  # -1 where it is absent, and odd in the other order
            return octets.decode(coding, "replace")
    if octets.startswith(_DER_SEQUENCE) or b"\0" in octets:
        raise PemError("is binary (DER, PKCS #7 or PKCS #12), not PEM", _OF_BINARY)
    # PEM is ASCII; what stands beside it may be in any encoding.
    return octets.decode("utf-8-sig", "replace")


def certificates(text: str) -> list[x509.Certificate]:
    """All certificates in a text, in its order, each once; keys beside them are left to others. Raises PemError."""
    found: dict[bytes, x509.Certificate] = {}
    blocks = _blocks(text, "certificate", _WHOLE)
    for number, block in enumerate(blocks, 1):
        if block.label in _REMEDIES:
            raise PemError(f"holds another form of certificate (block {number})", _REMEDIES[block.label])
        if block.label in _CERTIFICATES:
            try:
                found.setdefault(octets := _octets(block.body), x509.load_der_x509_certificate(octets))
            except ValueError:
                raise PemError(f"holds a damaged certificate (block {number})", "copy the file again, whole") from None
    if not found and any(block.label.endswith("PRIVATEKEY") for block in blocks):
        raise PemError("holds a private key and no certificate", "give the chain here, and the key in its own place")
    if not found:
        raise PemError("holds no certificate as PEM", _WHOLE)
    return list(found.values())


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
        if any(block.label in _CERTIFICATES for block in blocks):
            raise PemError(
                "holds a certificate and no private key", "give the key here, and the chain in its own place"
            )
        other = next((_OTHER_KEYS[block.label] for block in blocks if block.label in _OTHER_KEYS), None)
        raise PemError(*other) if other else PemError("is not a private key as PEM", _WHOLE_KEY)
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
    if "BEGIN%20" in plain or "BEGIN+" in plain:
        raise PemError("is encoded as a part of a URL", "decode it first, or copy the text from the file")
    found = [_Block("".join(one[1].split()), one[2]) for one in _BLOCK.finditer(plain)]
    if plain.count("-----BEGIN") != len(found):
        raise PemError("has a block that begins and does not end", "copy the text up to and with its `-----END` line")
    if found:
        return found
    missing = f"holds no {what} as PEM" if what == "certificate" else f"is not a {what} as PEM"
    octets = _decoded(plain)
    if octets.startswith(b"-----BEGIN"):
        raise PemError(f"{missing}: it is the base64 of PEM", "decode it first (`base64 -d`)")
    if octets.startswith(_DER_SEQUENCE):
        fix = f"{whole}, up to its `-----END` line; a .pfx in base64 goes through `base64 -d` and `openssl pkcs12`"
        raise PemError(f"{missing}: it is base64 without the lines BEGIN and END", fix)
    if "BEGIN " in plain:
        raise PemError(f"{missing}: BEGIN stands not between five hyphens", whole)
    raise PemError(missing, whole)


def _octets(body: str) -> bytes:
    """The DER octets of a block. Raises ValueError."""
    return base64.b64decode("".join(body.split()), validate=True)


def _decoded(text: str) -> bytes:
    """The octets of base64; none where it is something else."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        return b""
