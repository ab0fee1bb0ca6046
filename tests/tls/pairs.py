"""Chains and keys as a customer may hand them over, right and wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
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
        names: Sequence[str | x509.GeneralName],
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
            alternatives = [x509.DNSName(name) if isinstance(name, str) else name for name in names]
            built = built.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        if usage:
            built = built.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        signed = built.sign(by.key, digest or hashes.SHA256())
        return Pair(signed.public_bytes(Encoding.PEM).decode(), [by.certificate], private, root.certificate)

    @staticmethod
    def signed_with_sha1(names: Sequence[str]) -> "Pair":
        """Signed as no library signs any more: the name of the algorithm is replaced, and the rest is signed anew."""
        by, private = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
        built = (
            x509.CertificateBuilder(
                x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "intermediate")]),
                x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "site")]),
                private.public_key(),
                x509.random_serial_number(),
            )
            .not_valid_before(NOW - timedelta(days=1))
            .not_valid_after(NOW + timedelta(days=300))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
            .sign(by, hashes.SHA256())
        )
        sha256, sha1 = (bytes.fromhex(f"2a864886f70d0101{last}") for last in ("0b", "05"))  # RFC 8017 appendix C
        signed = built.tbs_certificate_bytes.replace(sha256, sha1)
        whole = built.public_bytes(Encoding.DER).replace(built.tbs_certificate_bytes, signed).replace(sha256, sha1)
        whole = whole.replace(built.signature, by.sign(signed, padding.PKCS1v15(), hashes.SHA1()))
        certificate = x509.load_der_x509_certificate(whole)
        return Pair(certificate.public_bytes(Encoding.PEM).decode(), [], private, "")
