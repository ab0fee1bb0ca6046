"""The policy of MTA-STS as a sender gets it, from a server on this machine."""

import http.server
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.dns_records.mail.test_spf import Fixed
from tests.dns_records.zone.test_observe import GOOD
from tierstack.core.diagnostics import Severity
from tierstack.dns_records.mail.mta_sts.fetch import MAX_OCTETS, PATH, PolicyUnavailableError, fetch
from tierstack.dns_records.zone.observe import check_live

POLICY = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.org\r\nmx: *.example.net\r\nmax_age: 604800\r\n"
ANNOUNCED = {
    **GOOD,
    ("_mta-sts.example.org", "TXT"): ["v=STSv1; id=1"],
    ("_smtp._tls.example.org", "TXT"): ["v=TLSRPTv1; rua=mailto:tls@example.org"],
    ("mta-sts.example.org", "A"): ["198.51.100.10"],
}


@dataclass
class Answer:
    status: int = 200
    kind: str = "text/plain; charset=utf-8"
    body: bytes = POLICY.encode()
    asked: list[tuple[str | None, str]] = field(default_factory=list)


@dataclass
class Server:
    answer: Answer
    address: tuple[str, int]
    trust: ssl.SSLContext

    def policy(self, domain: str = "example.org") -> str:
        return fetch(domain, address=self.address, context=self.trust)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mta-sts.example.org")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("mta-sts.example.org")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "both.pem").write_bytes(private + pem)
    answer = Answer()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer.asked.append((self.headers["Host"], self.path))
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Location", "https://example.org/")
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    listening = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    yield Server(answer, ("127.0.0.1", listening.server_port), ssl.create_default_context(cadata=pem.decode()))
    listening.shutdown()
    thread.join()
    listening.server_close()


def test_the_policy_is_what_is_served(server: Server) -> None:
    assert server.policy() == POLICY
    assert server.answer.asked == [("mta-sts.example.org", PATH)]
    found = check_live("example.org", Fixed(ANNOUNCED), policy=lambda domain: server.policy(domain))
    assert not [one for one in found if one.severity is not Severity.ADVICE], found


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(status=301), "answers 301, and senders follow no redirect"),
        (Answer(status=404), "answers 404"),
        (Answer(kind="text/html"), "is served as `text/html`, not as text/plain"),
        (Answer(body=b"x" * (MAX_OCTETS + 1)), "is longer than 65536 octets"),
    ],
)
def test_what_a_sender_does_not_take(server: Server, answer: Answer, why: str) -> None:
    server.answer.status, server.answer.kind, server.answer.body = answer.status, answer.kind, answer.body
    with pytest.raises(PolicyUnavailableError, match=why):
        server.policy()


def test_a_certificate_of_another_host_or_ca_is_refused(server: Server) -> None:
    with pytest.raises(PolicyUnavailableError, match="the certificate is refused: Hostname mismatch"):
        server.policy("example.net")
    server.trust = ssl.create_default_context()
    with pytest.raises(PolicyUnavailableError, match="the certificate is refused: self-signed certificate"):
        server.policy()


def test_nobody_there() -> None:
    with pytest.raises(PolicyUnavailableError, match=r"mta-sts\.example\.org does not answer"):
        fetch("example.org", address=("127.0.0.1", 1), timeout=2)


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (None, "sts-unserved", "senders get no policy: it rains"),
        (POLICY.replace("STSv1", "STSv2"), "sts-policy", "does not begin with `version: STSv1`"),
        (POLICY.replace("mx: mail.example.org\r\n", ""), "sts-mx-missing", "no `mx` line covers mail.example.org"),
        (POLICY.replace("604800", "-1"), "sts-policy", "has no `max_age`"),
        (POLICY.replace("604800", "0"), "sts-short", "protects for less than a day"),
        (POLICY + "mode: none\r\n", None, ""),
        ("".join(reversed(POLICY.splitlines(keepends=True))), None, ""),
        (POLICY.replace("604800", "60"), "sts-short", "protects for less than a day"),
    ],
)
def test_what_is_wrong_with_a_served_policy(text: str | None, code: str | None, message: str) -> None:
    def policy(_domain: str) -> str:
        if text is None:
            raise PolicyUnavailableError("it rains")
        return text

    found = check_live("example.org", Fixed(ANNOUNCED), policy=policy)
    bad = [one for one in found if one.severity is not Severity.ADVICE]
    if code is None:
        assert not bad
        return
    (one,) = bad
    assert (one.code, one.path) == (code, f"https://mta-sts.example.org{PATH}")
    assert message in one.message
    assert one.source.startswith("RFC 8461")


def test_a_domain_that_announces_none_is_not_asked() -> None:
    def policy(_domain: str) -> str:
        raise AssertionError("asked")

    check_live("example.org", Fixed(GOOD), policy=policy)
