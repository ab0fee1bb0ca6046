"""Parts of a shop on one Docker host killed at random moments while customers order: what was acknowledged, and what is
there afterwards.

TIERSTACK_KILLS: how often each part, default 3. TIERSTACK_SEED: other moments, default 1. Figures of ten kills are in
docs/measurements.md.
"""

import json
import os
import random
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.load import Account, Customers, Site
from tests.projects import Checkout
from tests.support import docker_client, image
from tests.waiting import BACKOFF_SECONDS, until

HOST, PREFIX, STACK = "shop.localhost", "t-losses", "losses"
KILLS = int(os.environ.get("TIERSTACK_KILLS", "3"))
SEED = int(os.environ.get("TIERSTACK_SEED", "1"))
SWEEP_SECONDS = 90
"""The scheduler queues every order again that waits for more than a minute; then a worker takes it."""


class Shop:
    """The stack of this file."""

    def __init__(self, folder: Path) -> None:
        self.checkout = Checkout.make(folder)
        port = self.checkout.local(STACK, PREFIX)
        done = self.checkout.json("up", "-s", STACK)
        self.site = Site(HOST, "127.0.0.1", ssl.create_default_context(cadata=done["outputs"]["ca"]), port)

    def sql(self, statement: str) -> str:
        """The answer of the primary."""
        command = ["psql", "-h", "/tmp", "-U", "postgres", "-d", "app", "-qAt", "-c", statement]
        ended = docker_client().containers.get(f"{PREFIX}-db-primary").exec_run(command)
        assert ended.exit_code == 0, ended.output.decode()
        return ended.output.decode().strip()

    def kill(self, container: str) -> None:
        """End the first process of a container as the kernel does when memory is short; the daemon starts it again,
        which it would not after `docker kill`."""
        one = docker_client().containers.get(container)
        before, pid = one.attrs["RestartCount"], one.attrs["State"]["Pid"]
        os.kill(pid, 9)

        def again() -> bool:
            one.reload()
            return one.attrs["RestartCount"] > before and one.attrs["State"]["Running"]

        until(f"{container} runs again", again)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    docker_client()
    if os.geteuid() != 0:
        pytest.skip("processes of containers are root's to end, and this is not root")
    for one in ("shop:1", "postgres:17", "pgbouncer:1.24", "valkey:8.1", "traefik:3.7", "barman:3"):
        image(one)
    folder = tmp_path_factory.mktemp("losses")
    try:
        yield Shop(folder)
    finally:
        Checkout(folder).tierstack("down", "-s", STACK, "--delete-data", "--yes", code=None)


def judged(shop: Shop, account: Account) -> dict[str, int]:
    """Acknowledged orders that are lost, orders that exist twice, and orders that no worker has processed."""
    rows = [row.split("|") for row in shop.sql("SELECT idempotency_key, id, status FROM orders").splitlines()]
    keys = [key for key, _, _ in rows]
    kept = {(key, order) for key, order, _ in rows}
    return {
        "orders": len(account.orders),
        "lost": sum((key, order) not in kept for key, order in account.orders.items()),
        "twice": len(keys) - len(set(keys)),
        "unprocessed": sum(status != "processed" for _, _, status in rows),
    }


@pytest.mark.parametrize(
    "part",
    ["db-primary", "redis", "db-pooler", "web-1-php", "worker-1", "gateway"],
)
def test_what_is_lost_when_a_part_is_killed(
    shop: Shop, part: str, record_property: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    containers = [one.name for one in docker_client().containers.list() if one.name.startswith(f"{PREFIX}-")]
    name = f"{PREFIX}-{part}"
    if name not in containers:  # those of an application have their release in the name
        (name,) = [one for one in containers if one.endswith(f"-{part}")]
    moments, pauses = random.Random(SEED), list[float]()
    with Customers(shop.site, count=8) as customers:
        account = customers.account
        for _ in range(KILLS):
            customers.until_written(time.monotonic(), 60)
            time.sleep(BACKOFF_SECONDS + moments.uniform(0.2, 3))  # a moment nobody chose: not to wait for something
            moment = time.monotonic()
            shop.kill(name)
            customers.until_written(moment + 0.1, 120)
            customers.until_written(time.monotonic(), 120)
            pauses.append(round(account.longest_gap(moment), 1))
    processed = "SELECT count(*) = 0 FROM orders WHERE status <> 'processed'"
    until("every order to be processed", lambda: shop.sql(processed) == "t", SWEEP_SECONDS, every=0.5)
    seen = judged(shop, account)
    said = {"part": part, "kills": KILLS, **seen, "failed": account.failed, "requests": account.answers.total()}
    record_property("losses", said)
    with capsys.disabled():
        print(f"\n{json.dumps({**said, 'pauses_s': pauses})}")
    assert (seen["lost"], seen["twice"], seen["unprocessed"]) == (0, 0, 0)
