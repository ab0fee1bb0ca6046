"""The generated files of three nodes, run for real: who becomes primary, and how long writes wait.

The pauses are printed (`pytest -s`, and the report's properties); docs/components/redis-cluster.md holds them.
"""

from collections.abc import Callable, Iterator
from threading import Thread

import pytest

from tests.redis_cluster.docker.stand import Client, Stand, Writer, stand
from tests.waiting import until
from tierstack.redis_cluster import handover, kubernetes


@pytest.fixture
def empty() -> Iterator[Stand]:
    with stand() as made:
        yield made


@pytest.fixture
def cluster(empty: Stand) -> Stand:
    empty.start_all()
    settled(empty, "the first start")
    return empty


def settled(made: Stand, after: str) -> None:
    """One primary with two replicas in step, Sentinels that know all of it, writes through the endpoint.

    A Sentinel asks for replicas every 10 seconds, and before it knows them it has nothing to fail over to.
    """
    until(f"three healthy nodes after {after}", lambda: all(made.healthy(f"redis-node-{i}") for i in range(3)))
    until(f"one primary after {after}", lambda: len(made.primaries()) == 1)
    until(f"Sentinels that know all after {after}", lambda: all(made.sentinel_knows_all(i) for i in range(3)))
    # The proxy asks every half second: until then a node that was primary may still get every other client, and refuses
    # its writes. More connections than there are nodes reach each of those that the proxy holds to be the primary.
    until(f"writes after {after}", lambda: all(made.writes() for _ in range(6)))


def pause_of(
    made: Stand, record: Callable[[str, object], None], what: str, act: Callable[[], None]
) -> tuple[float, int]:
    """The longest pause of a client's writes while `act` takes the primary away, and how many of them were lost."""
    writer = Writer(made.address("proxy"))
    writer.write(lambda: len(writer.acknowledged) >= 100, "writes before")
    before = made.primaries()
    act()
    enough = len(writer.acknowledged) + 100
    writer.write(lambda: len(writer.acknowledged) >= enough and made.primaries() not in ([], before), "writes after")
    read = Client(made.address("proxy"), timeout=5)
    lost = writer.lost(read)
    read.close()
    pause = writer.longest_pause()
    print(f"\n{what}: {pause:.1f} s without writes, {len(lost)} of {len(writer.acknowledged)} acknowledged writes lost")
    record(f"{what}: seconds without writes", round(pause, 2))
    return pause, len(lost)


def test_the_first_node_begins_as_primary(cluster: Stand) -> None:
    assert cluster.primaries() == [0]


def test_a_killed_primary_is_replaced_and_comes_back_as_a_replica(
    cluster: Stand, record_property: Callable[[str, object], None]
) -> None:
    pause_of(cluster, record_property, "primary killed", lambda: cluster.containers["redis-node-0"].kill())
    (new,) = cluster.primaries()
    assert new != 0
    cluster.containers["redis-node-0"].start()
    settled(cluster, "the return of the old primary")
    assert cluster.primaries() == [new]


def test_an_ordered_handover_is_quick_and_loses_nothing(
    cluster: Stand, record_property: Callable[[str, object], None]
) -> None:
    def stop() -> None:
        cluster.execute("redis-node-0", "sh /etc/redis/stop.sh")
        cluster.containers["redis-node-0"].stop(timeout=30)

    stopping = Thread(target=stop)
    _, lost = pause_of(cluster, record_property, "primary stopped in order", stopping.start)
    stopping.join()
    assert lost == 0
    assert cluster.role(0) == "gone"


def test_after_an_outage_of_everything_the_last_primary_is_primary_again(cluster: Stand) -> None:
    cluster.execute("redis-node-0", "sh /etc/redis/stop.sh")
    settled(cluster, "the handover")
    (last,) = cluster.primaries()
    assert last != 0
    client = Client(cluster.address("proxy"))
    assert client("SET", "kept", "yes") == "OK"
    client("WAITAOF", "1", "0", "5000")
    client.close()
    members = [cluster.containers[f"redis-{kind}-{index}"] for kind in ("node", "sentinel") for index in range(3)]
    for member in members:
        member.kill()
    for member in members:  # the first node first: it must not think that it is alone
        member.start()
    settled(cluster, "the outage")
    client = Client(cluster.address("proxy"))
    assert client("GET", "kept") == "yes"
    client.close()


def test_sentinels_that_lost_their_memory_find_the_primary_that_is_serving(cluster: Stand) -> None:
    cluster.execute("redis-node-0", "sh /etc/redis/stop.sh")
    settled(cluster, "the handover")
    (serving,) = cluster.primaries()
    for index in range(3):
        cluster.remove(f"redis-sentinel-{index}", volume=True)
    for index in range(3):
        cluster.start_sentinel(index)
    settled(cluster, "new Sentinels")
    assert cluster.primaries() == [serving] != [0]


def test_a_primary_that_is_cut_off_refuses_writes(cluster: Stand) -> None:
    for index in (1, 2):
        cluster.containers[f"redis-node-{index}"].pause()
    client = Client(cluster.address("redis-node-0"))

    def refuses() -> bool:
        try:
            client("SET", "nobody", "hears")
        except RuntimeError as error:
            return "NOREPLICAS" in str(error)
        return False

    try:
        until("a refusal", refuses)
    finally:
        client.close()
        for index in (1, 2):
            cluster.containers[f"redis-node-{index}"].unpause()
    settled(cluster, "the return of the replicas")


def test_one_node_grows_to_three_without_losing_what_it_has(
    empty: Stand, record_property: Callable[[str, object], None]
) -> None:
    empty.start_node(0, nodes=1)
    until("one healthy node", lambda: empty.healthy("redis-node-0"))
    client = Client(empty.address("redis-node-0"))
    for number in range(1000):
        client("SET", f"old:{number}", str(number))
    client.close()
    # A rolling update: the new ones first, then the Service leads to HAProxy, and at last the first node restarts.
    for index in (0, 1, 2):
        empty.start_sentinel(index)
    empty.start_node(1)
    empty.start_node(2)
    empty.start_proxy()
    settled(empty, "the growth")
    assert empty.primaries() == [0]

    def restart() -> None:
        empty.execute("redis-node-0", "sh /etc/redis/stop.sh")
        empty.containers["redis-node-0"].stop(timeout=30)
        empty.remove("redis-node-0")
        empty.start_node(0)

    restarting = Thread(target=restart)
    _, lost = pause_of(empty, record_property, "one node grows to three", restarting.start)
    restarting.join()
    settled(empty, "the restart of the first node")
    client = Client(empty.address("proxy"))
    assert lost == 0
    assert [client("GET", f"old:{number}") for number in range(1000)] == [str(number) for number in range(1000)]
    client.close()


@pytest.mark.parametrize("primary", [0, 1])
def test_three_nodes_become_one_without_losing_what_they_have(
    cluster: Stand, record_property: Callable[[str, object], None], primary: int
) -> None:
    """As Kubernetes does it after the Job: all pods are told to stop at once, and the first comes back."""
    if primary != 0:
        cluster.execute("redis-node-0", "sh /etc/redis/stop.sh")
        settled(cluster, "a handover")
        assert cluster.primaries() != [0]
    script = kubernetes.node_files("redis", cluster.args(1))[handover.SCRIPT]

    def shrink() -> None:
        told = cluster.containers["redis-sentinel-0"].exec_run(["/bin/sh", "-c", script])
        assert told.exit_code == 0, told.output.decode()
        assert cluster.primaries() == [0]

        def stop(index: int) -> None:
            cluster.execute(f"redis-node-{index}", "sh /etc/redis/stop.sh")
            cluster.containers[f"redis-node-{index}"].stop(timeout=30)

        stopping = [Thread(target=stop, args=(index,)) for index in range(3)]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()
        cluster.remove("redis-node-0")
        cluster.start_node(0, nodes=1)

    failures: list[BaseException] = []

    def watched() -> None:
        try:
            shrink()
        except BaseException as error:
            failures.append(error)

    shrinking = Thread(target=watched)
    writer = Writer(cluster.address("proxy"))
    writer.write(lambda: len(writer.acknowledged) >= 100, "writes before")
    shrinking.start()
    # Through the proxy of three, as long as it is there: the single node counts for it.
    writer.write(lambda: not shrinking.is_alive(), "the end of the shrink")
    shrinking.join()
    enough = len(writer.acknowledged) + 100
    writer.write(lambda: len(writer.acknowledged) >= enough, "writes after")
    assert not failures, failures
    read = Client(cluster.address("proxy"), timeout=5)
    lost = writer.lost(read)
    read.close()
    print(
        f"\nthree become one: {writer.longest_pause():.1f} s without writes, {len(lost)} of {len(writer.acknowledged)} lost"
    )
    record_property("three become one: seconds without writes", round(writer.longest_pause(), 2))
    assert lost == []


def test_a_new_store_has_no_other_nodes(empty: Stand) -> None:
    empty.start_node(0, nodes=1)
    until("one healthy node", lambda: empty.healthy("redis-node-0"))
    script = kubernetes.node_files("redis", empty.args(1))[handover.SCRIPT]
    told = empty.containers["redis-node-0"].exec_run(["/bin/sh", "-c", script])
    assert (told.exit_code, "there are no other nodes" in told.output.decode()) == (0, True)
