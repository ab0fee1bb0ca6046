"""Certificates from customers: what is wrong with each is said before any server shows it."""

from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.tls.pairs import NOW, Authority, Pair, encrypted
from tierstack.core.diagnostics import NO_RULE
from tierstack.platform import DockerHost, Kubernetes
from tierstack.tls import GivenCertificateArgs, given

NAMES = ["shop.example.org", "www.example.org"]


def args(pair: Pair, **changes: Any) -> GivenCertificateArgs:
    return GivenCertificateArgs(**{"certificate_pem": pair.chain, "private_key_pem": pair.key, **changes})


def said(pair: Pair, **changes: Any) -> list[str]:
    found = given.problems_of(args(pair, **changes), NAMES, DockerHost(name="shop"), NOW)
    assert NO_RULE not in [one.code for one in found]
    return [str(one) for one in found]


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["P-256", "P-384", "RSA 2048"],
)
def test_a_right_pair(key: Any) -> None:
    assert said(Pair.make(NAMES, key=key)) == []
    assert said(Pair.make(["*.example.org"], key=key)) == []
    assert given.advice(args(Pair.make(NAMES, key=key)), 34, NOW) == []


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("names that it lacks", {"names": ["shop.example.org"]}, "is not for www.example.org, but for shop.example.org"),
    ("a wildcard of another level", {"names": ["*.shop.example.org"]}, "is not for shop.example.org, www.example.org"),
    ("no names but a common name", {"names": []}, "but for no host name"),
    ("the day after its end", {"end": timedelta(days=-1)}, "CN=site': ended on 2026-11-20; give one that is valid"),
    ("the day before its begin", {"start": timedelta(days=1)}, "CN=site': is valid from 2026-11-22 12:00 UTC only"),
    ("an issuer that has ended", {"issuer_end": timedelta(days=-1)}, "CN=intermediate': ended on 2026-11-20"),
    ("a short RSA key", {"key": rsa.generate_private_key(65537, 1024)}, "an RSA key of 1024 bits, less than 2048"),
    ("Ed25519", {"key": ed25519.Ed25519PrivateKey.generate()}, "has a key that browsers refuse (Ed25519)"),
    ("a rare curve", {"key": ec.generate_private_key(ec.SECP256K1())}, "has a key on secp256k1, which browsers refuse"),
    ("a client's certificate", {"usage": x509.ExtendedKeyUsageOID.CLIENT_AUTH}, "is not for servers (RFC 5280"),
]


@pytest.mark.parametrize(("shape", "message"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_certificate(shape: dict[str, Any], message: str) -> None:
    (problem,) = said(Pair.make(**{"names": NAMES, **shape}))
    assert problem.startswith("given.certificate_pem = '")
    assert message in problem


def test_a_certificate_that_is_signed_with_sha1() -> None:
    pair = Pair.signed_with_sha1(NAMES)
    (problem,) = said(pair, certificate_pem=pair.leaf)
    assert "CN=site': is signed with sha1, which can be forged" in problem


@pytest.mark.parametrize(
    ("name", "covered"),
    [
        (x509.IPAddress(ip_address("198.51.100.10")), "no host name"),
        (x509.RFC822Name("shop@example.org"), "no host name"),
        (x509.DNSName("*.org"), "*.org"),
        (x509.DNSName("*.*.example.org"), "*.*.example.org"),
        (x509.DNSName("s*.example.org"), "s*.example.org"),
        (x509.DNSName("example.org"), "example.org"),
    ],
)
def test_names_that_cover_no_host_of_the_stack(name: x509.GeneralName, covered: str) -> None:
    (problem,) = said(Pair.make([name]))
    assert f"is not for shop.example.org, www.example.org, but for {covered}" in problem


def test_a_wildcard_does_not_cover_the_domain_above_it() -> None:
    pair = Pair.make(["*.shop.example.org"])
    (problem,) = said(pair)
    assert "is not for shop.example.org, www.example.org, but for *.shop.example.org" in problem


def test_names_in_capitals_are_the_same_names() -> None:
    assert said(Pair.make(["SHOP.Example.ORG", "www.example.org"])) == []


def test_the_key_of_another_certificate() -> None:
    assert said(Pair.make(NAMES), private_key_pem=Pair.make(NAMES).key) == [
        "given.private_key_pem = (hidden): is not the key of the certificate `CN=site`; "
        "give the key that the certificate was asked for with"
    ]


def test_keys_that_no_server_can_read() -> None:
    pair = Pair.make(NAMES)
    (locked,) = said(pair, private_key_pem=encrypted(pair.private))
    assert "is encrypted with a passphrase" in locked
    (other,) = said(pair, private_key_pem=pair.leaf)
    assert "holds a certificate and no private key" in other
    assert "BEGIN CERTIFICATE" not in other, "nothing of a secret is shown"


def test_a_chain_in_another_order() -> None:
    pair = Pair.make(NAMES)
    root = Authority.make("another root")
    for chain in (pair.issuers[0] + pair.leaf, pair.root + pair.chain):
        (first,) = said(pair, certificate_pem=chain)
        assert "begins with the certificate of a CA" in first
    assert said(pair, certificate_pem=pair.chain + pair.root) == [], "the root at the end is superfluous and harmless"
    (between,) = said(pair, certificate_pem=pair.leaf + root.certificate + pair.issuers[0])[:1]
    assert "is followed by `CN=another root`, which has not signed it" in between


def test_a_key_among_the_certificates_is_not_shown() -> None:
    pair = Pair.make(NAMES)
    (problem,) = said(pair, certificate_pem=pair.chain + pair.key)
    assert problem.startswith("given.certificate_pem = (hidden): holds a private key beside the certificates")


def test_every_problem_at_once() -> None:
    pair = Pair.make(["a.example.org"], end=timedelta(days=-1), key=rsa.generate_private_key(65537, 1024))
    found = said(pair, private_key_pem=Pair.make(NAMES).key)
    assert len(found) == 4, found


def test_a_rendered_stack_needs_no_key_here() -> None:
    pair = Pair.make(NAMES)
    rendered = Kubernetes(name="shop", render_to="out", secret_store="vault")
    chain = GivenCertificateArgs(certificate_pem=pair.chain)
    assert given.problems_of(chain, NAMES, rendered, NOW) == []
    (problem,) = given.problems_of(chain, NAMES, Kubernetes(name="shop", render_to="out"), NOW)
    assert "would be in plaintext in rendered files" in str(problem)


@pytest.mark.parametrize(("left", "warned"), [(32, False), (30, True)])
def test_the_end_is_announced_at_a_share_of_the_lifetime(left: int, warned: bool) -> None:
    """A third of 90 days, 30.6."""
    pair = Pair.make(NAMES, start=timedelta(days=left - 90), end=timedelta(days=left))
    found = given.advice(args(pair), 34, NOW)
    assert bool(found) is warned
    assert all(f"in {left} days" in one.message and one.code == "certificate-ending" for one in found)


def test_a_certificate_alone_is_most_likely_half_a_chain() -> None:
    pair = Pair.make(NAMES)
    (one,) = given.advice(args(pair, certificate_pem=pair.leaf), 34, NOW)
    assert (one.code, one.path) == ("certificate-alone", "given.certificate_pem")
