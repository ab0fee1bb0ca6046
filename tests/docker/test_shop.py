"""The whole way on a real Docker daemon: a stack comes up, works under load, changes its image, goes down, comes back.

The tests of this file are steps of one run, in their order; a step that fails makes the rest fail.
"""

import http.client
import json
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.projects import Checkout
from tests.support import containers_of, docker_client, image
from tests.waiting import until

HOST, PREFIX, STACK = "shop.localhost", "t-proof", "proof"
REQUESTS, THREADS = 20_000, 16


class Shop:
    """The stack of this file."""

    def __init__(self, folder: Path) -> None:
        self.checkout = Checkout.make(folder)
        self.port = self.checkout.local(STACK, PREFIX)
        self.ca: ssl.SSLContext | None = None
        self.order = ""

    def up(self) -> dict[str, Any]:
        done = self.checkout.json("up", "-s", STACK)
        self.ca = ssl.create_default_context(cadata=done["outputs"]["ca"])
        return done

    def connection(self) -> http.client.HTTPSConnection:
        assert self.ca
        connection = http.client.HTTPSConnection(HOST, self.port, timeout=30, context=self.ca)
        # The name is for the certificate; where it leads to is here.
        connection._create_connection = lambda address, *rest: socket.create_connection(
            ("127.0.0.1", address[1]), *rest
        )
        return connection

    def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = self.connection()
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def order_status(self) -> str:
        status, _, body = self.ask("GET", f"/api/orders/{self.order}")
        assert status == 200, body
        return json.loads(body)["status"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    docker_client()
    for one in ("shop:1", "shop:2", "postgres:17", "pgbouncer:1.24", "valkey:8.1", "traefik:3.7", "barman:3"):
        image(one)
    one = Shop(tmp_path_factory.mktemp("proof"))
    yield one
    one.checkout.tierstack("down", "-s", STACK, "--delete-data", "--yes", code=None)


def left() -> list[str]:
    daemon = docker_client()
    names = [one.name for one in containers_of(PREFIX)]
    names += [one.name for one in daemon.volumes.list() if one.name.startswith(f"{PREFIX}-")]
    return names + [one.name for one in daemon.networks.list() if one.name.startswith(f"{PREFIX}-")]


def test_the_stack_comes_up(shop: Shop) -> None:
    done = shop.up()
    assert done["outputs"]["url"] == f"https://{HOST}:{shop.port}"
    assert set(done["changes"]) == {"create"}


def test_it_answers_through_tls_with_database_and_redis(shop: Shop) -> None:
    status, headers, body = shop.ask("GET", "/api/health")
    assert status == 200
    assert {name: check["status"] for name, check in json.loads(body)["checks"].items()} == {
        "database": "ok",
        "redis": "ok",
    }
    assert headers["X-App-Version"] == "1"


def test_an_order_goes_through_the_queue(shop: Shop) -> None:
    status, _, body = shop.ask("POST", "/api/orders", {"sku": "tea", "quantity": 1}, **{"Idempotency-Key": "proof-1"})
    assert status == 201, body
    shop.order = str(json.loads(body)["id"])
    until("the order to be processed", lambda: shop.order_status() == "processed", every=0.2)


def test_a_second_preview_has_nothing_to_do(shop: Shop) -> None:
    found = shop.checkout.json("preview", "-s", STACK)
    assert (found["steps"], set(found["changes"])) == ([], {"same"})


def test_twenty_thousand_requests_without_a_failure(shop: Shop) -> None:
    answers: Counter[str] = Counter()
    lock = threading.Lock()

    def client(number: int) -> None:
        connection, seen = shop.connection(), Counter[str]()
        for request in range(REQUESTS // THREADS):
            # What a customer asks for: /api/health answers 503 where a busy machine keeps a check waiting, and should.
            path = f"/api/orders/{shop.order}" if request % 10 == 0 else "/health"
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                answer.read()
                seen[str(answer.status)] += 1
            except OSError as error:
                seen[type(error).__name__] += 1
                connection = shop.connection()
        with lock:
            answers.update(seen)

    start = time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(client, range(THREADS)))
    took = time.monotonic() - start
    print(f"{REQUESTS} requests in {took:.1f} s: {dict(answers)}")
    assert answers == {"200": REQUESTS}


def test_another_image_replaces_the_application_and_nothing_else(shop: Shop) -> None:
    shop.checkout.config(STACK, lambda config: config["images"].update(app="local:shop:2"))
    before = {one.name: one.id for one in containers_of(PREFIX) if "-web-" not in one.name}
    changes = shop.checkout.json("preview", "-s", STACK)["steps"]
    assert changes
    touched = {step["urn"].rpartition("::")[2] for step in changes if "pulumi:providers:" not in step["urn"]}
    assert all(name.startswith(("web", "shop-")) for name in touched), touched
    shop.up()
    assert {one.name: one.id for one in containers_of(PREFIX) if "-web-" not in one.name} == before
    assert shop.ask("GET", "/health")[1]["X-App-Version"] == "2"
    assert shop.order_status() == "processed"


def test_down_keeps_the_data(shop: Shop) -> None:
    kept = shop.checkout.json("down", "-s", STACK)["kept"]
    assert kept
    assert all(line.startswith("volume ") for line in kept)
    assert [one.name for one in containers_of(PREFIX)] == []
    data = [line.removeprefix("volume ") for line in kept]
    # The claim holds no data. It stays as long as there is some, so that no other state takes it.
    assert sorted(left()) == sorted([f"{PREFIX}-claim", *data])


def test_it_comes_back_with_its_data(shop: Shop) -> None:
    shop.up()
    assert shop.order_status() == "processed"


def test_retained_data_is_not_deleted(shop: Shop) -> None:
    shop.checkout.config(STACK, lambda config: config["platform"].update(data_protection="retain"))
    shop.up()
    refused = shop.checkout.tierstack("down", "-s", STACK, "--delete-data", "--yes", code=1)
    assert "data_protection: protect" in refused.stderr
    assert shop.order_status() == "processed"
    shop.checkout.config(STACK, lambda config: config["platform"].update(data_protection="protect"))
    shop.up()


def test_down_with_the_flag_leaves_nothing(shop: Shop) -> None:
    shop.checkout.tierstack("down", "-s", STACK, "--delete-data", "--yes")
    assert left() == []
    assert "nothing to take down" in shop.checkout.tierstack("down", "-s", STACK).stdout
