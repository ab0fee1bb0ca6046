"""`tierstack up` killed at random moments on a real Docker daemon: the next one converges, without duplicates, leftovers
or lost data (TIERSTACK_KILLS, TIERSTACK_SEED: see tests/kills.py)."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.kills import KILLS, Kills
from tests.projects import Checkout, kill
from tests.support import containers_of, docker_client, image
from tierstack.platform import claim
from tierstack.platform.files import WRITES

PREFIX, STACK = "t-killed", "killed"
LABEL = f"app.kubernetes.io/part-of={PREFIX}"


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    docker_client()
    for one in ("postgres:17", "pgbouncer:1.24", "valkey:8.1", "traefik:3.7"):
        image(one)
    app = image("shop:1")  # by its id: a name may become another image meanwhile
    one = Checkout.make(tmp_path / "project")

    def change(config: dict[str, Any]) -> None:
        config["images"]["app"] = app
        # Small, so that a kill costs seconds: one of each, no backups.
        config["app"]["replicas"] = config["app"]["roles"]["worker"]["count"] = 1
        del config["backups"]

    one.local(STACK, PREFIX, change)
    yield one
    one.tierstack("down", "-s", STACK, "--delete-data", "--yes", code=None)


def there() -> dict[str, str]:
    """Everything on the daemon that is the stack's, by kind and name: its id, or when a volume was made."""
    daemon = docker_client()
    filters = {"label": LABEL}
    found = {f"container {one.name}": one.id for one in containers_of(PREFIX)}
    writers = daemon.containers.list(all=True, filters={"label": WRITES}, ignore_removed=True)
    found |= {f"container {one.name}": one.id for one in writers if one.labels[WRITES].startswith(PREFIX)}
    found |= {f"network {one.name} {one.id}": one.id for one in daemon.networks.list(filters=filters)}
    return found | {f"volume {one.name}": one.attrs["CreatedAt"] for one in daemon.volumes.list(filters=filters)}


def same(state: dict[str, Any]) -> None:
    """What is there is what the state holds: no second one, nothing half-made, no helper left."""
    held = set()
    for one in state["resources"]:
        kind = one["type"].rpartition(":")[2].lower()
        if one["type"].startswith("docker:index/") and kind in ("container", "network", "volume"):
            name = one["outputs"]["name"]
            held.add(f"{kind} {name} {one['id']}" if kind == "network" else f"{kind} {name}")
        elif one["type"] == claim.TYPE:
            held.add(f"volume {one['id']}")
    assert {*there()} == held


def test_killed_at_random_moments(checkout: Checkout) -> None:
    kills = Kills(checkout, STACK, same)
    creations = max(1, KILLS // 4)
    for number in range(creations):
        kills.kill_and_go_on("create", guess=25)
        if number < creations - 1:
            checkout.tierstack("down", "-s", STACK, "--delete-data", "--yes")
            assert there() == {}
    protected = [f"volume {one['id']}" for one in checkout.state(STACK)["resources"] if one.get("protect")]
    data = {name: made for name, made in there().items() if name in protected}
    assert data

    def one() -> None:
        checkout.config(STACK, lambda config: config["images"].update(app=image("shop:1")))
        checkout.config(STACK, lambda config: config.update(redis={"memory_mb": 128}))

    def other() -> None:
        checkout.config(STACK, lambda config: config["images"].update(app=image("shop:2")))
        checkout.config(STACK, lambda config: config.update(redis={"memory_mb": 160}))

    kills.changes(KILLS - creations, one, other, guess=25)
    assert data.items() <= there().items(), "a volume with data was made anew"
    kills.report()


def test_down_right_after_a_killed_up_leaves_nothing(checkout: Checkout) -> None:
    """Of what `up` was making; the volumes with data are the last that `down` finds."""
    moments = Kills(checkout, STACK, same).moments
    for _ in range(max(1, KILLS // 4)):
        process = checkout.start("up", "-s", STACK, "--json", quiet=True)
        with suppress(subprocess.TimeoutExpired):
            process.wait(moments.uniform(3, 15))
        kill(process)
        checkout.tierstack("down", "-s", STACK, "--delete-data", "--yes")
        assert there() == {}
