"""The primary of a database with standbys killed at random moments while customers order: what was acknowledged, what
is there afterwards, and how long nobody could order.

TIERSTACK_KILLS: how often in each way, default 2. TIERSTACK_SEED: other moments, default 1. Figures of ten kills of
MySQL are in docs/measurements.md.
"""

import dataclasses
import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.database.docker.orders import TABLES, Customers
from tests.database.docker.standbys import ENGINES, Database
from tests.support import Stack, containers_of, docker_client
from tests.waiting import BACKOFF_SECONDS, until

KILLS = int(os.environ.get("TIERSTACK_KILLS", "2"))
SEED = int(os.environ.get("TIERSTACK_SEED", "1"))


@pytest.fixture(scope="module", params=ENGINES)
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    words = dataclasses.replace(ENGINES[request.param], name=f"t-kills-{request.param[:2]}")
    made = Database(Stack(tmp_path_factory.mktemp("kills"), "standby"), words)
    assert not list(containers_of(made.name)), "left by an earlier run"
    try:
        made.up()
        for one in TABLES:
            made.query(one)
        yield made
    finally:
        for client in list(made.clients):
            client.remove(force=True)
        made.stack.destroy()


def primary(database: Database) -> str:
    (found,) = (one for one, role in database.roles().items() if role == "primary")
    return found


@pytest.mark.parametrize("synchronous", [False, True], ids=["asynchronous", "synchronous"])
def test_a_standby_takes_over_from_a_killed_primary(
    database: Database, synchronous: bool, record_property: Callable[[str, object], None]
) -> None:
    """The container stays dead, as with a volume that cannot be mounted; its volume is there, so what is lost is
    named."""
    database.up(synchronous=synchronous)
    moments, kills = random.Random(SEED), list[dict[str, object]]()
    for _ in range(KILLS):
        before = primary(database)
        database.streaming(before, 2)
        with Customers(database) as customers:
            time.sleep(moments.uniform(0.2, 4))  # a moment nobody chose: not to wait for something
            killed = time.time()
            database.container(before).kill()
            done = database.promote("--accept-loss")
            promoted = time.time()
            customers.until_ordered(promoted)
            pause, ended = customers.pause(killed)
            seen = customers.end()
        told = done["lost_transactions"]
        kills.append({
            "acknowledged": seen.acknowledged, "lost": len(seen.lost), "told": told, "torn": seen.torn,
            "promote_s": round(promoted - killed, 1), "pause_s": round(pause, 1),
            # Orders go on while the command still lets the other servers follow: below 0.
            "next_order_after_promote_s": round(ended - promoted, 1), "failed": dict(Counter(one[:60] for one in seen.failed)),
        })  # fmt: skip
        print(json.dumps({"engine": database.words.engine, "synchronous": synchronous, **kills[-1]}))
        # What is told may have been under way, and acknowledged to nobody.
        assert len(seen.lost) <= told
        assert seen.torn == 0
        if synchronous:
            assert seen.lost == []
        if f"{database.name}-db-{before}" in done["left"]:
            database.tierstack("rejoin", "--server", before, "--replace-data")
    record_property("kills", json.dumps(kills))
    database.streaming(primary(database), 2)
    database.stack.unchanged()


def test_a_killed_primary_that_comes_back_has_everything(
    database: Database, record_property: Callable[[str, object], None]
) -> None:
    """`kill -9` of the server's first process, as the kernel does when memory is short: the daemon starts it again, and
    nobody promotes."""
    if os.geteuid() != 0:
        pytest.skip("processes of containers are root's to end, and this is not root")
    database.up(synchronous=False)
    server = database.container(primary(database))
    moments, pauses = random.Random(SEED), list[float]()
    with Customers(database) as customers:
        for _ in range(KILLS):
            customers.until_ordered(time.time())
            time.sleep(BACKOFF_SECONDS + moments.uniform(0.2, 4))  # a moment nobody chose: not to wait for something
            server.reload()
            restarts, killed = server.attrs["RestartCount"], time.time()
            os.kill(server.attrs["State"]["Pid"], 9)

            def again(restarts: int = restarts) -> bool:
                server.reload()
                return server.attrs["RestartCount"] > restarts

            until("it is started again", again)
            customers.until_ordered(time.time())
            pauses.append(round(customers.pause(killed)[0], 1))
        seen = customers.end()
    said = {"engine": database.words.engine, "kills": KILLS, "acknowledged": seen.acknowledged, "lost": len(seen.lost),
            "torn": seen.torn, "pauses_s": pauses, "failed": dict(Counter(one[:60] for one in seen.failed))}  # fmt: skip
    print(json.dumps(said))
    record_property("killed and started again", json.dumps(said))
    assert (seen.lost, seen.torn) == ([], 0)
    database.streaming(primary(database), 2)


def test_nothing_is_left(database: Database) -> None:
    database.stack.destroy()
    assert not list(containers_of(database.name))
    assert not [one.name for one in docker_client().volumes.list() if one.name.startswith(f"{database.name}-")]
