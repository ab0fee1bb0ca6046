"""Chains and keys as a customer may hand them over, right and wrong."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
"""The time at which the certificates of tests are looked at."""


def pem(key: Any, encryption: KeySerializationEncryption | None = None) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()).decode()


def encrypted(key: Any) -> str:
    return pem(key, BestAvailableEncryption(b"a passphrase"))


@dataclass
class Authority:
    """A CA that signs."""

    name: x509.Name
    key: ec.EllipticCurvePrivateKey
    certificate: str

    @staticmethod
    def make(name: str, by: "Authority | None" = None, end: timedelta = timedelta(days=3650)) -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        built = (
            x509.CertificateBuilder(by.name if by else subject, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=1825))
            .not_valid_after(NOW + end)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(by.key if by else key, hashes.SHA256())
        )
        return Authority(subject, key, built.public_bytes(Encoding.PEM).decode())


@dataclass
class Pair:
    """A certificate with its key and issuers."""

    leaf: str
    issuers: list[str]
    private: Any
    root: str

    @property
    def chain(self) -> str:
        return "".join([self.leaf, *self.issuers])

    @property
    def key(self) -> str:
        return pem(self.private)

    @staticmethod
    def make(
        names: list[str],
        *,
        key: Any = None,
        start: timedelta = timedelta(days=-1825),
        end: timedelta = timedelta(days=3650),
        digest: hashes.HashAlgorithm | None = None,
        usage: x509.ObjectIdentifier | None = None,
        issuer_end: timedelta = timedelta(days=3650),
    ) -> "Pair":
        """Signed by an intermediate CA; times are from `NOW`. The defaults are good from five years before to ten after."""
        root = Authority.make("root")
        by = Authority.make("intermediate", root, issuer_end)
        private = key or ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "site")])
        built = (
            x509.CertificateBuilder(by.name, subject, private.public_key(), x509.random_serial_number())
            .not_valid_before(NOW + start)
            .not_valid_after(NOW + end)
        )
        if names:
            alternatives = [x509.DNSName(name) for name in names]
            built = built.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        if usage:
            built = built.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        signed = built.sign(by.key, digest or hashes.SHA256())
        return Pair(signed.public_bytes(Encoding.PEM).decode(), [by.certificate], private, root.certificate)
