"""The programs of examples/, each as a project of its own under the real engine.

Those in other languages are in test_languages.py, and compose and kubernetes, which the command reads too, in
test_any_project.py.
"""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.projects import ROOT, Checkout

EXAMPLES = ROOT / "examples"
ELSEWHERE = {"cluster", "compose", "kubernetes", "shop", "typescript", "yaml"}
RENDERED = ["external-database", "http-server", "redis-by-purpose", "two-apps"]
NOWHERE = """
apiVersion: v1
kind: Config
current-context: nowhere
clusters: [{name: nowhere, cluster: {server: "https://127.0.0.1:9"}}]
contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}]
users: [{name: nobody, user: {token: none}}]
"""


def project(folder: Path, name: str, **more: str) -> Checkout:
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "state").mkdir()
    images = {
        f"image:{image}": f"registry.example/{image}:17.6@sha256:{64 * '0'}" for image in ("app", "valkey", "postgres")
    }
    (folder / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": {**images, **more}}))
    made = Checkout(folder)
    made.pulumi("stack", "init", "dev")
    return made


def test_every_example_is_run() -> None:
    folders = {one.parent.name for one in EXAMPLES.glob("*/Pulumi.yaml")} | {"shop"}
    assert folders == {*RENDERED, *ELSEWHERE, "own-parent"}


@pytest.mark.parametrize("name", RENDERED)
def test_it_comes_up_stays_and_goes(name: str, tmp_path: Path) -> None:
    checkout = project(tmp_path / name, name)
    checkout.pulumi("up", "--yes", "--skip-preview", "-s", "dev")
    written = {file.name for file in (tmp_path / name / "rendered").rglob("*.yaml")}
    assert len(written) > 10
    checkout.pulumi("preview", "--expect-no-changes", "-s", "dev")
    checkout.pulumi("destroy", "--yes", "--skip-preview", "-s", "dev")
    assert not list((tmp_path / name / "rendered").rglob("*.yaml"))


def test_the_component_around_others_is_previewed_without_its_cluster(tmp_path: Path) -> None:
    """Protection, provider and parent of everything in it; the old name of what moved into it."""
    checkout = project(tmp_path / "own", "own-parent", **{"cluster:kubeconfig": NOWHERE})
    planned = json.loads(checkout.pulumi("preview", "--json", "-s", "dev").stdout)
    made = [one["newState"] for one in planned["steps"]]
    objects = [one for one in made if one["type"].startswith("kubernetes:")]
    assert len(objects) > 10
    assert [one["urn"] for one in objects if not one.get("protect")] == []
    assert {one["provider"].rpartition("::")[0].rpartition("::")[2] for one in objects} == {"own"}
    (team,) = (one["urn"] for one in made if one["type"] == "company:index:DataTier")
    components = [one for one in made if one["type"].startswith("tierstack:")]
    assert {one["parent"] for one in components} == {team}
    assert "orders-queue" in {one["urn"].rpartition("::")[2] for one in components}
    names = {one["inputs"]["metadata"]["name"] for one in objects if one["type"].endswith(":StatefulSet")}
    assert names == {"redis-node"}
