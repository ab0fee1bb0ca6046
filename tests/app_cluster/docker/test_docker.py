"""The real engine on a real daemon: a release under load drops no request, a failed migration starts nothing, uploads
stay, and no secret is to be seen."""

import http.client
import json
import re
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import Stack, containers_of, docker_client, image
from tests.waiting import free_port, until

NAME = "t-app"
SECRET = "a-secret-that-nobody-may-see"
PROGRAM = """\
import pulumi
from tierstack.app_cluster import (
    AppCluster, AppClusterArgs, HttpArgs, MigrationArgs, PhpFpmArgs, RoleArgs, UploadsArgs)
from tierstack.gateway import Gateway, GatewayArgs
from tierstack.platform import DataProtection, DockerHost
from tierstack.core.tier import Tier
from tierstack.tls import TLS, TLSArgs

platform = DockerHost(name="{name}", data_protection=DataProtection.NONE)
tls = TLS("tls", TLSArgs(platform=platform, hostnames=["localhost", "*.{domain}"]))
gateway = Gateway("gateway", GatewayArgs(
    platform=platform, certificate=tls.certificate, image="{traefik}", tools_image="{tools}",
    http_port={http_port}, https_port={https_port}, bind_address="127.0.0.1",
))
web = AppCluster("web", AppClusterArgs(
    platform=platform, tier=Tier.USERS_100K, image="{shop}", hostnames=["localhost"], gateway=gateway.endpoint,
    php=PhpFpmArgs(document_root="/srv/shop/public", children=4), replicas=2,
    http=HttpArgs(rate_limit={rate_limit}, rate_burst=5), uploads=UploadsArgs(path="/srv/uploads"),
    migration=MigrationArgs(command=["php", "-r", "exit({migration});"]),
    roles={{
        "mail": RoleArgs(command=["sleep", "infinity"], count=2, environment={{"QUEUE": "mail"}}),
        "clock": RoleArgs(command=["sleep", "infinity"], single=True, health_command=["true"]),
    }},
    secrets={{"CHAOS_TOKEN": pulumi.Output.secret("{secret}")}},
))
pulumi.export("ca", tls.ca_pem)
pulumi.export("url", web.url)
"""


class Shop:
    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.shape: dict[str, Any] = {
            "name": NAME,
            "domain": "example.org",
            "secret": SECRET,
            "traefik": image("traefik:3.7"),
            "tools": image("shop:1"),
            "shop": image("shop:1"),
            "http_port": free_port(),
            "https_port": free_port(),
            "rate_limit": 0,
            "migration": 0,
        }

    def up(self, *, check: bool = True, **changes: Any) -> str:
        self.stack.write(PROGRAM.format(**(self.shape | changes)))
        said = self.stack.up(check=check)
        if check:
            self.shape |= changes
            self.trust = ssl.create_default_context(cadata=self.stack.outputs()["ca"])
        return said

    def connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("localhost", self.shape["https_port"], context=self.trust, timeout=20)

    def ask(self, path: str, method: str = "GET", body: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
        connection = self.connect()
        connection.request(method, path, body, {"Content-Type": "text/plain"} if body else {})
        answer = connection.getresponse()
        return answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()

    def load(self, stop: threading.Event, seen: Counter[str]) -> None:
        """Requests until told to stop, each counted by status and version; 50 on one connection."""
        while not stop.is_set():
            try:
                connection = self.connect()
                for _ in range(50):
                    connection.request("GET", "/")
                    answer = connection.getresponse()
                    answer.read()
                    seen[f"{answer.status} {answer.getheader('x-app-version')}"] += 1
                    if stop.is_set():
                        break
            except OSError as error:
                seen[f"{type(error).__name__}: {error}"] += 1


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(Stack(tmp_path, "app"))
    assert not list(containers_of(NAME)), "left by an earlier run"
    try:
        made.up()
        yield made
    finally:
        made.stack.destroy()
    client = docker_client()
    left: list[str] = [one.name for one in containers_of(NAME)]
    left += [one.name for one in client.volumes.list() if one.name.startswith(f"{NAME}-")]
    left += [one.name for one in client.networks.list() if one.name.startswith(f"{NAME}-")]
    assert not left


def ids() -> dict[str, str]:
    return {one.name.removeprefix(f"{NAME}-"): one.id for one in containers_of(NAME)}


def role_of(container: str) -> str | None:
    """The role that a container runs, with its number; None for any other container."""
    found = re.search(r"-(clock|mail-\d)$", container)
    return found[1] if found else None


def test_a_release_from_the_first_to_the_second(shop: Shop) -> None:
    shop.stack.unchanged()

    status, headers, _ = shop.ask("/health")
    assert (status, headers["x-app-version"]) == (200, "1")
    assert headers["strict-transport-security"].startswith("max-age=")
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers
    assert "x-powered-by" not in headers
    plain = http.client.HTTPConnection("localhost", shop.shape["http_port"], timeout=20)
    plain.request("GET", "/a?b=c")
    answer = plain.getresponse()
    assert answer.status == 301
    assert answer.getheader("location") == f"https://localhost:{shop.shape['https_port']}/a?b=c"
    assert shop.ask("/.env")[0] == 404
    assert shop.ask("/x.php")[0] == 404, "only the front controller runs"

    status, _, body = shop.ask("/api/uploads", "POST", b"kept for the next release")
    assert status == 201
    upload = json.loads(body)["name"]

    roles = {name: one.attrs["Config"] for one in containers_of(NAME) if (name := role_of(one.name))}
    assert sorted(roles) == ["clock", "mail-1", "mail-2"]
    assert ["QUEUE=mail" in roles[name]["Env"] for name in sorted(roles)] == [False, True, True]

    inspected = json.dumps([one.attrs for one in containers_of(NAME)])
    assert SECRET not in inspected
    assert SECRET not in shop.stack.state()
    assert shop.ask("/api/chaos")[0] == 401, "the process has its token: without one the route does not exist"

    # A migration that fails: nothing of the new release starts, and the old one goes on.
    before = ids()
    said = shop.up(check=False, shop=image("shop:2"), migration=3)
    assert "failed with exit code 3" in said
    assert ids() == before
    assert shop.ask("/health")[1]["x-app-version"] == "1"

    # The same without the failure, under load.
    stop, seen = threading.Event(), Counter[str]()
    threads = [threading.Thread(target=shop.load, args=(stop, seen)) for _ in range(3)]
    for one in threads:
        one.start()
    try:
        shop.up(shop=image("shop:2"))
        until("the new version answers", lambda: seen["200 2"] > 20)
    finally:
        stop.set()
        for one in threads:
            one.join()
    assert set(seen) == {"200 1", "200 2"}, seen
    after = ids()
    assert {name for name in before if after.get(name) == before[name]} == {"gateway"}
    assert len(after) == len(before)
    assert shop.ask(f"/uploads/{upload}")[2] == b"kept for the next release"

    # Another certificate, and a limit of requests: files change, no container does.
    serial = shop.connect()
    serial.connect()
    old = serial.sock.getpeercert(binary_form=True)
    shop.up(domain="example.net", rate_limit=1)
    assert ids() == after

    def renewed() -> bool:
        one = shop.connect()
        one.connect()
        return one.sock.getpeercert(binary_form=True) != old

    until("the certificate is renewed", renewed)
    until("a rate limit", lambda: 429 in {shop.ask("/health")[0] for _ in range(10)})
    shop.stack.unchanged()
