"""The proxy's file in the real proxy, as a process on this machine, before servers that say what reached them: shares of
new visitors, those who keep their release, copies, experiments, probes, and servers that die."""

import base64
import contextlib
import http.client
import json
import re
import subprocess
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.app_cluster.samples import args
from tests.gateway.docker.test_proxy import HOST, program  # noqa: F401 - a fixture
from tests.waiting import free_port, until
from tierstack.app_cluster import ExperimentArgs, HttpArgs, HttpServerArgs, MirrorArgs, traffic
from tierstack.app_cluster.traffic_routes import PLAIN, Policy, htpasswd, sticky_value
from tierstack.platform.proxy import traefik

TOKEN = "0123456789abcdef0123456789abcdef"
STICKY = Policy(sticky=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        release: Release = self.server.release  # type: ignore[attr-defined]
        if self.path != "/health":
            with release.lock:
                release.seen.append((self.command, self.path, dict(self.headers), len(body)))
        answer = release.name.encode()
        self.send_response(200 if self.path == "/health" and release.alive else release.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_OPTIONS = _answer

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Release:
    """A server of one release, and what reached it; health checks are not kept."""

    def __init__(self, name: str) -> None:
        self.name, self.status, self.alive = name, 200, True
        self.seen: list[tuple[str, str, dict[str, str], int]] = []
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.server.daemon_threads = True
        self.server.release = self  # type: ignore[attr-defined]
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, path: str) -> list[tuple[str, dict[str, str], int]]:
        with self.lock:
            return [(method, headers, size) for method, at, headers, size in self.seen if at == path]


@pytest.fixture
def old() -> Iterator[Release]:
    made = Release("old")
    yield made
    made.server.shutdown()


@pytest.fixture
def new() -> Iterator[Release]:
    made = Release("new")
    yield made
    made.server.shutdown()


class Proxy:
    """The Gateway's own files on Docker, on free ports and without a certificate."""

    def __init__(self, binary: str, folder: Path) -> None:
        self.folder, self.port, self.internal = folder, free_port(), free_port()
        static = json.loads(traefik.static(443, [], 5))
        points = static["entryPoints"]
        points["https"]["address"] = f"127.0.0.1:{self.port}"
        del points["https"]["http"]["tls"]
        points["http"]["address"] = f"127.0.0.1:{free_port()}"
        points["internal"]["address"] = f"127.0.0.1:{self.internal}"
        static["providers"]["file"]["directory"] = str(folder / "dynamic")
        (folder / "dynamic").mkdir()
        (folder / "static.yaml").write_text(traefik.dump(static))
        own = json.loads(traefik.tls_of({}))
        del own["tls"]
        (folder / "dynamic" / "tls.yaml").write_text(traefik.dump(own))
        with (folder / "log").open("w") as log:
            command = [binary, f"--configFile={folder}/static.yaml"]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def serve(self, *releases: tuple[Release, int], policy: Policy = PLAIN, drain: str = "", **changes: Any) -> None:
        """Write the file, and wait until the proxy serves what it says."""
        http_args = HttpArgs(rate_limit=0)
        server = HttpServerArgs(command=["serve"], memory_mb=128)
        of = args("docker", hostnames=[HOST], http=http_args, php=None, http_server=server, **changes)
        backends: dict[str, traffic.Backend] = {}
        for one, weight in releases:
            known = backends.get(one.name)
            described = replace(of.described, weight=weight, drain=one.name == drain)
            servers = [*(known.servers if known else []), one.address]
            backends[one.name] = traffic.Backend(name=one.name, servers=servers, release=described)
        file = json.loads(traffic.traefik_file("web", of.application, [*backends.values()], policy))
        for router in file["http"]["routers"].values():
            del router["tls"]
        beside = self.folder / "web.yaml"
        beside.write_text(traefik.dump(file))
        beside.replace(self.folder / "dynamic" / "web.yaml")
        wanted = file["http"]["services"]["web"]["weighted"]["services"]
        routers = {f"{name}@file": one["rule"] for name, one in file["http"]["routers"].items()}

        def served() -> bool:
            assert self.process.poll() is None, (self.folder / "log").read_text()[-3000:]
            with contextlib.suppress(OSError):
                raw = self.api("/api/rawdata")
                mine = {name: one["rule"] for name, one in raw.get("routers", {}).items() if name.startswith("web")}
                weights = raw.get("services", {}).get("web@file", {}).get("weighted", {}).get("services")
                return mine == routers and weights == wanted
            return False

        until("the proxy serves what its file says", served)
        wrong = {name: one for name, one in self.api("/api/rawdata")["routers"].items() if one["status"] != "enabled"}
        assert not wrong

    def api(self, path: str) -> Any:
        return json.loads(self.text(path))

    def text(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.internal}{path}", timeout=20) as answer:
            return answer.read().decode()

    def requests(self, release: str) -> int:
        """What the proxy counts of a release."""
        pattern = rf'^traefik_service_requests_total{{.*service="web-{release}@file".*}} (\S+)$'
        return sum(int(float(one)) for one in re.findall(pattern, self.text("/metrics"), re.MULTILINE))


@pytest.fixture
def proxy(program: str, tmp_path: Path) -> Iterator[Proxy]:  # noqa: F811
    made = Proxy(program, tmp_path)
    try:
        yield made
    finally:
        made.process.kill()
        made.process.wait()


class Visitor:
    """Somebody with a connection, and with a cookie where `keep` is true."""

    def __init__(self, proxy: Proxy) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=60)
        self.cookie = ""

    def ask(self, path: str = "/", method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, str]:
        sent = {"Host": HOST, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if self.cookie:
            sent["Cookie"] = f"a=b; {self.cookie}"
        self.connection.request(method, path, body, sent)
        answer = self.connection.getresponse()
        text = answer.read().decode()
        self.given = answer.getheader("Set-Cookie") or ""
        return answer.status, text

    def keep(self) -> str:
        """The release that it meets, whose cookie it keeps."""
        status, release = self.ask()
        assert status == 200
        self.cookie = self.given.partition(";")[0]
        return release


def met(proxy: Proxy, count: int) -> Counter[str]:
    """The releases that so many new visitors meet."""
    one = Visitor(proxy)
    return Counter(one.ask()[1] for _ in range(count))


@pytest.mark.parametrize("weight", [5, 25])
def test_new_visitors_are_shared_by_weight(proxy: Proxy, old: Release, new: Release, weight: int) -> None:
    proxy.serve((old, 100 - weight), (new, weight), policy=STICKY)
    assert abs(met(proxy, 10_000)["new"] / 100 - weight) <= 0.5


def test_visitors_keep_their_release_when_weights_change(proxy: Proxy, old: Release, new: Release) -> None:
    proxy.serve((old, 50), (new, 50), policy=STICKY)
    visitors = [Visitor(proxy) for _ in range(40)]
    first = [one.keep() for one in visitors]
    assert Counter(first) == {"old": 20, "new": 20}
    given = {one.cookie for one in visitors}
    assert given == {f"web-release={sticky_value(f'web-{name}')}" for name in ("old", "new")}
    assert all(part in visitors[0].given for part in ("HttpOnly", "Secure", "SameSite=Lax", "Path=/"))
    for weight in (5, 95):
        proxy.serve((old, 100 - weight), (new, weight), policy=STICKY)
        assert [one.ask()[1] for one in visitors] == first
        # So a share of new visitors says nothing of the share of all requests.
        assert abs(met(proxy, 1000)["new"] / 10 - weight) <= 0.5


def test_weight_0_throws_visitors_out_and_a_drained_release_keeps_them(
    proxy: Proxy, old: Release, new: Release
) -> None:
    proxy.serve((old, 50), (new, 50), policy=STICKY)
    visitors = [Visitor(proxy) for _ in range(20)]
    first = [one.keep() for one in visitors]
    proxy.serve((old, 0), (new, 100), policy=STICKY, drain="old")
    assert [one.ask()[1] for one in visitors] == first
    assert met(proxy, 200) == {"new": 200}
    old.alive, old.status = False, 500
    until("its visitors get the other release", lambda: visitors[first.index("old")].ask()[1] == "new", 90)
    old.alive, old.status = True, 200
    proxy.serve((old, 0), (new, 100), policy=STICKY)
    assert {one.ask()[1] for one in visitors} == {"new"}


def test_copies_are_of_safe_methods_alone(proxy: Proxy, old: Release, new: Release) -> None:
    proxy.serve((old, 100), (new, 0), policy=Policy(to="new", mirror=MirrorArgs(percent=100, max_body_kb=1)))
    one = Visitor(proxy)
    orders = [one.ask("/orders", method, b"one order") for method in ("POST", "PUT") for _ in range(50)]
    assert orders == [(200, "old")] * 100
    forged = [one.ask("/page", X_Tierstack_Mirror="1", Cookie="session=1") for _ in range(50)]
    assert forged == [(200, "old")] * 50
    assert one.ask("/large", "GET", bytes(2048)) == (200, "old")
    assert one.ask("/small", "GET", bytes(512)) == (200, "old")
    until("the copies arrive", lambda: len(new.of("/page")) == 50 and new.of("/small"))
    assert new.of("/orders") == []
    assert len(old.of("/orders")) == 100
    assert new.of("/large") == []
    assert [size for *_, size in new.of("/small")] == [size for *_, size in old.of("/small")] == [512]
    assert {headers.get("X-Tierstack-Mirror") for _, headers, _ in new.of("/page")} == {"1"}
    assert {headers.get("X-Tierstack-Mirror") for _, headers, _ in old.of("/page")} == {None}
    assert {headers.get("Cookie") for _, headers, _ in new.of("/page")} == {"session=1"}
    assert proxy.requests("new") >= 51, "the release is judged by the answers to its copies"


def test_a_share_of_the_requests_is_copied(proxy: Proxy, old: Release, new: Release) -> None:
    proxy.serve((old, 100), (new, 0), policy=Policy(to="new", mirror=MirrorArgs(percent=10)))
    assert met(proxy, 500) == {"old": 500}
    until("the copies arrive", lambda: len(new.of("/")) == 50)


def test_an_experiment_gets_the_new_release(proxy: Proxy, old: Release, new: Release) -> None:
    one = Visitor(proxy)
    proxy.serve((old, 100), (new, 0), policy=Policy(to="new", experiment=ExperimentArgs(header="X-Beta", value="1")))
    assert [one.ask(X_Beta=value)[1] for value in ("1", "2", "")] == ["new", "old", "old"]
    proxy.serve((old, 100), (new, 0), policy=Policy(to="new", experiment=ExperimentArgs(cookie="beta")))
    cookies = ("beta=x", "a=b; beta=x; c=d", "a=b;beta=x", "beta=", "alpha=1; notbeta=x", "a=beta=x")
    assert [one.ask(Cookie=value)[1] for value in cookies] == ["new", "new", "new", "old", "old", "old"]


def test_a_probe_needs_its_password(proxy: Proxy, old: Release, new: Release) -> None:
    proxy.serve((old, 100), (new, 0), policy=Policy(to="new", probe_user=htpasswd(TOKEN)))
    one = Visitor(proxy)

    def basic(password: str) -> str:
        return f"Basic {base64.b64encode(f'tierstack:{password}'.encode()).decode()}"

    for wrong in ({}, {"Authorization": basic("")}, {"Authorization": basic(TOKEN[:-1])}):
        assert one.ask(X_Tierstack_Release="new", **wrong)[0] == 401
    assert new.seen == []
    for release in ("new", "old"):
        answer = one.ask("/probed", X_Tierstack_Release=release, Authorization=basic(TOKEN))
        assert answer == (200, release)
    assert "Authorization" not in new.of("/probed")[0][1]
    # Whoever does not name a release is a visitor, and what is no release is no way in.
    assert one.ask(Authorization=basic(TOKEN)) == (200, "old")
    assert one.ask(X_Tierstack_Release="none") == (200, "old")
    written = (proxy.folder / "dynamic" / "web.yaml").read_text() + proxy.text("/api/rawdata")
    assert TOKEN not in written + (proxy.folder / "log").read_text()


def test_a_get_is_sent_again_where_its_server_has_died_and_an_order_is_not(proxy: Proxy, old: Release) -> None:
    dead = Release("old")
    try:
        proxy.serve((old, 100), (dead, 100))
        dead.status = 502  # as nginx tells that PHP-FPM is gone
        dead.alive = False
        one = Visitor(proxy)
        assert Counter(one.ask()[0] for _ in range(60)) == {200: 60}
        assert len(dead.of("/")) > 0
        statuses = Counter(one.ask("/orders", "POST", b"x")[0] for _ in range(60))
        assert len(old.of("/orders")) + len(dead.of("/orders")) == 60, "each of them once"
        assert statuses.get(502, 0) == len(dead.of("/orders"))
    finally:
        dead.server.shutdown()


def test_what_the_application_answers_is_not_sent_again(proxy: Proxy, old: Release) -> None:
    proxy.serve((old, 100))
    one = Visitor(proxy)
    for status in (404, 500, 503, 504):
        old.status = status
        assert one.ask(f"/{status}")[0] == status
        assert len(old.of(f"/{status}")) == 1


def test_a_release_is_counted_over_reloads(proxy: Proxy, old: Release, new: Release) -> None:
    proxy.serve((old, 75), (new, 25))
    met(proxy, 100)
    proxy.serve((old, 50), (new, 50))
    met(proxy, 100)
    until("both are counted", lambda: (proxy.requests("old"), proxy.requests("new")) == (125, 75))
    weights = {one["name"]: one["weight"] for one in proxy.api("/api/http/services/web@file")["weighted"]["services"]}
    assert weights == {"web-old": 50, "web-new": 50}
    assert set(proxy.api("/api/http/services/web-new@file")["serverStatus"].values()) == {"UP"}
