"""PEM in every form in which it arrives becomes the one form that every server reads, or is refused with a reason."""

import base64
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs7,
    pkcs12,
)

from tests.tls.mangled import FILES, FORMS
from tests.tls.pairs import NOW, Pair, encrypted
from tierstack.platform import DockerHost
from tierstack.tls import GivenCertificateArgs, given, pem

NAMES = ["shop.example.org"]
DOCKER = DockerHost(name="shop")
PAIR = Pair.make(NAMES)
RSA = Pair.make(NAMES, key=rsa.generate_private_key(65537, 2048))


@pytest.mark.parametrize("form", FORMS)
def test_a_chain_and_a_key_are_written_anew(form: str) -> None:
    mangle = FORMS[form]
    args = GivenCertificateArgs(certificate_pem=mangle(PAIR.chain), private_key_pem=mangle(PAIR.key))
    assert given.problems_of(args, NAMES, DOCKER, NOW) == []
    assert given.chain_pem(args) == PAIR.chain
    assert given.key_pem(args) == PAIR.key


@pytest.mark.parametrize("encoding", FILES)
def test_a_file_in_the_encodings_of_editors(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "chain.pem"
    path.write_bytes(FILES[encoding](PAIR.chain))
    assert pem.certificates_pem(pem.read(path)) == PAIR.chain


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("pair", [PAIR, RSA], ids=["EC", "RSA"])
def test_the_older_forms_of_keys(form: str, pair: Pair) -> None:
    older = pair.private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    assert pem.private_key_pem(FORMS[form](parameters + older)) == pair.key


def _cut(text: str) -> str:
    return text[: len(text) // 2]


def _body(text: str) -> str:
    return "".join(text.splitlines()[1:-1])


def _plus(text: str) -> list[str]:
    """At least one plus sign, which a form of the web would turn into a space."""
    lines = text.splitlines(keepends=True)
    return [lines[0], lines[1].replace(lines[1][20], " "), *lines[2:]]


LEAF = x509.load_pem_x509_certificate(PAIR.leaf.encode())
BAG = pkcs12.serialize_key_and_certificates(b"shop", PAIR.private, LEAF, None, NoEncryption())

NO_CERTIFICATES = {
    "nothing": ("", "holds no certificate as PEM"),
    "cut off": (_cut(PAIR.leaf), "has a block that begins and does not end"),
    "cut off after a whole one": (PAIR.leaf + _cut(PAIR.issuers[0]), "has a block that begins and does not end"),
    "four hyphens": (PAIR.leaf.replace("-----", "----"), "BEGIN stands not between five hyphens"),
    "long dashes": (PAIR.leaf.replace("-----", "—–"), "BEGIN stands not between five hyphens"),
    "base64 of it": (base64.b64encode(PAIR.leaf.encode()).decode(), "it is the base64 of PEM"),
    "letters lost": (PAIR.leaf.replace("\nMII", "\nM", 1), "holds a damaged certificate (block 1)"),
    "a key": (PAIR.key, "holds a private key and no certificate"),
    "base64 without BEGIN and END": (_body(PAIR.leaf), "it is base64 without the lines BEGIN and END"),
    "a bag of PKCS #12 in base64": (base64.b64encode(BAG).decode(), "it is base64 without the lines BEGIN and END"),
    "encoded for a URL": (quote(PAIR.leaf), "is encoded as a part of a URL"),
    "plus signs as spaces": ("".join(_plus(PAIR.leaf)), "holds a damaged certificate (block 1)"),
    "marks of a quotation": (re.sub("(?m)^", "> ", PAIR.leaf), "holds a damaged certificate (block 1)"),
    "in small letters": (PAIR.leaf.lower(), "holds no certificate as PEM"),
    "trusted": (PAIR.leaf.replace("CERTIFICATE", "TRUSTED CERTIFICATE"), "holds another form of certificate"),
    "a request": (PAIR.leaf.replace("CERTIFICATE", "CERTIFICATE REQUEST"), "holds another form of certificate"),
    "PKCS #7": (PAIR.leaf.replace("CERTIFICATE", "PKCS7"), "holds another form of certificate"),
}


@pytest.mark.parametrize("case", NO_CERTIFICATES)
def test_what_is_no_certificate_has_a_reason_and_a_remedy(case: str) -> None:
    text, wrong = NO_CERTIFICATES[case]
    with pytest.raises(pem.PemError) as caught:
        pem.certificates(text)
    assert wrong in str(caught.value)
    assert caught.value.fix


BINARY = {
    "DER": LEAF.public_bytes(Encoding.DER),
    "a key in DER": PAIR.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
    "PKCS #7": pkcs7.serialize_certificates([LEAF], Encoding.DER),
    "PKCS #12": BAG,
}


@pytest.mark.parametrize("form", BINARY)
def test_a_binary_file_is_named_as_one(form: str, tmp_path: Path) -> None:
    path = tmp_path / "chain"
    path.write_bytes(BINARY[form])
    for part, other in (("certificate", "private_key"), ("private_key", "certificate")):
        given_parts: dict[str, Any] = {
            f"{part}_path": str(path),
            f"{other}_pem": PAIR.key if part == "certificate" else PAIR.chain,
        }
        (problem,) = given.problems_of(GivenCertificateArgs(**given_parts), NAMES, DOCKER, NOW)
        assert problem.path == f"given.{part}_path"
        assert problem.message == "is binary (DER, PKCS #7 or PKCS #12), not PEM"
        assert "openssl" in problem.hint


def test_a_certificate_that_stands_twice_is_taken_once() -> None:
    assert pem.certificates_pem(PAIR.leaf + PAIR.chain + PAIR.issuers[0]) == PAIR.chain


NO_KEYS = {
    "a certificate": (PAIR.leaf, "holds a certificate and no private key"),
    "a public key": (
        PAIR.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        "is a public key",
    ),
    "OpenSSH": (
        PAIR.private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode(),
        "is a key in the form of OpenSSH",
    ),
    "encrypted": (encrypted(PAIR.private), "is encrypted with a passphrase"),
    "encrypted, line breaks lost": (" ".join(encrypted(PAIR.private).split("\n")), "is encrypted with a passphrase"),
    "encrypted in the older form": (
        "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n"
        "-----END EC PRIVATE KEY-----\n",
        "is encrypted with a passphrase",
    ),
    "two": (PAIR.key + Pair.make(NAMES).key, "holds 2 private keys"),
    "cut off": (_cut(PAIR.key), "has a block that begins and does not end"),
    "damaged": (PAIR.key.replace("M", "", 1), "is a damaged private key"),
}


@pytest.mark.parametrize("case", NO_KEYS)
def test_what_is_no_key_has_a_reason_and_is_not_shown(case: str) -> None:
    text, wrong = NO_KEYS[case]
    with pytest.raises(pem.PemError) as caught:
        pem.private_key(text)
    assert wrong in str(caught.value)
    assert text[60:80] not in f"{caught.value} {caught.value.fix}"


def test_a_key_beside_its_certificates_is_found() -> None:
    assert pem.private_key_pem(PAIR.chain + PAIR.key) == PAIR.key
    assert isinstance(pem.private_key(PAIR.key), ec.EllipticCurvePrivateKey)
