"""A certificate by the real engine: valid to a client, renewed in time, its keys nowhere in plaintext."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support import Stack

PROGRAM = """
import pulumi
from tierstack.platform import DockerHost
from tierstack.tls import TLS, LocalCAArgs, TLSArgs

tls = TLS("tls", TLSArgs(
    platform=DockerHost(name="shop"), hostnames={hostnames}, local_ca=LocalCAArgs(lifetime_days={days}),
))
pulumi.export("certificate", tls.certificate_pem)
pulumi.export("ca", tls.ca_pem)
pulumi.export("key", tls.certificate.private_key_pem)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    stack = Stack(tmp_path_factory.mktemp("tls"), "t-tls")
    stack.write(PROGRAM.format(hostnames=["shop.example.org", "*.shop.example.org"], days=90))
    stack.up()
    return stack


@pytest.fixture
def stack(made: Stack, tmp_path: Path) -> Stack:
    return made.copy(tmp_path / "stack")


def verified(stack: Stack, *options: str) -> bool:
    outputs: dict[str, Any] = stack.outputs()
    for name in ("certificate", "ca"):
        (stack.folder / f"{name}.pem").write_text(outputs[name])
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "ca.pem", *options]
    return subprocess.run([*command, "certificate.pem"], cwd=stack.folder, capture_output=True).returncode == 0


def test_a_certificate_that_clients_accept_and_a_second_preview_leaves_alone(stack: Stack) -> None:
    assert verified(stack, "-verify_hostname", "shop.example.org")
    assert verified(stack, "-verify_hostname", "any.shop.example.org")
    assert not verified(stack, "-verify_hostname", "other.example.org")
    now = datetime.now(UTC)
    in_89_days, in_91_days = (["-attime", str(int((now + timedelta(days=d)).timestamp()))] for d in (89, 91))
    assert verified(stack, *in_89_days)
    assert not verified(stack, *in_91_days)
    stack.unchanged()


def test_no_key_is_in_clear_in_the_state(stack: Stack) -> None:
    key = stack.outputs()["key"]
    assert "PRIVATE KEY" in key
    for file in (stack.folder / "state").rglob("*"):
        if file.is_file():
            text = file.read_text(errors="replace")
            assert "PRIVATE KEY" not in text, file
            assert key.splitlines()[1] not in text, file


def test_another_hostname_changes_the_certificate_and_neither_its_key_nor_the_ca(stack: Stack) -> None:
    before = stack.outputs()
    stack.write(PROGRAM.format(hostnames=["shop.example.org", "www.example.org"], days=90))
    stack.up()
    after = stack.outputs()
    assert (after["key"], after["ca"]) == (before["key"], before["ca"])
    assert after["certificate"] != before["certificate"]
    assert verified(stack, "-verify_hostname", "www.example.org")


def test_a_certificate_near_its_end_is_renewed_by_an_update(stack: Stack) -> None:
    """A third of 90 days before its end; the end is moved in the state, because no clock can be."""
    before = stack.outputs()
    for days, renewed in ((32, False), (30, True)):
        exported = json.loads(stack.run("stack", "export", "--stack=t-tls").stdout)
        (leaf,) = [one for one in exported["deployment"]["resources"] if one["urn"].endswith("::tls-certificate")]
        leaf["outputs"]["validityEndTime"] = _in(days)
        (stack.folder / "moved.json").write_text(json.dumps(exported))
        stack.run("stack", "import", "--file=moved.json", "--stack=t-tls")
        stack.up()
        assert (stack.outputs()["certificate"] != before["certificate"]) is renewed, f"{days} days before its end"
    assert stack.outputs()["ca"] == before["ca"]
    assert verified(stack)


def _in(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
