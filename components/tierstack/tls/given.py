"""A certificate that somebody else signed (pure): judged before any server shows it."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pulumi
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from tierstack.core.diagnostics import Severity
from tierstack.core.errors import HIDDEN, MISSING, ArgumentError, Diagnostic, declare, rule
from tierstack.core.hostnames import covers
from tierstack.platform import Platform
from tierstack.tls import pem
from tierstack.tls.observe import percent_left
from tierstack.tls.options import GivenCertificateArgs

LEAST_RSA_BITS = 2048
"""Bits of an RSA key (CA/Browser Forum Baseline Requirements section 6.1.5)."""
CURVES = ("secp256r1", "secp384r1", "secp521r1")
"""Curves of a key (the same section): P-256, P-384 and P-521."""

declare("certificate-ending", "A given certificate should be replaced in time.", "", Severity.WARNING)
declare(
    "certificate-alone",
    "A given chain should have the certificates up to a root that clients trust.",
    "RFC 8446 §4.4.2",
    Severity.WARNING,
)
_SERVER_AUTH = ExtendedKeyUsageOID.SERVER_AUTH

_PATH = re.compile(r"[\w./~-]+\.(pem|crt|cer|cert)")

T = TypeVar("T", bound=x509.ExtensionType)


def chain_pem(given: GivenCertificateArgs) -> str:
    """The chain as every server reads it. Needs arguments without problems."""
    return pem.certificates_pem(_chain_text(given))


def key_pem(given: GivenCertificateArgs) -> pulumi.Input[str] | None:
    """The key as every server reads it; None where it is not given. Needs arguments without problems; of a key that
    another resource makes ArgumentError comes during the update."""
    text = _key_text(given)
    if text is None or isinstance(text, str):
        return text if text is None else pem.private_key_pem(text)
    leaf = pem.certificates(_chain_text(given))[0]
    return pulumi.Output.from_input(text).apply(lambda known: _late_key(known, leaf))


def _late_key(text: str, leaf: x509.Certificate) -> str:
    if problems := _of_key("given.private_key_pem", text, leaf):
        raise ArgumentError("TLS", problems)
    return pem.private_key_pem(text)


def _chain_text(given: GivenCertificateArgs) -> str:
    """The chain as it is given. Raises OSError or PemError where its file cannot be read."""
    return pem.read(Path(given.certificate_path)) if given.certificate_path else given.certificate_pem or ""


def _key_text(given: GivenCertificateArgs) -> pulumi.Input[str] | None:
    """The key as it is given; None where it is not. Raises OSError or UnicodeDecodeError as above."""
    return pem.read(Path(given.private_key_path)) if given.private_key_path else given.private_key_pem


def problems_of(
    given: GivenCertificateArgs, hostnames: Sequence[str], platform: Platform, now: datetime | None = None
) -> list[Diagnostic]:
    """Everything that is wrong with the given chain and key as a certificate for `hostnames`, at the time `now`."""
    found = _one_of(given, "certificate") + _one_of(given, "private_key", needed=not platform.renders)
    found += _rendered(given, platform)
    if found:
        return found
    paths = {
        part: f"given.{part}_{'path' if getattr(given, f'{part}_path') else 'pem'}"
        for part in ("certificate", "private_key")
    }
    try:
        text = _chain_text(given)
    except (OSError, pem.PemError) as error:
        return _unreadable(paths["certificate"], given.certificate_path, error)
    try:
        key = _key_text(given)
    except (OSError, pem.PemError) as error:
        return _unreadable(paths["private_key"], given.private_key_path, error)
    try:
        chain = pem.certificates(text)
    except pem.PemError as error:
        return _no_certificate(paths["certificate"], given.certificate_path, text, error)
    # Which of them is the site's own nobody can tell, so that names and key are judged when the order is right.
    if wrong_order := _begins_with_ca(paths["certificate"], chain):
        return wrong_order
    found += _of_chain(paths["certificate"], text, chain, now or datetime.now(UTC))
    found += _names(paths["certificate"], chain[0], hostnames)
    # Where another resource makes the key, it is known during the update only.
    return found + (_of_key(paths["private_key"], key, chain[0]) if isinstance(key, str) else [])


def advice(given: GivenCertificateArgs, renew_before_percent: int, now: datetime | None = None) -> list[Diagnostic]:
    """What is allowed, and rarely meant. Needs arguments without problems."""
    chain = pem.certificates(_chain_text(given))
    path = f"given.certificate_{'path' if given.certificate_path else 'pem'}"
    moment = now or datetime.now(UTC)
    leaf, found = chain[0], list[Diagnostic]()
    percent = percent_left(leaf.not_valid_before_utc, leaf.not_valid_after_utc, moment)
    if percent < renew_before_percent:
        days = (leaf.not_valid_after_utc - moment).days
        wrong = (
            f"ends on {leaf.not_valid_after_utc:%Y-%m-%d}, in {days} days: {percent} % of its lifetime are left, and "
            f"it is to be renewed at {renew_before_percent} %"
        )
        found.append(Diagnostic(path, MISSING, wrong, "give the next one", "certificate-ending", Severity.WARNING))
    if len(chain) == 1 and leaf.issuer != leaf.subject:
        wrong = "is the certificate alone, which clients trust only if a root has signed it itself"
        instead = "give the certificates between the two as well"
        found.append(Diagnostic(path, MISSING, wrong, instead, "certificate-alone", Severity.WARNING))
    return found


def lifetime_seconds(given: GivenCertificateArgs) -> int:
    """How long the given certificate is valid. Needs arguments without problems."""
    leaf = pem.certificates(_chain_text(given))[0]
    return int((leaf.not_valid_after_utc - leaf.not_valid_before_utc).total_seconds())


def certificate_names(given: GivenCertificateArgs) -> list[str]:
    """The host names that the given certificate is for. Needs arguments without problems."""
    return _covered(pem.certificates(_chain_text(given))[0])


@rule("plaintext-secret")
def _rendered(given: GivenCertificateArgs, platform: Platform) -> list[Diagnostic]:
    if not platform.renders or platform.secret_store:
        return []
    path = "given.private_key_path" if given.private_key_path is not None else "given.private_key_pem"
    wrong = "would be in plaintext in rendered files"
    instead = "write `platform.secret_store`, and put chain and key into that store"
    return [Diagnostic(path, HIDDEN, wrong, instead)]


@rule("certificate-source", "A given certificate, and its key, come from a text or a file, not from both.")
def _one_of(given: GivenCertificateArgs, part: str, *, needed: bool = True) -> list[Diagnostic]:
    text, path = f"{part}_pem", f"{part}_path"
    both = [name for name in (text, path) if getattr(given, name) is not None]
    if len(both) == 1 or (not both and not needed):
        return []
    if both:
        return [Diagnostic(f"given.{path}", getattr(given, path), f"is given beside `{text}`", "give one of the two")]
    return [Diagnostic(f"given.{text}", MISSING, "is required", f"give it, or `{path}`")]


@rule("certificate-file", "The file of a given certificate or key must be readable.")
def _unreadable(path: str, value: str | None, error: Exception) -> list[Diagnostic]:
    if isinstance(error, pem.PemError):
        return [Diagnostic(path, value, str(error), error.fix)]
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return [Diagnostic(path, value, f"cannot be read: {reason}", "name a file with PEM text")]


@rule("certificate-pem", "A given certificate must be PEM.", "RFC 7468 §5")
def _no_certificate(path: str, file: str | None, text: str, error: pem.PemError) -> list[Diagnostic]:
    if _PATH.fullmatch(text) and not file:
        return [Diagnostic(path, text, "is the name of a file", f"write `certificate_path: {text}`")]
    # The text is not shown: it may be a key, pasted at the wrong place.
    return [Diagnostic(path, file or HIDDEN, str(error), error.fix)]


@rule(
    "certificate-order",
    "A given chain must begin with the site's certificate, each followed by its issuer.",
    "RFC 8446 §4.4.2",
)
def _begins_with_ca(path: str, chain: list[x509.Certificate]) -> list[Diagnostic]:
    if not _is_ca(chain[0]) or len(chain) == 1:
        return []
    wrong = "begins with the certificate of a CA"
    return [Diagnostic(path, _shown(chain[0]), wrong, "write the site's own certificate first, then its issuers")]


def _holds_key(text: str) -> bool:
    return re.search(r"PRIVATE\s*KEY\s*-----", text) is not None


def _of_chain(path: str, text: str, chain: list[x509.Certificate], now: datetime) -> list[Diagnostic]:
    found = _key_beside(path, text)
    for one, issuer in zip(chain, [*chain[1:], None], strict=True):
        found += _dates(path, one, now) + _strength(path, one)
        if issuer is not None:
            found += _issuer(path, one, issuer)
    return found + _usage(path, chain[0])


@rule("certificate-with-key", "A private key must not stand beside the certificates, which are no secret.")
def _key_beside(path: str, text: str) -> list[Diagnostic]:
    if not _holds_key(text):
        return []
    wrong = "holds a private key beside the certificates"
    return [Diagnostic(path, HIDDEN, wrong, "write the key in `given.private_key_pem` alone")]


@rule("certificate-order")
def _issuer(path: str, one: x509.Certificate, issuer: x509.Certificate) -> list[Diagnostic]:
    if _signed(one, issuer):
        return []
    wrong = f"is followed by `{_common(issuer)}`, which has not signed it"
    return [Diagnostic(path, _shown(one), wrong, "write each certificate before the one of its issuer")]


@rule("certificate-usage", "A given certificate must be for servers.", "RFC 5280 §4.2.1.12")
def _usage(path: str, leaf: x509.Certificate) -> list[Diagnostic]:
    usage = _extension(leaf, x509.ExtendedKeyUsage)
    if usage is None or _SERVER_AUTH in usage:
        return []
    wrong = "is not for servers (RFC 5280 section 4.2.1.12)"
    return [Diagnostic(path, _shown(leaf), wrong, "give a certificate with the usage `serverAuth`")]


@rule("certificate-dates", "Every certificate of a given chain must be valid now.", "RFC 5280 §4.1.2.5")
def _dates(path: str, one: x509.Certificate, now: datetime) -> list[Diagnostic]:
    if one.not_valid_after_utc <= now:
        wrong = f"ended on {one.not_valid_after_utc:%Y-%m-%d}"
        return [Diagnostic(path, _shown(one), wrong, "give one that is valid")]
    if one.not_valid_before_utc > now:
        wrong = f"is valid from {one.not_valid_before_utc:%Y-%m-%d %H:%M} UTC only"
        return [Diagnostic(path, _shown(one), wrong, "give it from then on, or set the clock right")]
    return []


@rule("certificate-strength", "Keys and signatures of a given chain must be ones that browsers accept.")
def _strength(path: str, one: x509.Certificate) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    key = one.public_key()
    again = "ask for a certificate of an ECDSA P-256 key"
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < LEAST_RSA_BITS:
            wrong = f"has an RSA key of {key.key_size} bits, less than {LEAST_RSA_BITS}"
            found.append(Diagnostic(path, _shown(one), wrong, again))
    elif not isinstance(key, ec.EllipticCurvePublicKey):
        wrong = f"has a key that browsers refuse ({type(key).__name__.removesuffix('PublicKey')})"
        found.append(Diagnostic(path, _shown(one), wrong, again))
    elif key.curve.name not in CURVES:
        found.append(Diagnostic(path, _shown(one), f"has a key on {key.curve.name}, which browsers refuse", again))
    # Of a root nobody looks at the signature.
    if one.issuer != one.subject and isinstance(one.signature_hash_algorithm, hashes.SHA1 | hashes.MD5):
        wrong = f"is signed with {one.signature_hash_algorithm.name}, which can be forged"
        found.append(Diagnostic(path, _shown(one), wrong, "ask for one that is signed with SHA-256"))
    return found


@rule("certificate-names", "A given certificate must be for all hostnames.", "RFC 6125 §6.4")
def _names(path: str, leaf: x509.Certificate, hostnames: Sequence[str]) -> list[Diagnostic]:
    covered = _covered(leaf)
    missing = [name for name in hostnames if not any(covers(pattern, name) for pattern in covered)]
    if not missing:
        return []
    wrong = f"is not for {', '.join(missing)}, but for {', '.join(covered) or 'no host name'}"
    return [Diagnostic(path, _shown(leaf), wrong, "ask for a certificate with all `hostnames`, or correct them")]


def _covered(leaf: x509.Certificate) -> list[str]:
    extension = _extension(leaf, x509.SubjectAlternativeName)
    return [name.lower() for name in extension.get_values_for_type(x509.DNSName)] if extension else []


@rule("private-key", "A given key must be that of the certificate, unencrypted.", "RFC 7468 §10")
def _of_key(path: str, text: str, leaf: x509.Certificate) -> list[Diagnostic]:
    try:
        key = pem.private_key(text)
    except pem.PemError as error:
        return [Diagnostic(path, HIDDEN, str(error), error.fix)]
    ours, theirs = (
        one.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        for one in (key.public_key(), leaf.public_key())
    )
    if ours == theirs:
        return []
    wrong = f"is not the key of the certificate `{_common(leaf)}`"
    return [Diagnostic(path, HIDDEN, wrong, "give the key that the certificate was asked for with")]


def _signed(one: x509.Certificate, by: x509.Certificate) -> bool:
    try:
        one.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _is_ca(one: x509.Certificate) -> bool:
    constraints = _extension(one, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def _extension(one: x509.Certificate, kind: type[T]) -> T | None:
    try:
        return one.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _common(one: x509.Certificate) -> str:
    return one.subject.rfc4514_string()


def _shown(one: x509.Certificate) -> str:
    return _common(one) or f"serial {one.serial_number:x}"
