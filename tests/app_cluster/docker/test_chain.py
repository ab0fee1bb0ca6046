"""One request's whole way on a real daemon (Traefik, nginx, PHP-FPM): just below and just above each limit, a pool that is
full, and a release while long requests are in hand."""

import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import Stack, built, containers_of, image
from tests.waiting import free_port

NAME = "t-chain"
HOST, LARGE = "localhost", "large.localhost"
MIB = 2**20
REFUSED = (BrokenPipeError, ConnectionResetError, ssl.SSLError)
"""What sending meets when the server has answered, and closed, before the whole body was sent."""
BODY_MB, READ_SECONDS, REQUEST_SECONDS, CHILDREN = 4, 12, 6, 4
PROGRAM = """\
import pulumi
from tierstack.app_cluster import (
    AppCluster, AppClusterArgs, HealthArgs, HttpArgs, PhpFpmArgs, RoleArgs, UploadsArgs)
from tierstack.gateway import Gateway, GatewayArgs
from tierstack.platform import DataProtection, DockerHost
from tierstack.core.tier import Tier
from tierstack.tls import TLS, TLSArgs

platform = DockerHost(name="{name}", data_protection=DataProtection.NONE)
tls = TLS("tls", TLSArgs(platform=platform, hostnames=["{host}", "{large}"]))
gateway = Gateway("gateway", GatewayArgs(
    platform=platform, certificate=tls.certificate, image="{traefik}", tools_image="{shop}",
    http_port={http_port}, https_port={https_port}, bind_address="127.0.0.1", read_timeout_seconds={read},
))
common = dict(platform=platform, tier=Tier.USERS_100K, image="{probe}", gateway=gateway.endpoint, replicas=1)
probe = dict(document_root="/srv/probe", front_controller="front.php")
AppCluster("web", AppClusterArgs(
    **common, hostnames=["{host}"], environment={{"RELEASE": "{release}"}}, uploads=UploadsArgs(path="/srv/uploads"),
    php=PhpFpmArgs(**probe, children={children}, settings={{"opcache.memory_consumption": "32"}}),
    http=HttpArgs(rate_limit=0, max_body_mb={body}, request_timeout_seconds={request}),
    health=HealthArgs(readiness_path="{ready}"),
    roles={{
        "worker": RoleArgs(command=["sleep", "infinity"], count=1),
        "scheduler": RoleArgs(command=["sleep", "infinity"], single=True),
    }},
))
AppCluster("large", AppClusterArgs(
    **common, hostnames=["{large}"], php=PhpFpmArgs(**probe, children=2),
    http=HttpArgs(rate_limit=0, max_body_mb=128)))
pulumi.export("ca", tls.ca_pem)
"""


def probe_image(base: str) -> str:
    """The example shop's image with `probe/front.php`, programs that must not be read, and Laravel's link to uploads."""
    front = (Path(__file__).parent / "probe/front.php").read_bytes()
    public = {"front.php": front, "style.css": b"p {}", **dict.fromkeys(SOURCES + SERVED, b"SOURCE")}
    lines = [f"FROM {base}", "USER root", "COPY public /srv/probe", "RUN ln -s /srv/uploads /srv/probe/storage"]
    files = {f"public/{name}": content for name, content in public.items()}
    return built([*lines, "USER 10001:10001"], files)


SOURCES = [
    "a.php~",
    "b.php.bak",
    "c.phtml",
    "d.inc",
    "E.PHP",
    "f.php5",
    "g.inc.old",
    "h.php_2024",
    "i.txt~",
    "j.env.bak",
]
SERVED = ["form.php.js", "style.inc.css", "notes.txt", "page.php.html", "about.inclusion"]


class Chain:
    def __init__(self, stack: Stack) -> None:
        self.stack, shop = stack, image("shop:1")
        self.shape: dict[str, Any] = {
            "name": NAME,
            "host": HOST,
            "large": LARGE,
            "shop": shop,
            "probe": probe_image(shop),
            "traefik": image("traefik:3.7"),
            "http_port": free_port(),
            "https_port": free_port(),
            "read": READ_SECONDS,
            "request": REQUEST_SECONDS,
            "body": BODY_MB,
            "children": CHILDREN,
            "ready": "/health",
            "release": "1",
        }

    def up(self, *, check: bool = True, **changes: Any) -> str:
        self.stack.write(PROGRAM.format(**(self.shape | changes)))
        said = self.stack.up(check=check)
        if check:
            self.shape |= changes
            self.trust = ssl.create_default_context(cadata=self.stack.outputs()["ca"])
        return said

    def socket(self, host: str = HOST) -> ssl.SSLSocket:
        raw = socket.create_connection(("127.0.0.1", self.shape["https_port"]), timeout=120)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        return self.trust.wrap_socket(raw, server_hostname=host)

    def ask(self, path: str, body: bytes | None = None, host: str = HOST, **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(host, self.shape["https_port"], timeout=120)
        connection.sock = self.socket(host)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent.setdefault("Content-Type", "application/octet-stream")
        with contextlib.suppress(*REFUSED):
            connection.request("GET" if body is None else "POST", path, body, sent)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def upload(self, size: int, together: threading.Barrier, turn: threading.Lock) -> tuple[int, bytes]:
        """A body whose last byte waits until all that share `together` have sent theirs, or were refused, and then for
        its `turn`: PHP works on one at a time, so its time limit says nothing about how many there are."""
        one, sent = self.socket(), 0
        head = f"POST /body HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/octet-stream\r\nConnection: close\r\n"
        answer = b""
        with contextlib.suppress(*REFUSED):
            one.sendall(f"{head}Content-Length: {size}\r\n\r\n".encode())
            while sent < size - 1 and not answer:
                part = min(65536, size - 1 - sent)
                one.sendall(b"x" * part)
                sent += part
                answer = self._so_far(one)
        if answer:
            answer += everything(one)
        together.wait()
        with turn:
            if not answer:
                with contextlib.suppress(*REFUSED):
                    one.sendall(b"x")
                answer = everything(one)
        return parsed(answer)

    @staticmethod
    def _so_far(one: ssl.SSLSocket) -> bytes:
        one.setblocking(False)
        try:
            return one.recv(65536)
        except ssl.SSLWantReadError:
            return b""
        finally:
            one.settimeout(120)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    made = Chain(Stack(tmp_path_factory.mktemp("chain"), "chain"))
    assert not list(containers_of(NAME)), "left by an earlier run"
    try:
        made.up()
        yield made
    finally:
        made.stack.destroy()


def parallel(work: list[Callable[[], Any]]) -> list[Any]:
    found: list[Any] = [None] * len(work)

    def one(index: int) -> None:
        found[index] = work[index]()

    threads = [threading.Thread(target=one, args=(index,)) for index in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def everything(one: ssl.SSLSocket) -> bytes:
    """What comes until the server closes."""
    answer = b""
    with contextlib.suppress(*REFUSED):
        while part := one.recv(65536):
            answer += part
    return answer


def parsed(answer: bytes) -> tuple[int, bytes]:
    """Status (0 without an answer), and everything after the header."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]) if head else 0, body


def multipart(size: int) -> tuple[bytes, str]:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
    return head + b"y" * size + b"\r\n--x--\r\n", "multipart/form-data; boundary=x"


# Bodies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("host", "limit"), [(HOST, BODY_MB), (LARGE, 128)])
def test_a_body_up_to_the_limit_arrives_whole(chain: Chain, host: str, limit: int) -> None:
    for size in {limit * MIB, limit * MIB // 2 + 7}:
        status, said = chain.ask("/body", bytes(size), host)
        assert (status, json.loads(said)["raw"]) == (200, size)
    assert chain.ask("/body", bytes(limit * MIB + 1), host)[0] == 413


@pytest.mark.parametrize(("host", "limit"), [(HOST, BODY_MB), (LARGE, 128)])
def test_a_file_up_to_the_limit_arrives_whole(chain: Chain, host: str, limit: int) -> None:
    size = limit * MIB - 1024  # the form has a header too
    body, kind = multipart(size)
    status, said = chain.ask("/body", body, host, Content_Type=kind)
    assert (status, json.loads(said)["files"]) == (200, {"file": [size, 0]})
    body, kind = multipart(limit * MIB)
    assert chain.ask("/body", body, host, Content_Type=kind)[0] == 413


def test_bodies_at_a_time(chain: Chain) -> None:
    """As many as there is room for arrive whole; beyond it some are refused, and none comes to PHP as an empty one."""
    size, room = BODY_MB * MIB, 64 // BODY_MB

    def together(count: int) -> list[tuple[int, bytes]]:
        barrier, turn = threading.Barrier(count), threading.Lock()
        return parallel([lambda: chain.upload(size, barrier, turn)] * count)

    assert Counter(status for status, _ in together(room)) == {200: room}
    answers = together(room + 4)
    statuses = Counter(status for status, _ in answers)
    assert set(statuses) == {200, 503}, statuses
    for status, said in answers:
        if status == 200:
            assert f'"raw":{size}'.encode() in said
    assert chain.ask("/body", bytes(size))[0] == 200, "and it is over when they are"


def test_a_slow_client_has_the_time_that_the_gateway_says(chain: Chain) -> None:
    """Longer than `request_timeout_seconds`, which is about the work."""
    assert REQUEST_SECONDS < READ_SECONDS

    def upload(seconds: float) -> int:
        steps, size = 20, 100_000
        one = chain.socket()
        with contextlib.suppress(OSError):
            one.sendall(
                f"POST /body HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: text/x\r\nConnection: close\r\n"
                f"Content-Length: {size * steps}\r\n\r\n".encode()
            )
            for _ in range(steps):
                one.sendall(b"x" * size)
                time.sleep(seconds / steps)  # the speed of the client is what is tested
        return parsed(everything(one))[0]

    below, above = parallel([lambda: upload(READ_SECONDS - 3), lambda: upload(READ_SECONDS + 6)])
    assert below == 200
    assert above != 200


# Answers ----------------------------------------------------------------------------------------------------------


def test_large_answers_come_whole(chain: Chain) -> None:
    assert [len(chain.ask(f"/answer?mb={mb}")[1]) for mb in (1, 80, 200)] == [1 * MIB, 80 * MIB, 200 * MIB]


def test_answers_at_a_time_come_whole(chain: Chain) -> None:
    def slowly() -> int:
        one, got = chain.socket(), 0
        one.sendall(f"GET /answer?mb=20 HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        while part := one.recv(65536):
            got += len(part)
            time.sleep(len(part) / (10 * MIB))  # a client of 10 MiB/s
        return got

    assert min(parallel([slowly] * 14)) > 20 * MIB


def test_an_answer_in_time_and_one_that_is_late(chain: Chain) -> None:
    work = [lambda s=s: chain.ask(f"/work?ms={s * 1000}")[0] for s in (REQUEST_SECONDS - 1, REQUEST_SECONDS + 2)]
    assert parallel(work) == [200, 504]


def test_a_stream_comes_as_it_is_made(chain: Chain) -> None:
    one = chain.socket()
    one.sendall(
        f"GET /stream?ms=1000 HTTP/1.1\r\nHost: {HOST}\r\nAccept: text/event-stream\r\n"
        f"Accept-Encoding: gzip\r\nConnection: close\r\n\r\n".encode()
    )
    start, pauses = time.monotonic(), 0
    while one.recv(65536):
        now = time.monotonic()
        pauses += now - start > 0.5
        start = now
    assert pauses >= 2, "not all at its end"


# What arrives -----------------------------------------------------------------------------------------------------


def test_headers_up_to_16_kib(chain: Chain) -> None:
    assert chain.ask("/health", Cookie="a=" + "x" * 16000)[0] == 200
    assert chain.ask("/health?" + "x" * 16000)[0] == 200
    assert chain.ask("/health", Cookie="a=" + "x" * 17000)[0] == 400


def test_applications_see_the_address_that_was_asked(chain: Chain) -> None:
    port = str(chain.shape["https_port"])
    found = json.loads(chain.ask("/server?a=b")[1])
    assert (found["HTTP_HOST"], found["SERVER_PORT"]) == (f"{HOST}:{port}", port)
    assert (found["HTTPS"], found["REQUEST_URI"], found["SCRIPT_NAME"]) == ("on", "/server?a=b", "/front.php")


def test_files_of_users_behind_a_link(chain: Chain) -> None:
    assert chain.ask("/keep")[0] == 200
    assert chain.ask("/storage/kept.txt") == (200, b"kept")


def test_no_program_is_sent_as_text(chain: Chain) -> None:
    assert {name: chain.ask(f"/{name}")[0] for name in SOURCES} == dict.fromkeys(SOURCES, 404)
    assert {name: chain.ask(f"/{name}") for name in SERVED} == dict.fromkeys(SERVED, (200, b"SOURCE"))


def test_settings_of_php(chain: Chain) -> None:
    found = json.loads(chain.ask("/settings")[1])
    assert found["opcache"]["opcache.memory_consumption"] == 32 * MIB
    assert found["free"] < 32 * MIB, "which it has really reserved"
    assert found["opcache"]["opcache.validate_timestamps"] is False
    assert (found["ini"]["session.cookie_samesite"], found["ini"]["session.use_strict_mode"]) == ("Lax", "1")


# Health -----------------------------------------------------------------------------------------------------------


def web_containers() -> dict[str, Any]:
    return {one.name.removeprefix(f"{NAME}-"): one for one in containers_of(NAME)}


def test_health_leaves_no_lines_in_the_log(chain: Chain) -> None:
    (name,) = [
        name for name in web_containers() if name.startswith("web-") and name.endswith("-1") and "worker" not in name
    ]
    chain.ask("/notes.txt?seen")
    log = web_containers()[name].logs().decode()
    assert "/notes.txt" in log
    assert "/health" not in log
    assert "/ping" not in log


def test_a_full_pool_is_well(chain: Chain) -> None:
    """Files are served, and nothing calls the replica ill, while every child is busy and requests wait for one."""
    done = threading.Event()
    seen: Counter[Any] = Counter()

    def files() -> None:
        while not done.is_set():
            seen[chain.ask("/style.css")[0]] += 1
            done.wait(0.1)

    watch = threading.Thread(target=files)
    watch.start()
    try:
        answers = parallel([lambda: chain.ask(f"/work?ms={REQUEST_SECONDS * 900}")[0]] * (6 * CHILDREN))
    finally:
        done.set()
        watch.join()
    assert set(answers) <= {200, 504}, "never 503: the replica stays in traffic"
    assert set(seen) == {200}
    for name, one in web_containers().items():
        one.reload()
        assert one.attrs["State"].get("Health", {"Status": "healthy"})["Status"] == "healthy", name
        assert one.attrs["RestartCount"] == 0


# Releases ---------------------------------------------------------------------------------------------------------


def test_a_release_waits_for_requests_in_hand(chain: Chain) -> None:
    # The subject is the end of a container, not the time limit: on a busy machine a starting replica may be slow.
    chain.up(request=10 * REQUEST_SECONDS)
    stop, seen = threading.Event(), Counter[int]()

    def work() -> None:
        while not stop.is_set():
            seen[chain.ask(f"/work?ms={(REQUEST_SECONDS - 2) * 1000}")[0]] += 1

    threads = [threading.Thread(target=work) for _ in range(CHILDREN - 1)]
    for one in threads:
        one.start()
    try:
        chain.up(release="2")
    finally:
        stop.set()
        for one in threads:
            one.join()
    assert set(seen) == {200}
    assert json.loads(chain.ask("/server")[1])["RELEASE"] == "2"


def test_a_release_that_never_gets_ready_takes_no_job(chain: Chain) -> None:
    def background() -> dict[str, str]:
        return {name: one.id for name, one in web_containers().items() if "worker" in name or "scheduler" in name}

    before = background()
    assert len(before) == 2
    said = chain.up(check=False, release="3", ready="/nothing-here")
    assert "unhealthy" in said
    assert background() == before
    assert json.loads(chain.ask("/server")[1])["RELEASE"] == "2"
    chain.up(release="2")
    assert background() == before
    assert len([name for name in web_containers() if name.startswith("web-") and name.endswith("-php")]) == 1
