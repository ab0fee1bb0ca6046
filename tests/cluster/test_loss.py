"""Growth and loss under a load of orders, on a real cluster: from the 100k tier to the 1M tier and back, and every part
of it taken away in between.

The tests of this file are steps of one run, in their order. Each prints what it measured; goals and figures are in
docs/measurements.md. The bounds tell a setting without effect, on a machine with nothing else to do: with CloudNativePG's
own, a lost pod took 23 s and a lost node 75 s.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from devcluster.cluster import Cluster
from tests.cluster.shop import SIZES, Shop, kubectl, wait_until
from tests.load import Account, Customers

PATIENCE = 15
"""Seconds without orders that customers bear; the shop itself waits 25 for its database."""
APP = {"replicas": 2, "max_replicas": 3}
WORKERS = {"count": 1, "max_count": 2}


def small(config: dict[str, Any]) -> None:
    """The first tier; the counts of database and Redis are the tier's own. Volumes neither grow (these cannot) nor shrink."""
    config |= {"tier": "100k", **SIZES}
    _counted(config["app"])


def large(config: dict[str, Any]) -> None:
    """The second tier; the counts of database and Redis are the tier's own."""
    config |= {"tier": "1M", **SIZES}
    _counted(config["app"])


def _counted(app: dict[str, Any]) -> None:
    app |= APP
    app["roles"]["worker"] |= WORKERS


@contextmanager
def ordering(shop: Shop, what: str) -> Iterator[Account]:
    """Customers order meanwhile; afterwards no acknowledged order is lost, and none was made twice."""
    with Customers(shop.site()) as customers:
        customers.until_written(time.monotonic(), 30)
        yield customers.account
        customers.until_written(time.monotonic(), 120)
    account = customers.account
    wait_until("the database answers", lambda: shop.sql("SELECT 1") == "1", 120)
    lost, twice = shop.check_orders(account)
    total = sum(account.answers.values())
    print(
        f"\n{what}: {total} requests, {account.failed} failed {dict(account.answers)}; {len(account.orders)} orders "
        f"acknowledged, {lost} lost, {twice} twice; longest pause {account.longest_gap(account.written[0]):.1f} s"
    )
    assert (lost, twice) == (0, 0)


def settled(shop: Shop, database: int, redis: int) -> None:
    """Everything of a tier is ready."""
    wait_until(
        "PostgreSQL is ready", lambda: len(shop.pods("cnpg.io/cluster=db,cnpg.io/podRole=instance")) == database, 300
    )
    role = "jsonpath={.status.phase}"
    wait_until(
        "the cluster is healthy",
        lambda: "healthy" in kubectl("-n", shop.namespace, "get", "cluster.postgresql.cnpg.io", "db", "-o", role),
        300,
    )
    nodes = "app.kubernetes.io/instance=redis,app.kubernetes.io/component=node"
    wait_until("Redis is ready", lambda: len(shop.pods(nodes)) == redis, 180)


def primary(shop: Shop) -> str:
    """Name of the pod that takes writes."""
    path = "jsonpath={.status.currentPrimary}"
    return kubectl("-n", shop.namespace, "get", "cluster.postgresql.cnpg.io", "db", "-o", path)


def node_of(shop: Shop, pod: str) -> str:
    """The node that a pod runs on."""
    return kubectl("-n", shop.namespace, "get", "pod", pod, "-o", "jsonpath={.spec.nodeName}")


def stateful(steps: list[dict[str, str]]) -> list[str]:
    """Steps that replace or delete something that holds data."""
    kinds = ("Cluster", "StatefulSet", "PersistentVolumeClaim", "Namespace", "ObjectStore")
    return [
        f"{step['operation']} {step['urn']}"
        for step in steps
        if ("replace" in step["operation"] or "delete" in step["operation"])
        and step["urn"].split("::")[-2].rpartition(":")[2] in kinds
    ]


def test_the_preview_of_growth_replaces_nothing_stateful(shop: Shop) -> None:
    shop.change(large)
    assert stateful(shop.checkout.json("preview", "-s", shop.stack)["steps"]) == []


def test_growth_under_load(shop: Shop) -> None:
    with ordering(shop, "growth 100k → 1M") as account:
        begun = time.monotonic()
        shop.up()
        settled(shop, 3, 3)
        print(f"\ngrown in {time.monotonic() - begun:.0f} s")
    assert account.failed == 0


def test_the_primary_s_pod_is_killed(shop: Shop) -> None:
    with ordering(shop, "primary's pod killed") as account:
        old, moment = primary(shop), time.monotonic()
        kubectl("-n", shop.namespace, "delete", "pod", old, "--force", "--grace-period=0")
        wait_until("another is primary", lambda: primary(shop) not in (old, "pending"), 120)
        settled(shop, 3, 3)
    pause = account.longest_gap(moment)
    print(f"writes after {pause:.1f} s")
    assert pause <= PATIENCE


def test_the_redis_primary_is_killed(shop: Shop) -> None:
    labels = "app.kubernetes.io/instance=redis,app.kubernetes.io/component=node"
    with ordering(shop, "Redis primary killed") as account:
        moment = time.monotonic()
        pod = redis_primary(shop)
        kubectl("-n", shop.namespace, "delete", "pod", pod, "--force", "--grace-period=0")
        wait_until("another is primary", lambda: redis_primary(shop) not in ("", pod), 60)
        took = time.monotonic() - moment
        wait_until("all nodes are back", lambda: len(shop.pods(labels)) == 3, 120)
    print(f"Redis takes writes after {took:.1f} s; orders after {account.longest_gap(moment):.1f} s")
    assert took <= 12


def redis_primary(shop: Shop) -> str:
    """The node that the proxy of Redis leads to: the one that calls itself primary and has replicas."""
    for index in range(3):
        name = f"redis-node-{index}"
        command = (
            'REDISCLI_AUTH="$(cat /etc/redis/password 2>/dev/null || cat /run/tierstack/redis/password)" '
            "valkey-cli info replication"
        )
        text = kubectl("-n", shop.namespace, "exec", name, "--", "sh", "-c", command, check=False)
        if "role:master" in text and "connected_slaves:0" not in text:
            return name
    return ""


def switch_over(shop: Shop) -> None:
    """What `kubectl cnpg promote` does, and wait until all is well."""
    old = primary(shop)
    target = next(pod for pod in shop.pods("cnpg.io/cluster=db,cnpg.io/podRole=instance") if pod != old)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    status = {"status": {"targetPrimary": target, "targetPrimaryTimestamp": now, "phase": "Switchover in progress"}}
    kubectl(
        *("-n", shop.namespace, "patch", "cluster.postgresql.cnpg.io", "db", "--subresource=status"),
        *("--type=merge", "-p", json.dumps(status)),
    )
    wait_until("the other one is primary", lambda: primary(shop) == target, 120)
    settled(shop, 3, 3)


def test_a_planned_switchover(shop: Shop) -> None:
    with ordering(shop, "planned switchover") as account:
        moment = time.monotonic()
        switch_over(shop)
    pause = account.longest_gap(moment)
    print(f"pause {pause:.1f} s")
    assert account.failed == 0
    assert pause <= PATIENCE


def test_a_node_is_drained(shop: Shop, own: Cluster) -> None:
    node = node_of(shop, primary(shop))
    with ordering(shop, f"{node} drained, with the primary") as account:
        drain = ("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=240s")
        try:
            kubectl(*drain, f"--pod-selector=app.kubernetes.io/part-of={shop.namespace}")
        finally:
            kubectl("uncordon", node)
        settled(shop, 3, 3)
    assert account.failed == 0


def test_the_primary_s_node_is_lost(shop: Shop, own: Cluster) -> None:
    # The archive is outside of a real cluster. Lost together with the primary, it holds up the promotion (98 s seen).
    archive = kubectl("-n", "s3", "get", "pods", "-o", "jsonpath={.items[0].spec.nodeName}")
    if node_of(shop, primary(shop)) == archive:
        switch_over(shop)
    old = primary(shop)
    node = node_of(shop, old)
    with ordering(shop, f"{node} lost, with the primary") as account:
        moment = time.monotonic()
        own.lose(node)
        try:
            wait_until("another is primary", lambda: primary(shop) not in (old, "pending"), 180)
            wait_until("orders again", lambda: any(at > moment + 1 for at in account.written[-20:]), 180)
            time_to_write = account.longest_gap(moment)
        finally:
            own.restore(node)
        wait_until("all nodes are Ready", lambda: own.ready_nodes() == 3, 120)
        settled(shop, 3, 3)
    assert time_to_write <= 60


def test_back_to_the_smaller_tier_under_load(shop: Shop) -> None:
    shop.change(small)
    with ordering(shop, "1M → 100k") as account:
        shop.up("--delete-data")  # the volumes of Redis's other two nodes
        settled(shop, 1, 1)
    assert account.failed == 0
