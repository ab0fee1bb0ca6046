"""A policy on a real daemon: what a sender sees, while another policy comes."""

import http.client
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import Stack, containers_of, image
from tests.waiting import free_port
from tierstack.dns_records.mail.mta_sts.fetch import fetch
from tierstack.dns_records.mail.mta_sts.record import policy_id

NAME = "t-mta"
HOST = "mta-sts.example.org"
PROGRAM = """\
import pulumi
from tierstack.dns_records import DNSRecords, DNSRecordsArgs, FastmailArgs, MailArgs, MtaStsArgs, MtaStsMode, WebHostArgs
from tierstack.gateway import Gateway, GatewayArgs
from tierstack.mta_sts_host import MtaStsHost, MtaStsHostArgs
from tierstack.platform import DataProtection, DockerHost
from tierstack.tls import TLS, TLSArgs

platform = DockerHost(name="{name}", data_protection=DataProtection.NONE)
tls = TLS("tls", TLSArgs(platform=platform, hostnames=["{host}"]))
gateway = Gateway("gateway", GatewayArgs(
    platform=platform, certificate=tls.certificate, image="{traefik}", tools_image="{shop}",
    http_port={http_port}, https_port={https_port}, bind_address="127.0.0.1",
))
dns = DNSRecordsArgs(
    domain="example.org", web=[WebHostArgs(ipv4=["198.51.100.1"])],
    mail=MailArgs(fastmail=FastmailArgs(), mta_sts=MtaStsArgs(mode=MtaStsMode("{mode}"))),
)
served = MtaStsHost("mta-sts", MtaStsHostArgs(
    platform=platform, gateway=gateway.endpoint, domain="example.org", policy=dns.mta_sts_policy, image="{shop}",
))
dns.mta_sts_url = served.url
pulumi.export("zone", DNSRecords("dns", dns).zone_file)
pulumi.export("ca", tls.ca_pem)
pulumi.export("url", served.url)
"""


class Host:
    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.ports = {"http_port": free_port(), "https_port": free_port()}

    def up(self, mode: str) -> None:
        images = {"traefik": image("traefik:3.7"), "shop": image("shop:1")}
        self.stack.write(PROGRAM.format(name=NAME, host=HOST, mode=mode, **images, **self.ports))
        self.stack.up()
        self.outputs = self.stack.outputs()
        self.trust = ssl.create_default_context(cadata=self.outputs["ca"])

    def ask(self, path: str, method: str = "GET") -> int:
        """The status of an answer, at the name of the host with its certificate checked."""
        connection = http.client.HTTPSConnection(HOST, self.ports["https_port"], context=self.trust, timeout=20)
        plain = socket.create_connection(("127.0.0.1", self.ports["https_port"]), timeout=20)
        connection.sock = self.trust.wrap_socket(plain, server_hostname=HOST)
        connection.request(method, path)
        return connection.getresponse().status

    def policy(self) -> str:
        return fetch("example.org", address=("127.0.0.1", self.ports["https_port"]), context=self.trust)

    def container(self) -> str:
        (one,) = [one for one in containers_of(NAME) if one.name == f"{NAME}-mta-sts"]
        return str(one.id)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    image("traefik:3.7")  # skips here, before anything is made
    made = Host(Stack(tmp_path, NAME))
    made.up("testing")
    yield made
    made.stack.destroy()
    assert not list(containers_of(NAME))


def test_a_sender_finds_the_policy_that_the_record_announces(host: Host) -> None:
    policy = host.policy()
    assert policy.startswith("version: STSv1\r\nmode: testing\r\nmx: in1-smtp.messagingengine.com\r\n")
    assert f'_mta-sts IN TXT "v=STSv1; id={policy_id(policy)}"' in host.outputs["zone"]
    assert host.ask("/") == 404
    assert host.ask("/.well-known/mta-sts.txt?x=1") == 200
    assert host.ask("/.well-known/mta-sts.txt", "POST") == 403
    assert host.outputs["url"] == f"https://{HOST}:{host.ports['https_port']}/.well-known/mta-sts.txt"
    host.stack.unchanged()

    # Another policy, under a reader who never sees anything but the one or the other.
    before, stop, seen = host.container(), threading.Event(), Counter[str]()

    def read() -> None:
        while not stop.is_set():
            try:
                seen[host.policy()] += 1
            except Exception as problem:
                seen[repr(problem)] += 1

    reader = threading.Thread(target=read)
    reader.start()
    try:
        host.up("enforce")
    finally:
        stop.set()
        reader.join()
    after = host.policy()
    assert after == policy.replace("testing", "enforce")
    assert f"id={policy_id(after)}" in host.outputs["zone"]
    assert set(seen) <= {policy, after}, seen
    assert seen[policy]
    assert host.container() == before, "no restart"
