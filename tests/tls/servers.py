"""A CA that speaks ACME (Pebble) and the name server that it and its clients ask (BIND), on this machine alone."""

import base64
import contextlib
import hashlib
import json
import os
import shutil
import ssl
import subprocess
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import dns.exception
import dns.message
import dns.query
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support import docker_client
from tests.waiting import free_port, until

DOMAIN = "shop.example"
KEY_NAME = "tierstack"
KEY_SECRET = base64.b64encode(hashlib.sha256(b"a TSIG key of tests").digest()).decode()
EAB_ID = "kid-of-tests"
EAB_KEY = base64.urlsafe_b64encode(hashlib.sha256(b"an external account of tests").digest()).decode().rstrip("=")

_NAMED = """
options {{
  directory "{folder}"; pid-file none; session-keyfile "{folder}/session.key";
  listen-on port {port} {{ 127.0.0.1; {address}; }}; listen-on-v6 {{ none; }};
  recursion no; dnssec-validation no; notify no; allow-transfer {{ none; }};
}};
controls {{ }};
key "{key_name}" {{ algorithm hmac-sha256; secret "{secret}"; }};
zone "{zone}" {{
  type primary; file "{zone}.zone";
  update-policy {{ grant {key_name} subdomain _acme-challenge.{zone} TXT; }};
}};
"""
_ZONE = """$ORIGIN {zone}.
$TTL 60
@ IN SOA ns1 hostmaster 1 3600 600 604800 60
@ IN NS ns1
@ IN A {web}
* IN A {web}
ns1 IN A 127.0.0.1
"""


def bridge() -> str:
    """The host's own address on Docker's bridge: containers reach it, other machines do not."""
    (pool,) = docker_client().networks.get("bridge").attrs["IPAM"]["Config"]
    return str(pool.get("Gateway") or ip_network(pool["Subnet"])[1])


@dataclass
class Authority:
    """A running Pebble, and the BIND that it looks names up in."""

    folder: Path
    address: str
    port: int
    management: int
    dns_port: int

    @property
    def directory(self) -> str:
        """The ACME directory, as containers reach it."""
        return f"https://{self.address}:{self.port}/dir"

    @property
    def server_ca(self) -> str:
        """The CA of Pebble's own certificate, as PEM."""
        return (self.folder / "pebble.pem").read_text()

    @property
    def resolver(self) -> str:
        """The name server, as containers reach it."""
        return f"{self.address}:{self.dns_port}"

    def roots(self) -> str:
        """What its certificates chain to, as PEM."""
        context = ssl.create_default_context(cadata=self.server_ca)
        url = f"https://{self.address}:{self.management}/roots/0"
        return urllib.request.urlopen(url, context=context, timeout=10).read().decode()

    def said(self, text: str) -> int:
        """How often Pebble's log has `text`."""
        return (self.folder / "pebble.log").read_text().count(text)

    def issued(self) -> int:
        return self.said("Issued certificate serial")

    def challenges(self) -> list[str]:
        """The records of DNS-01 that the name server shows now."""
        question = dns.message.make_query(f"_acme-challenge.{DOMAIN}.", "TXT")
        answer = dns.query.tcp(question, self.address, port=self.dns_port, timeout=5)
        return [item.to_text() for one in answer.answer for item in one]

    def orders(self) -> int:
        return self.said("Added order")

    def accounts(self) -> int:
        return self.said("accounts in memory")


@contextlib.contextmanager
def authority(
    folder: Path,
    *,
    http_port: int,
    lifetime_seconds: int = 90 * 86400,
    reject_percent: int = 0,
    eab: bool = False,
    address: str | None = None,
    web: str = "127.0.0.1",
) -> Iterator[Authority]:
    """Both servers. `http_port`: where HTTP-01 is answered; `reject_percent`: of good nonces that are refused;
    `address`: where they listen (None: on Docker's bridge); `web`: the address of all names."""
    folder.mkdir()
    made = Authority(folder, address or bridge(), free_port(), free_port(), free_port())
    with contextlib.ExitStack() as stack:
        stack.enter_context(_program(folder / "named.log", _named(made, web), ready=lambda: _answers(made)))
        environment = {
            "PEBBLE_VA_ALWAYS_VALID": "0",
            "PEBBLE_WFE_NONCEREJECT": str(reject_percent),
            "PEBBLE_AUTHZREUSE": "0",
            "PEBBLE_VA_NOSLEEP": "1",
        }
        command = _pebble(made, http_port, lifetime_seconds, eab)
        stack.enter_context(_program(folder / "pebble.log", command, environment, ready=lambda: bool(_roots(made))))
        yield made


@contextlib.contextmanager
def _program(
    log: Path, command: list[str], environment: Mapping[str, str] | None = None, *, ready: Callable[[], bool]
) -> Iterator[None]:
    """A program from the moment when it answers until the end of the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, **(environment or {})},
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            cwd=log.parent,
        )

    def answers() -> bool:
        assert process.poll() is None, log.read_text()[-3000:]
        return ready()

    try:
        until(f"{command[0]} to answer", answers)
        yield
    finally:
        process.terminate()
        process.wait(20)


def _named(made: Authority, web: str) -> list[str]:
    values = {"zone": DOMAIN, "folder": made.folder, "port": made.dns_port, "address": made.address}
    text = _NAMED.format(**values, key_name=KEY_NAME, secret=KEY_SECRET)
    (made.folder / "named.conf").write_text(text)
    (made.folder / f"{DOMAIN}.zone").write_text(_ZONE.format(zone=DOMAIN, web=web))
    program = shutil.which("named", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert program, "mark the test with needs(named)"
    return [program, "-g", "-n", "1", "-c", str(made.folder / "named.conf")]


def _answers(made: Authority) -> bool:
    question = dns.message.make_query(f"{DOMAIN}.", "SOA")
    with contextlib.suppress(dns.exception.DNSException, OSError):
        return bool(dns.query.tcp(question, made.address, port=made.dns_port, timeout=1).answer)
    return False


def _pebble(made: Authority, http_port: int, lifetime_seconds: int, eab: bool) -> list[str]:
    _server_pair(made)
    (made.folder / "pebble.json").write_text(
        json.dumps(
            {
                "pebble": {
                    "listenAddress": f"{made.address}:{made.port}",
                    "managementListenAddress": f"{made.address}:{made.management}",
                    "certificate": "pebble.pem",
                    "privateKey": "pebble.key",
                    "httpPort": http_port,
                    "tlsPort": 9,  # TLS-ALPN-01 is not used; the port of `discard`
                    "keyAlgorithm": "ecdsa",
                    "retryAfter": {"authz": 1, "order": 1},
                    "externalAccountBindingRequired": eab,
                    "externalAccountMACKeys": {EAB_ID: EAB_KEY} if eab else {},
                    "profiles": {"default": {"description": "the only one", "validityPeriod": lifetime_seconds}},
                }
            }
        )
    )
    program = shutil.which("pebble")
    assert program, "mark the test with needs(pebble)"
    return [program, "-config", "pebble.json", "-dnsserver", f"{made.address}:{made.dns_port}"]


def _server_pair(made: Authority) -> None:
    """Pebble's own certificate, which signs itself, for the address on the bridge."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pebble of tests")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(made.address))])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (made.folder / "pebble.pem").write_bytes(signed.public_bytes(Encoding.PEM))
    (made.folder / "pebble.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _roots(made: Authority) -> str:
    with contextlib.suppress(OSError):
        return made.roots()
    return ""
