"""Three nodes by the real engine on a real daemon: what a lost, paused or replaced server costs a client that writes.

The tests of this file are steps of one run, in their order. Figures are printed (`pytest -s`) and in the report.
"""

import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from tests.redis_cluster.docker.three import NODES, Three, Writer
from tests.support import Stack, containers_of, docker_client, image
from tests.waiting import until

PLATFORM = "t-redis-three"
Record = Callable[[str, object], None]
PATIENCE = 5.0
"""Seconds in which an application tries again: libraries retry for some seconds, and web servers wait longer."""
FAILOVER = 20.0
"""Seconds without writes after a loss, at most: 3 until the Sentinels call it one, 1 to elect and promote, 1 for
HAProxy; or 12 more, when three Sentinels voted for three and try again."""
HANDOVER = PATIENCE
"""Seconds without writes in an ordered handover, at most: within the patience of an application."""
UNREPLICATED = 3
"""Acknowledged writes, 10 ms apart, that a killed primary may not have sent on: replication is asynchronous."""


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    docker_client()
    made = Three(Stack(tmp_path_factory.mktemp("redis"), PLATFORM))
    try:
        made.up()
        yield made
    finally:
        print(made.logs())
        made.stack.destroy()
    left = made.daemon.api
    named = {"filters": {"name": PLATFORM}}
    assert left.containers(all=True, **named) == []
    assert left.networks(**named) == []
    assert (left.volumes(**named)["Volumes"] or []) == []


def under_load(
    three: Three, record: Record, what: str, act: Callable[[], None], patience: float = PATIENCE
) -> tuple[Writer, list[int]]:
    """A client that writes while `act` runs; it, and which acknowledged writes are not there afterwards."""
    with Writer(three.client, patience) as writer:
        act()
        writer.goes_on()
    read = three.client(timeout=10)
    lost = writer.lost(read)
    read.close()
    figures = {
        "seconds without writes": round(writer.longest_pause(), 2),
        "acknowledged": len(writer.acknowledged),
        "lost": len(lost),
        "tried again": len(writer.retried),
        "failed": len(writer.failed),
    }
    print(f"\n{what}: {figures}; {writer.retried[:4]}")
    for name, figure in figures.items():
        record(f"{what}: {name}", figure)
    return writer, lost


def test_it_comes_up_and_a_second_preview_has_no_changes(three: Three) -> None:
    assert three.settled("the first update") == "redis"
    three.stack.unchanged()


def test_clients_reach_the_endpoint_and_nothing_else(three: Three) -> None:
    """From another container of their network; by TLS, because that is required."""
    script = """
    valkey-cli -h node-0 -p 6379 ping
    valkey-cli -h sentinel-0 -p 26379 ping
    valkey-cli -h redis -p 6379 ping
    valkey-cli -h redis -p 6380 --user app --tls --cacert /run/tierstack/ca/redis/ca.crt ping
    """
    said = three.daemon.containers.run(
        image("valkey:8.1"),
        ["sh", "-c", f"exec 2>&1; {script}"],
        network=f"{PLATFORM}-redis-network",
        volumes={f"{PLATFORM}-redis-ca": {"bind": "/run/tierstack/ca/redis", "mode": "ro"}},
        environment={"REDISCLI_AUTH": three.outputs["password"]},
        remove=True,
    )
    node, sentinel, plain, encrypted = said.decode().splitlines()
    assert all("Could not connect" in one for one in (node, sentinel, plain)), said
    assert encrypted == "PONG"


def test_each_user_may_do_what_it_is_for(three: Three) -> None:
    client = three.client()
    client("PUBLISH", "orders", "1")
    for channel in ("__sentinel__:hello", "__sentinel__:other"):
        with pytest.raises(RuntimeError, match="NOPERM"):
            client("PUBLISH", channel, "forged")
    assert client("PSUBSCRIBE", "*").startswith("psubscribe")
    client.close()
    proxy = 'REDISCLI_AUTH="$(cat /etc/redis/proxy-password)" valkey-cli --user proxy'
    assert "role:master" in three.execute("redis", f"{proxy} info replication")
    for command in ("get written:1", "config get requirepass", "client list", "replicaof no one"):
        assert "NOPERM" in three.execute("redis", f"{proxy} {command}")
    sentinel = 'REDISCLI_AUTH="$(cat /etc/redis/sentinel-password)" valkey-cli --user sentinel'
    for command in ("get written:1", "config get requirepass", "acl list", "publish orders 1", "flushall"):
        assert "NOPERM" in three.execute("redis", f"{sentinel} {command}")
    # The Sentinels have a password of their own: that of the nodes is refused.
    other = 'REDISCLI_AUTH="$(cat /etc/redis/password)" valkey-cli -h sentinel-1 -p 26379 ping'
    assert "WRONGPASS" in three.execute("redis", other)


def test_passwords_are_nowhere_in_clear(three: Three) -> None:
    files = ("password", "app-password", "sentinel-password", "proxy-password")
    passwords = [three.execute("redis", f"cat /etc/redis/{file}") for file in files]
    assert [len(one) for one in passwords] == [32] * 4
    shown = [three.stack.state(), subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout]
    for one in containers_of(PLATFORM):
        shown += [str(one.attrs), str(one.top()), one.logs().decode()]
    assert not any(password in text for text in shown for password in passwords)


def test_a_sentinel_that_spins_takes_a_quarter_of_a_core(three: Three) -> None:
    for index in range(3):
        limits = three.container(f"redis-sentinel-{index}").attrs["HostConfig"]
        assert limits["CpuQuota"] / limits["CpuPeriod"] == 0.25


def test_a_killed_primary_is_replaced(three: Three, record_property: Record) -> None:
    before = three.settled("what was before")
    writer, lost = under_load(three, record_property, "primary killed", three.container(before).kill, FAILOVER)
    assert writer.longest_pause() < FAILOVER
    assert writer.failed == []
    assert len(lost) <= UNREPLICATED
    three.container(before).start()
    assert three.settled("the return of the old primary") != before


def test_a_paused_primary_gets_nothing_and_keeps_nothing(three: Three, record_property: Record) -> None:
    """A partition: it is silent, and awakes in the belief that it is primary."""
    before = three.settled("what was before")
    paused = three.container(before)
    awake: list[str] = []

    def partition() -> None:
        paused.pause()
        until("another primary", lambda: three.sentinels_name() not in (set(), {before}), 60)
        until("writes by the other", lambda: len(three.primaries()) == 1)
        paused.unpause()
        # What it answers while it still believes: it refuses writes, or has heard of the new one.
        for _ in range(50):
            awake.append(three.ask(before, "set written-directly yes"))
            if "READONLY" in awake[-1]:
                break
        until("its end as primary", lambda: "slave" in three.ask(before, "role"), 60)

    writer, lost = under_load(three, record_property, "primary paused", partition, FAILOVER)
    assert writer.longest_pause() < FAILOVER
    assert writer.failed == []
    assert len(lost) <= UNREPLICATED
    assert "OK" not in awake, awake
    assert three.settled("the return of the paused one") != before
    assert three.ask(before, "get written-directly") == ""


def test_a_changed_setting_replaces_one_after_the_other(three: Three, record_property: Record) -> None:
    three.settled("what was before")
    ids = {name: three.container(name).id for name in NODES}
    writer, lost = under_load(three, record_property, "planned change", lambda: three.up(memory=96))
    assert all(three.container(name).id != ids[name] for name in NODES)
    assert writer.failed == []
    assert writer.longest_pause() < HANDOVER
    assert lost == []
    three.settled("the change")
    assert three.ask("redis", "config get maxmemory").splitlines()[-1] == str(96 * 1024 * 1024)


def test_an_ordered_stop_hands_over(three: Three, record_property: Record) -> None:
    before = three.settled("what was before")
    stopped = three.container(before)
    begun = time.monotonic()
    writer, lost = under_load(three, record_property, "primary stopped", lambda: stopped.stop(timeout=60))
    assert time.monotonic() - begun < 40
    stopped.reload()
    assert stopped.attrs["State"]["ExitCode"] == 0
    assert writer.failed == []
    assert lost == []
    stopped.start()
    assert three.settled("the return") != before


def test_what_is_killed_inside_comes_back(three: Three, record_property: Record) -> None:
    three.settled("what was before")
    known = three.ask_sentinel(1, "sentinel myid")

    def kill() -> None:
        for name, process in (("redis-sentinel-1", "valkey"), ("redis-proxy", "haproxy")):
            one = three.container(name)
            count = one.attrs["RestartCount"]
            three.execute(
                name, f'for p in /proc/[0-9]*; do grep -qs "^{process}" $p/comm && kill -9 "${{p#/proc/}}"; done'
            )
            until(
                f"{name} is restarted",
                lambda name=name, count=count: three.container(name).attrs["RestartCount"] > count,
            )

    writer, lost = under_load(three, record_property, "Sentinel and HAProxy killed", kill)
    assert (writer.failed, lost) == ([], [])
    three.settled("the return of both")
    assert three.ask_sentinel(1, "sentinel myid") == known


def test_other_addresses_change_nothing(three: Three) -> None:
    """All stop, and start in another order, so that each gets the address that another had."""
    three.settled("what was before")
    client = three.client()
    client("SET", "kept", "yes")
    client("WAIT", "2", "5000")
    client.close()
    parts = [*NODES, *(f"redis-sentinel-{index}" for index in range(3)), "redis-proxy"]
    before = {name: three.address(name, "redis-store") for name in parts}
    for name in parts:
        three.container(name).kill()
    for name in [*parts[1:3], parts[0], *reversed(parts[3:])]:
        three.container(name).start()
    three.settled("other addresses")
    assert {name: three.address(name, "redis-store") for name in parts} != before
    until("an answer through the endpoint", lambda: three.client()("GET", "kept") == "yes")
    three.stack.unchanged()


def test_another_ca_under_load(three: Three, record_property: Record) -> None:
    old, ids = three.trusted(), {name: three.container(name).id for name in (*NODES, "redis-proxy")}
    writer, lost = under_load(three, record_property, "another CA", lambda: three.up(generation=2))
    assert (writer.failed, lost) == ([], [])
    assert three.trusted() != old
    assert {name: three.container(name).id for name in ids} == ids
    three.settled("another CA")


def test_three_become_one_and_three_again(three: Three, record_property: Record) -> None:
    """Not the first is primary, so that it must get everything before it is alone."""
    three.container(three.settled("what was before")).restart(timeout=60)
    if three.settled("a handover") == "redis":
        three.container("redis").restart(timeout=60)
        assert three.settled("another handover") != "redis"
    for nodes in (1, 3):
        what = f"to {nodes}"
        # The pause may be longer than an application waits: a node is replaced, and another name takes its place.
        writer, lost = under_load(three, record_property, what, lambda nodes=nodes: three.up(nodes=nodes), 60)
        assert (writer.failed, lost) == ([], []), what
        client = three.client()
        assert client("GET", "kept") == "yes"
        client.close()
        three.stack.unchanged()
    three.settled("three again")
