"""`tierstack up` killed at random moments: the next one always converges, without duplicates, orphans or lost data
(TIERSTACK_KILLS, TIERSTACK_SEED: see tests/kills.py). A quarter of the kills while everything is made from nothing, the
others while one configuration becomes another and back."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.shop import Shop, kubectl, without_backups
from tests.kills import KILLS, Kills

ROWS = 1000


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A stack of its own: application, database and Redis, one of each."""
    made = Shop(tmp_path, "shop-interrupted")
    made.change(_small)
    try:
        yield made
    finally:
        made.down()
        kubectl("delete", "namespace", made.namespace, "--ignore-not-found", "--wait=false")


def _small(config: dict[str, Any]) -> None:
    without_backups(config)
    config["app"] |= {"hostnames": ["interrupted.example"], "replicas": 1}
    config["app"]["roles"]["worker"]["count"] = 1


def _one(config: dict[str, Any]) -> None:
    config["images"]["app"] = "local:shop:1"
    config["redis"]["memory_mb"] = 256
    config["app"]["roles"]["scheduler"] = {"command": ["php", "/srv/shop/bin/schedule"], "single": True, "cpu": 0.02}
    config["app"] |= {"environment": {"GREETING": "hello", "ONLY_HERE": "1"}}


def _other(config: dict[str, Any]) -> None:
    """Another release with its migration, other files, other sizes, and no scheduler: every kind of operation."""
    config["images"]["app"] = "local:shop:2"
    config["redis"]["memory_mb"] = 288
    config["app"]["roles"].pop("scheduler", None)
    config["app"] |= {"environment": {"GREETING": "good morning"}}


def test_killed_at_random_moments(shop: Shop) -> None:
    there = _There(shop)
    kills = Kills(shop.checkout, shop.stack, there.is_what_is_held)
    shop.change(_one)
    creations = max(1, KILLS // 4)
    for number in range(creations):
        kills.kill_and_go_on("create", guess=40)
        if number < creations - 1:
            shop.checkout.tierstack("down", "-s", shop.stack, "--delete-data", "--yes")
    shop.sql(f"CREATE TABLE kept AS SELECT generate_series(1, {ROWS}) AS number")
    before = there.data()
    kills.changes(KILLS - creations, lambda: shop.change(_one), lambda: shop.change(_other), guess=20)
    assert there.data() == before, "a volume or the database was made anew"
    assert shop.sql("SELECT count(*), sum(number) FROM kept") == f"{ROWS}|{ROWS * (ROWS + 1) // 2}"
    kills.report()


class _There:
    """What the cluster holds of a stack."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.kinds: set[str] = set()

    def is_what_is_held(self, state: dict[str, Any]) -> None:
        """Of what is labelled as the stack's, and was not made by something in the cluster, nothing is missing in the state."""
        held = set()
        for resource in state["resources"]:
            inputs = resource.get("inputs") or {}
            if (
                resource["type"].startswith("kubernetes:")
                and inputs["metadata"].get("namespace") == self.shop.namespace
            ):
                group = inputs["apiVersion"].rpartition("/")[0]
                self.kinds.add(f"{inputs['kind']}.{group}" if group else inputs["kind"])
                held.add((inputs["kind"], inputs["metadata"]["name"]))
        label = "app.kubernetes.io/managed-by=tierstack"
        said = kubectl("-n", self.shop.namespace, "get", ",".join(sorted(self.kinds)), "-l", label, "-o", "json")
        items = [item["metadata"] | {"kind": item["kind"]} for item in json.loads(said)["items"]]
        found = {(item["kind"], item["name"]) for item in items if not item.get("ownerReferences")}
        assert found == held

    def data(self) -> set[str]:
        """Identities of what must never be made anew."""
        path = "jsonpath={range .items[*]}{.kind}/{.metadata.name}={.metadata.uid} {end}"
        kinds = "persistentvolumeclaims,clusters.postgresql.cnpg.io"
        return set(kubectl("-n", self.shop.namespace, "get", kinds, "-o", path).split())
