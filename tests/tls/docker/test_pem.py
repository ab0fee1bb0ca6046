"""The real Traefik reads what `given` writes, in every form in which a pair may arrive, and little of it as it arrives."""

import json
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tls.mangled import FORMS
from tests.tls.pairs import Pair
from tests.waiting import free_port, until
from tierstack.platform import DockerHost
from tierstack.platform.proxy import traefik
from tierstack.tls import GivenCertificateArgs, given

ROOT = Path(__file__).parents[3]
UNREADABLE = {
    *("line breaks as spaces", "line breaks lost", "line breaks as two characters", "line breaks escaped twice"),
    *("all white space lost", "indented", "indented by tabs", "CR", "no-break spaces before", "a byte order mark"),
    "in quotes",
}
"""Forms of which Go's encoding/pem reads not every certificate: the reason for writing them anew."""


def shown(port: int, host: str) -> bytes | None:
    """The certificate that a client is shown for a name, in DER; None where nothing listens."""
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
            trust.wrap_socket(plain, server_hostname=host) as wrapped,
        ):
            return wrapped.getpeercert(binary_form=True)
    except OSError:
        return None


def test_traefik_shows_each_pair_that_was_written_anew(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "toolchain/setup.py", "--print-path", "traefik"], cwd=ROOT, capture_output=True, text=True
    )
    if found.returncode or not Path(found.stdout.strip()).is_file():
        pytest.skip("Traefik is not built: python3 images/build.py")
    pairs = {form: Pair.make([f"n{n}.example.org"]) for n, form in enumerate(FORMS)}
    entries: list[dict[str, str]] = []
    for n, (form, pair) in enumerate(pairs.items()):
        mangle = FORMS[form]
        args = GivenCertificateArgs(certificate_pem=mangle(pair.chain), private_key_pem=mangle(pair.key))
        assert given.problems_of(args, [f"n{n}.example.org"], DockerHost(name="shop")) == []
        entries.append({"certFile": given.chain_pem(args), "keyFile": str(given.key_pem(args))})
    raw = [Pair.make([f"raw{n}.example.org"]) for n in range(len(FORMS))]
    entries += [
        {"certFile": mangle(pair.chain), "keyFile": mangle(pair.key)}
        for pair, mangle in zip(raw, FORMS.values(), strict=True)
    ]
    port = free_port()
    static = {
        "entryPoints": {"https": {"address": f"127.0.0.1:{port}", "http": {"tls": {}}}},
        "providers": {"file": {"filename": str(tmp_path / "tls.yaml")}},
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
    }
    (tmp_path / "tls.yaml").write_text(traefik.dump({"tls": {"certificates": entries}}))
    (tmp_path / "static.yaml").write_text(json.dumps(static))
    log = (tmp_path / "log").open("w")
    command = [found.stdout.strip(), f"--configFile={tmp_path / 'static.yaml'}"]
    with subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            first = ssl.PEM_cert_to_DER_cert(pairs["as it is"].leaf)
            until("Traefik shows the first pair", lambda: shown(port, "n0.example.org") == first, seconds=60)
            read = {form for n, form in enumerate(FORMS) if _shows(port, f"n{n}.example.org", pairs[form])}
            as_given = {form for n, form in enumerate(FORMS) if _shows(port, f"raw{n}.example.org", raw[n])}
        finally:
            server.terminate()
    assert read == set(FORMS), (tmp_path / "log").read_text()
    assert set(FORMS) - as_given == UNREADABLE


def _shows(port: int, host: str, pair: Pair) -> bool:
    return shown(port, host) == ssl.PEM_cert_to_DER_cert(pair.leaf)
