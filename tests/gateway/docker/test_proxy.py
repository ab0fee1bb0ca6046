"""The configuration in the real proxy, as a process on this machine: what reaches the application, who is counted."""

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.app_cluster.samples import args
from tests.cluster_addons.samples import given
from tests.waiting import free_port, until
from tierstack import ClusterAddonsArgs, HttpArgs
from tierstack.app_cluster import traffic
from tierstack.cluster_addons import traefik as addon
from tierstack.platform.proxy import traefik

ROOT = Path(__file__).parents[3]
HOST = "shop.example.org"
PEER = "127.0.0.1/32"
"""The client of these tests: what a CDN would be."""


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        port = self.server.server_address[1]
        body = json.dumps({"path": self.path, "headers": dict(self.headers), "port": port}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


@pytest.fixture(scope="module")
def program() -> str:
    """The binary of the images' set-up."""
    setup = [sys.executable, str(ROOT / "toolchain" / "setup.py"), "--print-path", "traefik"]
    found = subprocess.run(setup, capture_output=True, text=True, check=False).stdout.strip()
    if not found:
        pytest.skip("traefik is not there: python3 toolchain/setup.py images")
    return found


@contextlib.contextmanager
def serving() -> Iterator[int]:
    """The port of a server that says what reached it."""
    server = _Server(("127.0.0.1", 0), _Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()


@pytest.fixture(scope="module")
def application() -> Iterator[str]:
    """A server that says what reached it."""
    with serving() as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that does not answer, as one whose host is gone: its queue is full, so the kernel drops what comes."""
    with contextlib.ExitStack() as held:
        listener = held.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            filler = held.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def start(program: str, tmp_path: Path) -> Iterator[Callable[[list[str], dict[str, Any], int], None]]:
    """Start the proxy, and wait until it has its routes."""
    with contextlib.ExitStack() as running:

        def run(flags: list[str], dynamic: dict[str, Any], port: int) -> None:
            (tmp_path / "dynamic").mkdir()
            (tmp_path / "dynamic" / "web.yaml").write_text(traefik.dump(dynamic))
            with (tmp_path / "log").open("w") as log:
                process = subprocess.Popen([program, *flags], cwd=tmp_path, stdout=log, stderr=log)
            running.callback(process.wait)
            running.callback(process.kill)
            until(
                "the proxy answers, or has ended",
                lambda: ask(port, "/ready", silent_failure=True)[0] == 200 or process.poll() is not None,
            )
            assert process.poll() is None, (tmp_path / "log").read_text()[-3000:]

        yield run


def ask(
    port: int, path: str, headers: dict[str, str] | None = None, *, silent_failure: bool = False
) -> tuple[int, dict[str, Any]]:
    """Status and the echo of one request on a connection of its own; status 0 where there is no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=90)
    try:
        connection.request("GET", path, headers={"Host": HOST, **(headers or {})})
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if answer.status == 200 else {}
    except OSError:
        if silent_failure:
            return 0, {}
        raise
    finally:
        connection.close()


@pytest.fixture
def gateway(
    start: Callable[[list[str], dict[str, Any], int], None], application: str, tmp_path: Path
) -> Callable[..., int]:
    """The Gateway's own files on Docker, on free ports and without certificate; its port."""

    def run(
        trusted: list[str] | None = None, releases: dict[str, tuple[str, int]] | None = None, **changes: Any
    ) -> int:
        """`releases`: server and weight of each, by its name. None: one, the application."""
        port = free_port()
        static = json.loads(traefik.static(443, trusted or [], 5))
        static["entryPoints"]["https"]["address"] = f"127.0.0.1:{port}"
        del static["entryPoints"]["https"]["http"]["tls"]
        static["entryPoints"]["http"]["address"] = f"127.0.0.1:{free_port()}"
        static["entryPoints"]["internal"]["address"] = f"127.0.0.1:{free_port()}"
        static["providers"]["file"]["directory"] = str(tmp_path / "dynamic")
        (tmp_path / "static.yaml").write_text(traefik.dump(static))
        app = args("docker", hostnames=[HOST], **changes)
        app.gateway.trusted_proxies = trusted
        backends = [
            traffic.Backend(name=name, servers=[server], release=replace(app.described, weight=weight))
            for name, (server, weight) in (releases or {"one": (application, 100)}).items()
        ]
        dynamic = json.loads(traffic.traefik_file("web", app.application, backends))
        del dynamic["http"]["routers"]["web"]["tls"]
        # Health is not the subject here, and its time-out is short for a machine with other work.
        for backend in backends:
            del dynamic["http"]["services"][f"web-{backend.name}"]["loadBalancer"]["healthCheck"]
        del dynamic["http"]["services"]["web"]["weighted"]["healthCheck"]
        start([f"--configFile={tmp_path}/static.yaml"], dynamic, port)
        return port

    return run


def answers(port: int, forwarded: Callable[[int], str], number: int = 960) -> Counter[int]:
    return Counter(ask(port, "/", {"X-Forwarded-For": forwarded(i)})[0] for i in range(number))


def customer(i: int) -> str:
    return f"198.51.{i // 250}.{i % 250 + 1}"


LIMIT = {"http": HttpArgs(rate_limit=1, rate_burst=20)}


def test_customers_behind_a_cdn_are_counted_one_by_one(gateway: Callable[..., int]) -> None:
    port = gateway([PEER], **LIMIT)
    assert answers(port, customer) == {200: 960}


def test_a_chain_of_proxies_is_looked_past_and_what_a_client_writes_is_not_reached(
    gateway: Callable[..., int],
) -> None:
    port = gateway([PEER, "192.0.2.0/24"], **LIMIT)
    assert answers(port, lambda i: f"{customer(i)}, 192.0.2.7", 200) == {200: 200}
    forged = answers(port, lambda i: f"{customer(i)}, 203.0.113.9, 192.0.2.7", 200)
    assert forged[429] > 100, "one customer, whatever it writes in front of its own address"


@pytest.mark.parametrize("trusted", [None, ["192.0.2.0/24"]])
def test_a_header_of_somebody_who_is_not_trusted_evades_nothing(
    gateway: Callable[..., int], trusted: list[str] | None
) -> None:
    assert answers(gateway(trusted, **LIMIT), customer, 200)[429] > 100


@pytest.mark.parametrize(
    "path", ["/search/100%25%20cotton", "/tag/C%23", "/a%2Fb", "/a%5Cb", "/a%3Bb", "/a%3Fb", "/%C3%A9", "/a;b?c=%2F"]
)
def test_a_path_reaches_the_application_as_it_was_sent(gateway: Callable[..., int], path: str) -> None:
    assert ask(gateway(), path)[1].get("path") == path


def test_what_no_path_needs_is_refused(gateway: Callable[..., int]) -> None:
    assert ask(gateway(), "/a%00b")[0] == 400


def test_no_header_becomes_one_that_the_proxy_writes(gateway: Callable[..., int]) -> None:
    sent = {"X_Forwarded_For": "203.0.113.9", "X.Real.Ip": "203.0.113.9", "X-Forwarded-For": "203.0.113.9"}
    status, echo = ask(gateway(), "/", sent)
    assert status == 200
    found = {key.lower(): value for key, value in echo["headers"].items()}
    assert "203.0.113.9" not in str(found)
    assert found["x-forwarded-for"] == "127.0.0.1"


def test_releases_share_requests_by_their_weights(gateway: Callable[..., int]) -> None:
    with contextlib.ExitStack() as running:
        old, new, idle = (running.enter_context(serving()) for _ in range(3))
        weights = {"old": (old, 3), "new": (new, 1), "idle": (idle, 0)}
        releases = {name: (f"127.0.0.1:{port}", weight) for name, (port, weight) in weights.items()}
        port = gateway(releases=releases, http=HttpArgs(rate_limit=0))
        seen = Counter(ask(port, "/")[1]["port"] for _ in range(200))
    assert seen.keys() == {old, new}
    assert abs(seen[new] - 50) <= 1, "one request was made before, to see that the proxy answers"


def test_a_server_whose_host_is_gone_delays_nothing_for_long(
    start: Callable[[list[str], dict[str, Any], int], None], application: str, silent: str, tmp_path: Path
) -> None:
    """Kubernetes, where nothing takes a lost pod out for the time until its endpoint is removed."""
    port = free_port()
    flags = [one for one in addon.configuration(ClusterAddonsArgs(**given())) if "kubernetes" not in one]
    flags = [one for one in flags if ".address=" not in one]
    flags += [f"--entryPoints.https.address=127.0.0.1:{port}", f"--entryPoints.http.address=127.0.0.1:{free_port()}"]
    flags += [
        f"--entryPoints.internal.address=127.0.0.1:{free_port()}",
        f"--providers.file.directory={tmp_path}/dynamic",
    ]
    servers = [{"url": f"http://{one}"} for one in (application, silent)]
    retry = {"retry": {"attempts": 4, "initialInterval": "50ms"}}
    dynamic = {
        "http": {
            "routers": {"web": {"rule": "PathPrefix(`/`)", "service": "web", "middlewares": ["retry"]}},
            "middlewares": {"retry": retry},
            "services": {"web": {"loadBalancer": {"servers": servers}}},
        }
    }
    start(flags, dynamic, port)
    begun = time.monotonic()
    assert [ask(port, "/")[0] for _ in range(4)] == [200] * 4
    # Two of them met the silent server. Traefik's own time to dial is 30 s.
    assert time.monotonic() - begun < 30
