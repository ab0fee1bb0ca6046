"""A given certificate on a real daemon: shown as it is, and followed by the next one without a restart."""

import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import Stack, containers_of, image
from tests.tls.pairs import Pair
from tests.waiting import free_port, until

NAME = "t-given"
HOST = "shop.example.org"
PROGRAM = """\
import pulumi
from tierstack.gateway import Gateway, GatewayArgs
from tierstack.platform import DataProtection, DockerHost
from tierstack.tls import TLS, GivenCertificateArgs, TLSArgs

platform = DockerHost(name="{name}", data_protection=DataProtection.NONE)
tls = TLS("tls", TLSArgs(
    platform=platform, hostnames=["{host}"],
    given=GivenCertificateArgs(certificate_path="chain.pem", private_key_path="key.pem"),
))
Gateway("gateway", GatewayArgs(
    platform=platform, certificate=tls.certificate, image="{traefik}", tools_image="{shop}",
    http_port={http_port}, https_port={https_port}, bind_address="127.0.0.1",
))
"""


class Site:
    def __init__(self, stack: Stack) -> None:
        self.stack, self.port = stack, free_port()
        images = {"traefik": image("traefik:3.7"), "shop": image("shop:1")}
        ports = {"http_port": free_port(), "https_port": self.port}
        self.program = PROGRAM.format(name=NAME, host=HOST, **images, **ports)

    def up(self, pair: Pair, key: str | None = None, *, check: bool = True) -> str:
        (self.stack.folder / "chain.pem").write_text(pair.chain)
        (self.stack.folder / "key.pem").write_text(key or pair.key)
        self.stack.write(self.program)
        return self.stack.up(check=check)

    def shows(self, pair: Pair) -> bool:
        """Whether a client that trusts its root alone accepts what is shown, and it is this one."""
        trust = ssl.create_default_context(cadata=pair.root)
        try:
            with (
                socket.create_connection(("127.0.0.1", self.port), timeout=20) as plain,
                trust.wrap_socket(plain, server_hostname=HOST) as wrapped,
            ):
                shown = wrapped.getpeercert(binary_form=True)
        except (ssl.SSLError, ConnectionError):
            return False
        return shown == ssl.PEM_cert_to_DER_cert(pair.leaf)

    def container(self) -> str:
        (one,) = list(containers_of(NAME))
        return str(one.id)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(Stack(tmp_path, "given"))
    yield made
    made.stack.destroy()
    assert not list(containers_of(NAME))


def test_one_certificate_after_another(site: Site) -> None:
    first, second = Pair.make([HOST]), Pair.make([HOST])
    refused = site.up(first, second.key, check=False)
    assert "is not the key of the certificate" in refused
    assert not list(containers_of(NAME)), "nothing is made before"

    site.up(first)
    until("the given certificate", lambda: site.shows(first))
    site.stack.unchanged()
    line = first.key.splitlines()[1]
    inspected = json.dumps([one.attrs for one in containers_of(NAME)])
    assert line not in inspected + site.stack.state()

    before = site.container()
    site.up(second)
    until("the next one", lambda: site.shows(second))
    assert site.container() == before, "no restart"
