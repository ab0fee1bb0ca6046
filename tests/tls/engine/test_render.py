"""Manifests of every issuer by the real engine: as their schemas want them, and without a secret."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support import Stack
from tests.tls.pairs import Pair

PROGRAM = """\
from tierstack import GatewayIdentity
from tierstack.dns_records.publish.args import Rfc2136Args
from tierstack.platform import Kubernetes
from tierstack.tls import TLS, ACMEArgs, ExternalAccountArgs, GivenCertificateArgs, TLSArgs

common = dict(platform=Kubernetes(name="shop", render_to="rendered", secret_store="vault"))
TLS("local", TLSArgs(**common, hostnames=["shop.example.org"]))
TLS("http", TLSArgs(
    **common, hostnames=["shop.example.org"], gateway=GatewayIdentity(name="edge"),
    acme=ACMEArgs(email="ops@shop.example"),
))
TLS("wild", TLSArgs(**common, hostnames=["*.example.org", "example.org", "shop.example.org"], acme=ACMEArgs(
    email="ops@shop.example", server="https://ca.internal/dir", ca=open("ca.pem").read(),
    dns=Rfc2136Args(server="2001:db8::53", key_name="acme", key_secret="c2VzYW1l"),
    eab=ExternalAccountArgs(key_id="kid", hmac_key="b3Blbg"),
)))
TLS("given", TLSArgs(
    **common, hostnames=["shop.example.org"],
    given=GivenCertificateArgs(certificate_path="chain.pem", private_key_path="key.pem"),
))
"""


def test_rendered(tmp_path: Path) -> None:
    pair = Pair.make(["shop.example.org"])
    for name, text in {"ca.pem": pair.issuers[0], "chain.pem": pair.chain, "key.pem": pair.key}.items():
        (tmp_path / name).write_text(text)
    stack = Stack(tmp_path, "render")
    stack.write(PROGRAM)
    stack.up()
    stack.preview("--expect-no-changes")
    text = "".join(file.read_text() for file in (tmp_path / "rendered").rglob("*.yaml"))
    assert "\nkind: Secret\n" not in text
    assert "nameserver: '[2001:db8::53]:53'" in text
    for secret in ("c2VzYW1l", "b3Blbg", pair.key.splitlines()[1]):
        assert secret not in text
        assert secret not in stack.state()
    schemas = os.environ.get("TIERSTACK_SCHEMAS") or pytest.fail("TIERSTACK_SCHEMAS is not set: run `make setup`")
    command = ["kubeconform", "-strict", "-summary", "-schema-location", schemas, str(tmp_path / "rendered")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "Skipped: 0" in done.stdout, done.stdout
