"""ACME in Traefik on a real daemon: Pebble issues, BIND takes the updates, and clients look at what is served."""

import base64
import http.client
import json
import re
import socket
import ssl
import subprocess
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support import Stack, containers_of, docker_client, image
from tests.tls.servers import DOMAIN, EAB_ID, EAB_KEY, KEY_NAME, KEY_SECRET, Authority, authority
from tests.waiting import free_port, until

pytestmark = pytest.mark.needs("pebble", "named")

NAME = "t-acme"
PROGRAM = """\
import pulumi
from tierstack.app_cluster import AppCluster, AppClusterArgs, PhpFpmArgs
from tierstack.dns_records.publish.args import Rfc2136Args
from tierstack.gateway import Gateway, GatewayArgs
from tierstack.platform import DataProtection, DockerHost
from tierstack.core.tier import Tier
from tierstack.tls import TLS, ACMEArgs, ExternalAccountArgs, TLSArgs

platform = DockerHost(name="{name}", data_protection=DataProtection.NONE)
tls = TLS("tls", TLSArgs(
    platform=platform, hostnames={hostnames},
    acme=ACMEArgs(email="ops@{domain}", server="{directory}", ca={ca!r}, {more}),
))
gateway = Gateway("gateway", GatewayArgs(
    platform=platform, certificate=tls.certificate, image="{traefik}", tools_image="{shop}",
    http_port={http_port}, https_port={https_port}, bind_address="127.0.0.1", stop_seconds={stop_seconds},
))
AppCluster("web", AppClusterArgs(
    platform=platform, tier=Tier.USERS_100K, image="{shop}", hostnames=["{domain}"], gateway=gateway.endpoint,
    php=PhpFpmArgs(document_root="/srv/shop/public", children=4), replicas=1,
))
pulumi.export("rules", tls.alert_rules)
"""
DNS = """
    dns=Rfc2136Args(
        server="{server}", port={port}, key_name="{key}", key_secret=pulumi.Output.secret("{secret}")),
    resolvers=["{server}:{port}"],
    eab=ExternalAccountArgs(key_id="{eab_id}", hmac_key=pulumi.Output.secret("{eab_key}")),
"""


class Site:
    """A gateway with one application, and a client that trusts the CA alone."""

    def __init__(self, folder: Path) -> None:
        self.stack = Stack(folder, "acme")
        self.ports = {"http_port": free_port(), "https_port": free_port()}
        self.images = {"traefik": image("traefik:3.7"), "shop": image("shop:1")}

    def up(self, ca: Authority, hostnames: list[str], more: str = "", stop_seconds: int = 5) -> None:
        program = PROGRAM.format(
            name=NAME,
            domain=DOMAIN,
            hostnames=hostnames,
            directory=ca.directory,
            ca=ca.server_ca,
            more=more,
            stop_seconds=stop_seconds,
            **self.images,
            **self.ports,
        )
        self.stack.write(program)
        self.stack.up()
        self.trust = ssl.create_default_context(cadata=ca.roots())

    def shown(self, host: str = DOMAIN) -> x509.Certificate:
        """The certificate that a client which trusts the CA accepts; raises SSLError before it is there."""
        with (
            socket.create_connection(("127.0.0.1", self.ports["https_port"]), timeout=20) as plain,
            self.trust.wrap_socket(plain, server_hostname=host) as wrapped,
        ):
            return x509.load_der_x509_certificate(wrapped.getpeercert(binary_form=True) or b"")

    def issued(self, host: str = DOMAIN) -> x509.Certificate:
        """Waits for the first certificate."""

        def look() -> x509.Certificate | None:
            try:
                return self.shown(host)
            except (ssl.SSLError, ConnectionError):
                return None

        return until(f"a certificate for {host}; Traefik says: {self.log()[-2000:]}", look, 120)

    def log(self) -> str:
        return "\n".join(one.logs().decode() for one in containers_of(NAME) if one.name == f"{NAME}-gateway")

    def ask(self, path: str = "/health") -> tuple[int, dict[str, str]]:
        connection = http.client.HTTPSConnection(DOMAIN, self.ports["https_port"], context=self.trust, timeout=20)
        plain = socket.create_connection(("127.0.0.1", self.ports["https_port"]), timeout=20)
        connection.sock = self.trust.wrap_socket(plain, server_hostname=DOMAIN)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            return answer.status, {key.lower(): value for key, value in answer.getheaders()}
        finally:
            connection.close()

    def gateway(self) -> str:
        (one,) = [one for one in containers_of(NAME) if one.name == f"{NAME}-gateway"]
        return str(one.id)

    def kept(self) -> tuple[str, dict[str, Any]]:
        """Mode and owner of the file that Traefik keeps, and its only resolver's content."""
        script = ["/bin/sh", "-c", "stat -c '%a %u:%g' /kept/acme.json; cat /kept/acme.json; echo"]
        volumes = {f"{NAME}-gateway-acme": {"bind": "/kept", "mode": "ro"}}
        text = docker_client().containers.run(
            self.images["shop"], entrypoint=script, user="0:0", network_mode="none", volumes=volumes, remove=True
        )
        mode, _, content = text.decode().partition("\n")
        (resolver,) = json.loads(content).values()
        return mode, resolver

    def told(self) -> str:
        """Whatever anybody on the host may read without being the proxy: state, containers, processes."""
        inspected = json.dumps([one.attrs for one in containers_of(NAME)])
        processes = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True).stdout
        logs = "".join(one.logs().decode() for one in containers_of(NAME))
        return "\n".join([self.stack.state(), inspected, processes, logs])


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """A site that leaves nothing behind."""
    made = Site(folder)
    assert not list(containers_of(NAME)), "left by an earlier run"
    try:
        yield made
    finally:
        made.stack.destroy()
    client = docker_client()
    left = [one.name for one in client.volumes.list() if one.name.startswith(f"{NAME}-")]
    assert not left + [one.name for one in containers_of(NAME)]


def watched(shop: Site, ca: Authority) -> int:
    """The end of the certificate by the metric that the alerting rule asks for; the command sees the same."""
    (shop.stack.folder / "roots.pem").write_text(ca.roots())
    host = f"{DOMAIN}:{shop.ports['https_port']}"
    options = ["--address", "127.0.0.1", "--ca", str(shop.stack.folder / "roots.pem"), "--json"]
    done = subprocess.run(["tierstack", "certificates", "check", host, *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (group,) = yaml.safe_load(shop.stack.outputs()["rules"])["groups"]
    series = re.findall(r"\{(sans=.*?)\}", group["rules"][0]["expr"])
    (address,) = docker_client().containers.get(shop.gateway()).attrs["NetworkSettings"]["Networks"].values()
    metrics = urllib.request.urlopen(f"http://{address['IPAddress']}:8082/metrics", timeout=20).read().decode()
    (line,) = [one for one in metrics.splitlines() if one.startswith("traefik_tls_certs_not_after{")]
    assert series[0] in line
    return int(float(line.split()[-1]))


def test_http_01_past_the_redirect_and_no_order_for_a_container_that_takes_anothers_place(tmp_path: Path) -> None:
    (tmp_path / "stack").mkdir()
    with (
        site(tmp_path / "stack") as shop,
        authority(tmp_path / "ca", http_port=shop.ports["http_port"], reject_percent=50) as ca,
    ):
        shop.up(ca, [DOMAIN, f"www.{DOMAIN}"])
        first = shop.issued()
        key = first.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert key.curve.name == "secp256r1"
        assert shop.shown(f"www.{DOMAIN}") == first, "one certificate for all names"
        assert shop.ask()[0] == 200
        assert ca.said("Configured to reject 50% of good nonces") == 1
        plain = http.client.HTTPConnection("127.0.0.1", shop.ports["http_port"], timeout=20)
        plain.request("GET", "/a?b=c", headers={"Host": DOMAIN})
        answer = plain.getresponse()
        assert (answer.status, answer.getheader("location")) == (
            301,
            f"https://{DOMAIN}:{shop.ports['https_port']}/a?b=c",
        )
        shop.stack.unchanged()
        assert watched(shop, ca) == int(first.not_valid_after_utc.timestamp())

        mode, kept = shop.kept()
        assert mode == "600 65532:65532"
        secrets = [kept["Account"]["PrivateKey"], *(one["key"] for one in kept["Certificates"])]
        told = shop.told()
        for secret in secrets:
            raw = base64.b64decode(secret)
            assert len(raw) > 100
            assert secret[40:80] not in told
            assert base64.b64encode(raw[20:60]).decode()[:40] not in told

        before, orders = shop.gateway(), ca.orders()
        shop.up(ca, [DOMAIN, f"www.{DOMAIN}"], stop_seconds=6)
        assert shop.gateway() != before, "another container"
        assert shop.issued() == first
        assert (ca.orders(), ca.accounts()) == (orders, 1)


def test_a_wildcard_by_updates_that_a_key_signs(tmp_path: Path) -> None:
    (tmp_path / "stack").mkdir()
    with (
        site(tmp_path / "stack") as shop,
        authority(tmp_path / "ca", http_port=free_port(), reject_percent=50, eab=True) as ca,
    ):
        more = DNS.format(
            server=ca.address, port=ca.dns_port, key=KEY_NAME, secret=KEY_SECRET, eab_id=EAB_ID, eab_key=EAB_KEY
        )
        shop.up(ca, [DOMAIN, f"*.{DOMAIN}", f"www.{DOMAIN}"], more)
        first = shop.issued()
        names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert sorted(names.get_values_for_type(x509.DNSName)) == [f"*.{DOMAIN}", DOMAIN]
        assert shop.shown(f"anything.{DOMAIN}") == first
        assert shop.ask()[0] == 200
        assert ca.said("newAccount Binding with CA") == 1
        until("the challenges to be taken away", lambda: not ca.challenges())
        shop.stack.unchanged()
        told = shop.told()
        assert KEY_NAME in told
        assert KEY_SECRET not in told
        assert EAB_KEY not in told

        # Another key must reach a client that reads it once only.
        before = shop.gateway()
        shop.up(ca, [DOMAIN, f"*.{DOMAIN}", f"www.{DOMAIN}"], more.replace(KEY_SECRET, EAB_KEY))
        assert shop.gateway() != before
        assert shop.issued() == first


@pytest.mark.parametrize(("days_left", "orders"), [(31, 1), (29, 2)])
def test_a_certificate_of_45_days_is_renewed_with_30_left(tmp_path: Path, days_left: int, orders: int) -> None:
    """A third was asked for, 15 days; Traefik has 10 and 30. What it looks at is what is left, so a CA that issues for
    so long stands for the time that passes."""
    (tmp_path / "stack").mkdir()
    with (
        site(tmp_path / "stack") as shop,
        authority(tmp_path / "ca", http_port=shop.ports["http_port"], lifetime_seconds=days_left * 86400) as ca,
    ):
        shop.up(ca, [DOMAIN], "lifetime_hours=1080")
        first = shop.issued()
        docker_client().containers.get(shop.gateway()).restart()
        until("Traefik to look again", lambda: shop.log().count("Testing certificate renew") > 1)
        if orders > 1:
            until("another certificate", lambda: shop.issued() != first)
        else:
            assert shop.issued() == first
        assert ca.orders() == orders


def test_a_short_certificate_is_renewed_before_its_end_and_no_request_fails(tmp_path: Path) -> None:
    """21.5 minutes, renewed with 20 left, looked at once a minute: the shortest that Traefik knows."""
    (tmp_path / "stack").mkdir()
    with (
        site(tmp_path / "stack") as shop,
        authority(tmp_path / "ca", http_port=shop.ports["http_port"], lifetime_seconds=1290, reject_percent=50) as ca,
    ):
        shop.up(ca, [DOMAIN], "lifetime_hours=1")
        first = shop.issued()
        stop, seen = threading.Event(), Counter[str]()

        def load() -> None:
            while not stop.is_set():
                try:
                    seen[str(shop.ask()[0])] += 1
                except OSError as error:
                    seen[repr(error)] += 1

        client = threading.Thread(target=load)
        client.start()
        try:
            until("a renewed certificate", lambda: shop.shown() != first, 300)
            so_far = seen["200"]
            until("requests under the new one", lambda: seen["200"] > so_far + 50)
        finally:
            stop.set()
            client.join()
        second = shop.shown()
        assert first.not_valid_after_utc > second.not_valid_before_utc, "before its end"
        assert first.public_key() == second.public_key(), "Traefik keeps its key"
        assert set(seen) == {"200"}, seen
        assert ca.issued() == 2
        print(
            f"{seen['200']} requests, 0 failed; renewed {second.not_valid_before_utc - first.not_valid_before_utc} later"
        )
