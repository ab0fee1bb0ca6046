"""Rendered manifests on a real API server with its controllers, applied in every way that the page on GitOps names.

Nothing of them runs: the pods are meant for nodes that no cluster has. So a control plane without nodes is enough:
`TIERSTACK_CLUSTER=existing` and a kubeconfig, with the resources of the operators.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.shop import kubectl, wait_until
from tests.projects import Checkout
from tierstack.engine.manifests import read

NAMESPACE = "t-rendered"
STEPS = ("2-base", "3-data", "4-migration", "5-app")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return Checkout.make(tmp_path_factory.mktemp("rendered") / "project")


def rendered(checkout: Checkout, tier: str, folder: str) -> Path:
    """Production's manifests of a tier, for nodes that there are not."""

    def change(config: dict[str, Any]) -> None:
        config["tier"] = tier
        config["platform"] |= {"name": NAMESPACE, "node_selector": {"tierstack.dev/nowhere": "true"}}

    checkout.config("rendered", change, base="prod")
    checkout.tierstack("render", "-s", "rendered", "-o", folder)
    return checkout.folder / folder


@pytest.fixture
def namespace() -> Iterator[None]:
    gone()
    yield
    gone()


def gone() -> None:
    """Delete the namespace; the operators' finalizers wait for nothing here, but one may be absent."""
    kubectl("delete", "namespace", NAMESPACE, "--wait=false", "--ignore-not-found")
    wait_until(
        "the namespace is gone", lambda: f"namespace/{NAMESPACE}\n" not in kubectl("get", "ns", "-o", "name"), 180
    )


def sizes() -> dict[str, str]:
    """What each claim of Redis asks for."""
    claims = json.loads(kubectl("-n", NAMESPACE, "get", "pvc", "-o", "json"))["items"]
    return {one["metadata"]["name"]: one["spec"]["resources"]["requests"]["storage"] for one in claims}


def claims_are_made() -> None:
    """Those of the Sentinels come from the StatefulSet's controller, and those of the nodes where nobody made them."""
    last = {"data-redis-sentinel-2", "data-redis-node-2"}
    wait_until("the claims are made", lambda: last <= sizes().keys(), 60)
    found = sizes()
    assert {name: found[name] for name in found if "redis-node" in name} == {
        f"data-redis-node-{index}": "20Gi" for index in range(3)
    }


@pytest.mark.usefixtures("namespace")
def test_one_command_applies_everything_and_a_second_changes_nothing(checkout: Checkout) -> None:
    folder = rendered(checkout, "1M", "once")
    made = kubectl("apply", "-k", str(folder)).splitlines()
    assert len(made) == len(read(folder))
    assert all(line.endswith(" created") for line in made), made
    claims_are_made()
    # kubectl replaces the selector of a disruption budget in each patch, whether or not it differs.
    again = [line for line in kubectl("apply", "-k", str(folder)).splitlines() if "poddisruptionbudget" not in line]
    assert all(line.endswith(" unchanged") for line in again), again
    difference = subprocess.run(["kubectl", "diff", "-k", str(folder)], capture_output=True, text=True)
    assert difference.returncode == 0, difference.stdout[-4000:] + difference.stderr


@pytest.mark.usefixtures("namespace")
def test_folders_can_be_applied_one_after_the_other(checkout: Checkout) -> None:
    folder = rendered(checkout, "1M", "steps")
    for step in STEPS:
        kubectl("apply", "-f", str(folder / step))
    claims_are_made()


@pytest.mark.usefixtures("namespace")
def test_no_order_makes_a_smaller_volume(checkout: Checkout) -> None:
    """The StatefulSet before its claims, as a hurried hand applies it."""
    folder = rendered(checkout, "1M", "wrong")
    (space,) = folder.glob("2-base/*-v1-namespace-*")
    kubectl("apply", "-f", str(space))
    for file in folder.glob("3-data/*statefulset*"):
        kubectl("apply", "-f", str(file))
    claims_are_made()
    kubectl("apply", "-k", str(folder))
    claims_are_made()


@pytest.mark.usefixtures("namespace")
def test_the_larger_tier_needs_the_command_that_render_names(checkout: Checkout) -> None:
    folder = rendered(checkout, "100k", "grown")
    kubectl("apply", "-k", str(folder))
    wait_until("the claim is made", lambda: sizes().get("data-redis-node-0") == "5Gi", 60)
    shutil.copytree(folder, checkout.folder / "small")
    checkout.config("rendered", lambda config: config.update(tier="1M"))
    said = checkout.tierstack("render", "-s", "rendered", "-o", "grown").stderr
    command = re.search(r"kubectl (-n \S+ delete statefulset redis-node --cascade=orphan)", said)
    assert command, said
    kubectl(*command[1].split())
    applied = subprocess.run(["kubectl", "apply", "-k", str(folder)], capture_output=True, text=True)
    # A volume that is not bound to anything cannot grow, and none is bound without nodes.
    refused = [line for line in applied.stderr.splitlines() if "is invalid" in line or "forbidden" in line.lower()]
    assert all("data-redis-node-0" in line or "web-uploads" in line for line in refused), applied.stderr
    sets = json.loads(kubectl("-n", NAMESPACE, "get", "statefulset", "redis-node", "-o", "json"))
    assert sets["spec"]["replicas"] == 3
