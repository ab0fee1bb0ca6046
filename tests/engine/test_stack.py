"""The root project under the real engine, on the render target: nothing here needs Docker, a cluster or credentials."""

import functools
import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.shop import two_applications
from tests.projects import ROOT, Checkout

STALE = "rendered/{}/1-manifest/stale.yaml"
STATEFUL = {"Cluster", "StatefulSet", "PersistentVolumeClaim", "Namespace", "ObjectStore", "Database"}
"""Kinds whose replacement or deletion loses data."""
Rendered = Callable[[str], tuple[Checkout, dict[str, Any]]]


def copied(checkout: Checkout, folder: Path) -> Checkout:
    """The same project with all that is in it, for what changes it."""
    shutil.copytree(checkout.folder, folder)
    return Checkout(folder)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout.make(tmp_path / "project")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """A stack that is rendered over a stale manifest, and what the command said; made once for each stack."""

    @functools.cache
    def made(stack: str) -> tuple[Checkout, dict[str, Any]]:
        checkout = Checkout.make(tmp_path_factory.mktemp(stack) / "project")
        stale = checkout.folder / STALE.format(stack)
        stale.parent.mkdir(parents=True)
        stale.write_text("kind: ConfigMap\nmetadata: {name: stale}\n")
        return checkout, checkout.json("render", "-s", stack, DOCKER_HOST="tcp://127.0.0.1:1")

    return made


def documents(folder: Path) -> list[dict[str, Any]]:
    """The manifests in a folder."""
    files = [file for file in sorted(folder.rglob("*.yaml")) if file.name != "kustomization.yaml"]
    return [one for file in files for one in yaml.safe_load_all(file.read_text())]


def manifests(folder: Path) -> dict[str, dict[str, Any]]:
    """The same by kind and name."""
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in documents(folder)}


def are_valid(folder: Path) -> None:
    """The schemas of their kinds admit the manifests in a folder."""
    command = ["kubeconform", "-strict", "-ignore-filename-pattern", "kustomization.yaml$"]
    command += ["-schema-location", os.environ["TIERSTACK_SCHEMAS"], str(folder)]
    judged = subprocess.run(command, capture_output=True, text=True)
    assert judged.returncode == 0, judged.stdout


def events(output: str) -> list[tuple[str, str]]:
    """(operation, type and name) of each step of `pulumi preview --json`."""
    steps = json.loads(output[output.index("{") :])["steps"]
    return [(step["op"], "::".join(step["urn"].split("::")[-2:])) for step in steps]


def without_warnings(done: subprocess.CompletedProcess[str]) -> None:
    """A warning that means nothing hides one that does."""
    assert "warning" not in (done.stdout + done.stderr).lower(), done.stdout + done.stderr


def on_files(checkout: Checkout, stack: str, **settings: Any) -> None:
    """Make `stack` one that `pulumi up` itself renders."""

    def change(config: dict[str, Any]) -> None:
        config["platform"] = {"kind": "kubernetes", "render_to": "out", "secret_store": "vault", "name": "shop"}
        config.update(settings)

    checkout.config(stack, change)


def test_up_twice_then_the_larger_tier_then_destroy(checkout: Checkout) -> None:
    on_files(checkout, "staging")
    checkout.pulumi("stack", "init", "staging")
    without_warnings(checkout.pulumi("up", "--yes", "--skip-preview", "--stack=staging"))
    small = manifests(checkout.folder / "out")
    assert {name.partition("/")[0] for name in small} >= {"Cluster", "StatefulSet", "Deployment", "HTTPRoute"}

    without_warnings(checkout.pulumi("preview", "--expect-no-changes", "--stack=staging"))

    haproxy = yaml.safe_load((checkout.folder / "Pulumi.prod.yaml").read_text())["config"]["shop:images"]["haproxy"]
    on_files(checkout, "staging", tier="1M")
    checkout.config("staging", lambda config: config["images"].update(haproxy=haproxy))
    steps = events(checkout.pulumi("preview", "--json", "--stack=staging").stdout)
    lost = [
        (operation, name)
        for operation, name in steps
        if operation not in ("same", "create", "update", "read")
        and name.split("::")[0].rpartition(":")[2].split("$")[-1] in STATEFUL
    ]
    assert lost == []
    assert any(operation == "update" and "postgresql.cnpg.io" in name for operation, name in steps), steps

    without_warnings(checkout.pulumi("up", "--yes", "--skip-preview", "--stack=staging"))
    large = manifests(checkout.folder / "out")
    assert large["Cluster/db"]["spec"]["instances"] > small["Cluster/db"]["spec"]["instances"]

    without_warnings(checkout.pulumi("destroy", "--yes", "--skip-preview", "--stack=staging"))
    assert (
        json.loads(checkout.pulumi("stack", "export", "--stack=staging").stdout)["deployment"].get("resources", [])
        == []
    )


def test_a_wrong_configuration_registers_nothing_and_is_told_once(checkout: Checkout) -> None:
    on_files(checkout, "staging", tier="2M")
    checkout.config("staging", lambda config: config["app"].update(replicas="three", hostnmes=[]))
    checkout.pulumi("stack", "init", "staging")
    done = checkout.pulumi("up", "--yes", "--skip-preview", "--stack=staging", code=None)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "tier = '2M': is not a choice; write one of `100k`, `1M`" in said
    assert "app.replicas = 'three': is a text; write a whole number" in said
    assert "app.hostnmes: is not a known key; did you mean `hostnames`?" in said
    assert "Traceback" not in said
    resources = json.loads(checkout.pulumi("stack", "export", "--stack=staging").stdout)["deployment"]["resources"]
    assert [one["type"] for one in resources] == ["pulumi:pulumi:Stack"]


@pytest.mark.parametrize("stack", ["local", "staging", "prod"])
def test_render_writes_manifests_without_secrets_and_leaves_the_checkout_alone(rendered: Rendered, stack: str) -> None:
    checkout, done = rendered(stack)
    found = manifests(checkout.folder / "rendered" / stack)
    assert done["manifests"] == len(found) > 20
    assert (done["kept"], done["refused"]) == ([], [])
    assert not (checkout.folder / STALE.format(stack)).exists()
    assert not [name for name in found if name.startswith("Secret/")]
    assert (checkout.folder / f"Pulumi.{stack}.yaml").read_text() == (ROOT / f"Pulumi.{stack}.yaml").read_text()
    assert not list((checkout.folder / "state").iterdir())
    assert sorted(path.name for path in (checkout.folder / "rendered").iterdir()) == [stack]
    are_valid(checkout.folder / "rendered")


def test_two_applications_render_manifests_of_different_names(checkout: Checkout) -> None:
    """The stack that tests/cluster/test_apps.py applies."""
    checkout.config("apps", two_applications, base="staging")
    checkout.tierstack("render", "-s", "apps")
    folder = checkout.folder / "rendered" / "apps"
    are_valid(folder)
    found = Counter(f"{one['kind']}/{one['metadata']['name']}" for one in documents(folder))
    assert [name for name, times in found.items() if times > 1] == []
    workloads = {name for name in found if name.startswith("Deployment/")}
    assert workloads >= {f"Deployment/{name}" for name in ("shop", "shop-worker", "shop-scheduler")}
    assert workloads >= {f"Deployment/{name}" for name in ("admin", "admin-worker", "admin-reports")}
    assert {"HTTPRoute/shop", "HTTPRoute/admin"} <= found.keys()
    assert [name for name in found if name.startswith("Gateway/")] == ["Gateway/gateway"]


def test_manifests_of_data_stay_until_told_and_refused_changes_are_named(rendered: Rendered, tmp_path: Path) -> None:
    """A GitOps tool deletes what leaves the folder, so the folder keeps data that the configuration has lost."""
    checkout = copied(rendered("prod")[0], tmp_path / "project")
    folder = checkout.folder / "rendered" / "prod"
    before = manifests(folder)
    lost = [f"PersistentVolumeClaim data-redis-node-{index}" for index in (1, 2)]

    def smaller(config: dict[str, Any]) -> None:
        config["redis"] = {"nodes": 1}
        config["platform"]["storage_class"] = "fast"

    checkout.config("prod", smaller)
    kept = checkout.json("render", "-s", "prod", code=1)
    assert kept["kept"] == lost
    assert "Cluster db" in {line.partition(":")[0] for line in kept["refused"]}
    assert (
        before["PersistentVolumeClaim/data-redis-node-1"]
        == manifests(folder)["PersistentVolumeClaim/data-redis-node-1"]
    )
    assert "StatefulSet/redis-sentinel" not in manifests(folder)

    told = checkout.json("render", "-s", "prod", "--delete-data")
    assert (told["kept"], told["gone"]) == ([], lost)
    assert "PersistentVolumeClaim/data-redis-node-1" not in manifests(folder)


def test_without_docker_the_local_stack_is_rendered(checkout: Checkout) -> None:
    done = checkout.tierstack("up", "-s", "local", DOCKER_HOST="tcp://127.0.0.1:1")
    assert "no Docker daemon answers at tcp://127.0.0.1:1" in done.stderr
    assert "rendered/local" in done.stdout
    image = manifests(checkout.folder / "rendered" / "local")["Deployment/web"]["spec"]["template"]["spec"][
        "containers"
    ]
    assert "tierstack.local/shop:1" in {one["image"] for one in image}


def test_preview_of_a_rendered_stack_needs_nothing(checkout: Checkout) -> None:
    found = checkout.json("preview", "-s", "prod")
    assert found["platform"] == "render"
    assert found["changes"]["create"] > 30
    assert not (checkout.folder / "rendered" / "prod").exists()


def test_a_failed_render_keeps_what_was_there(rendered: Rendered, tmp_path: Path) -> None:
    checkout = copied(rendered("staging")[0], tmp_path / "project")
    before = manifests(checkout.folder / "rendered" / "staging")
    (checkout.folder / "stacks" / "__main__.py").write_text("raise SystemExit(3)\n")
    checkout.tierstack("render", "-s", "staging", code=1)
    assert manifests(checkout.folder / "rendered" / "staging") == before
    assert [path.name for path in (checkout.folder / "rendered").iterdir()] == ["staging"]


def test_a_secret_in_clear_is_not_written(checkout: Checkout) -> None:
    program = checkout.folder / "stacks" / "__main__.py"
    leak = """
from tierstack import Kubernetes
import pulumi
from tierstack.platform.kubernetes.cluster import Object
provider = pulumi.ProviderResource("kubernetes", "leak", {"renderYamlToDirectory": %r})
secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "leak"}, "stringData": {"password": "x"}}
Object("leak", secret, pulumi.ResourceOptions(provider=provider))
"""
    target = checkout.folder / "rendered" / ".staging.new"
    program.write_text(program.read_text() + leak % str(target))
    done = checkout.tierstack("render", "-s", "staging", code=1)
    assert "plaintext: leak" in done.stderr
    assert not (checkout.folder / "rendered" / "staging").exists()


def test_each_of_many_objects_is_a_manifest(checkout: Checkout) -> None:
    """How long 1,000 take is measured by `make bench`."""
    program = checkout.folder / "stacks" / "__main__.py"
    program.write_text(
        """
import json, os, pulumi
from tierstack import Kubernetes
from tierstack.platform.kubernetes.cluster import cluster
target = json.loads(json.loads(os.environ["PULUMI_CONFIG"])["shop:platform"])["render_to"]
home = cluster(Kubernetes(name="many", render_to=target))
parent = pulumi.ComponentResource("test:index:Many", "many")
for n in range(200):
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{n}"}, "data": {"n": str(n)}}
    home.object(f"c{n}", parent, manifest)
"""
    )
    done = checkout.json("render", "-s", "staging")
    assert done["manifests"] == 202  # with the namespace and what closes it
