"""The example shop while its stack is encrypted, and while certificates and CAs change: PHP through TLS, under load.

The tests of this file are steps of one run, in their order. The stack begins as one that was made before there were
certificates.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docker.test_shop import STACK, Shop
from tests.support import containers_of, docker_client, image
from tests.waiting import until

PREFIX = "t-encryption"
CLIENTS = 4


class Encrypted(Shop):
    """The shop, with what its stores demand."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.orders: list[str] = []
        self.change(lambda config: config["platform"].update(name=PREFIX))

    def change(self, change: Callable[[dict[str, Any]], Any]) -> None:
        self.checkout.config(STACK, change)

    def tls(self, mode: str) -> None:
        def change(config: dict[str, Any]) -> None:
            for store in ("database", "redis"):
                config[store]["tls"] = mode

        self.change(change)

    def generation(self, number: int) -> None:
        def change(config: dict[str, Any]) -> None:
            for store in ("database", "redis"):
                config[store]["ca_generation"] = number

        self.change(change)

    def superuser(self, sql: str) -> str:
        primary = docker_client().containers.get(f"{PREFIX}-db-primary")
        done = primary.exec_run(["psql", "-h", "/tmp", "-U", "postgres", "-d", "app", "-Xqtc", sql])
        assert done.exit_code == 0, done.output
        return done.output.decode().strip()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Encrypted]:
    docker_client()
    for one in ("shop:1", "postgres:17", "pgbouncer:1.24", "valkey:8.1", "traefik:3.7", "barman:3"):
        image(one)
    one = Encrypted(tmp_path_factory.mktemp("encryption"))
    one.tls("disable")
    one.up()
    yield one
    one.checkout.tierstack("down", "-s", STACK, "--delete-data", "--yes", code=None)


def under_load(shop: Encrypted, act: Callable[[], Any]) -> Counter[str]:
    """Answers to orders and to questions that ask database and Redis, by status, while `act` runs."""
    done, answers, lock = threading.Event(), Counter[str](), threading.Lock()

    def client(number: int) -> None:
        request = 0
        while not done.is_set():
            request += 1
            key = f"{time.time_ns()}-{number}-{request}"
            try:
                if request % 3:
                    status, _, _ = shop.ask("GET", "/api/health")
                else:
                    order = {"sku": "tea", "quantity": 1}
                    status, _, body = shop.ask("POST", "/api/orders", order, **{"Idempotency-Key": key})
                    if status == 201:
                        with lock:
                            shop.orders.append(str(json.loads(body)["id"]))
                seen = str(status)
            except OSError as error:
                seen = type(error).__name__
            with lock:
                answers[seen] += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for one in threads:
        one.start()
    try:
        until("requests before", lambda: sum(answers.values()) >= 200)
        act()
        enough = sum(answers.values()) + 200
        until("requests after", lambda: sum(answers.values()) >= enough)
    finally:
        done.set()
        for one in threads:
            one.join()
    return answers


def failed(answers: Counter[str]) -> dict[str, int]:
    return {status: count for status, count in answers.items() if status not in ("200", "201")}


def test_a_stack_in_clear_becomes_an_encrypted_one(
    shop: Encrypted, record_property: Callable[[str, object], None]
) -> None:
    """Servers are restarted once by each of the two updates, which existing connections notice; no order is lost."""
    made = docker_client().volumes.get(f"{PREFIX}-db-data").attrs["CreatedAt"]
    for mode in ("allow", "require"):
        shop.tls(mode)
        answers = under_load(shop, shop.up)
        print(f"{mode}: {dict(answers)}, not answered well: {failed(answers)}")
        record_property(f"{mode}: not answered well", str(failed(answers)))
        assert failed(answers).keys() <= {"503"}, "not the answer of a shop whose store is away for a moment"
    assert docker_client().volumes.get(f"{PREFIX}-db-data").attrs["CreatedAt"] == made
    assert int(shop.superuser("SELECT count(*) FROM orders")) >= len(shop.orders)
    own = "FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE client_addr IS NOT NULL"
    assert shop.superuser(f"SELECT bool_and(ssl) {own}") == "t"
    roles = f"SELECT string_agg(DISTINCT usename, ' ' ORDER BY usename) {own}"
    until("application and Barman", lambda: shop.superuser(roles) == "app tierstack_backup")


def test_other_certificates_under_load(shop: Encrypted, record_property: Callable[[str, object], None]) -> None:
    """Another CA, and with it other certificates, for both stores: nothing restarts and no request fails."""
    before = {one.name: one.id for one in containers_of(PREFIX)}
    shop.generation(2)
    answers = under_load(shop, shop.up)
    print(f"another CA: {dict(answers)}")
    record_property("another CA: answers", str(dict(answers)))
    assert failed(answers) == {}
    assert {one.name: one.id for one in containers_of(PREFIX)} == before
    found = shop.checkout.json("preview", "-s", STACK)
    assert (found["steps"], set(found["changes"])) == ([], {"same"})


def test_every_order_is_processed(shop: Encrypted) -> None:
    """Those of all steps: no job was lost in Redis, no row in PostgreSQL."""
    until(
        "no order left to process",
        lambda: shop.superuser("SELECT count(*) FROM orders WHERE status = 'pending'") == "0",
        120,
    )
    rows = shop.superuser("SELECT string_agg(id::text, ' ') FROM orders WHERE status = 'processed'").split()
    assert set(shop.orders) <= set(rows)
    print(f"{len(shop.orders)} orders acknowledged, all of them processed")
