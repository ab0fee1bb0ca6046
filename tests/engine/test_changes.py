"""Rules about changes with the real engine: it refuses before anything is registered, and its state can be read."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import Stack
from tierstack.core.before import Before
from tierstack.engine import state_file

pytestmark = pytest.mark.engine

PROGRAM = """
from tierstack import DatabaseWithReplicas, Kubernetes

args = {
    "platform": Kubernetes(name="shop"),
    "tier": "100k",
    "image": "registry.example/postgresql:17.6@sha256:%s",
    "storage_gb": 20,
}
DatabaseWithReplicas("db", args)
"""
ROOT = "urn:pulumi:test::test::pulumi:pulumi:Stack::test-test"
COMPONENT = "urn:pulumi:test::test::tierstack:index:DatabaseWithReplicas::db"
PROVIDER = "urn:pulumi:test::test::pulumi:providers:kubernetes::shop"
MADE: list[dict[str, Any]] = [
    {"urn": ROOT, "custom": False, "type": "pulumi:pulumi:Stack"},
    {"urn": PROVIDER, "custom": True, "id": "1", "type": "pulumi:providers:kubernetes", "parent": ROOT},
    {
        "urn": COMPONENT,
        "custom": False,
        "type": "tierstack:index:DatabaseWithReplicas",
        "parent": ROOT,
        "outputs": {"database": "shop", "user": "app"},
    },
    {
        "urn": f"{COMPONENT.rpartition('::')[0]}$kubernetes:postgresql.cnpg.io/v1:Cluster::db",
        "custom": True,
        "id": "shop/db",
        "type": "kubernetes:postgresql.cnpg.io/v1:Cluster",
        "parent": COMPONENT,
        "provider": f"{PROVIDER}::1",
        "outputs": {
            "kind": "Cluster",
            "metadata": {"name": "db", "namespace": "shop"},
            "spec": {"storage": {"size": "50Gi"}, "imageName": "registry.example/postgresql:18.1"},
        },
    },
]


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """A stack whose state has a database of 50 GiB in version 18."""
    made = Stack(tmp_path)
    made.write(PROGRAM % ("0" * 64))
    manifest = {"time": "2026-01-01T00:00:00Z", "magic": "", "version": ""}
    file = tmp_path / "deployment.json"
    file.write_text(json.dumps({"version": 3, "deployment": {"manifest": manifest, "resources": MADE}}))
    made.run("stack", "import", f"--stack={made.name}", f"--file={file}")
    return made


def test_a_preview_refuses_what_the_database_cannot_become(stack: Stack) -> None:
    done = stack.run("preview", f"--stack={stack.name}", check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert 'DatabaseWithReplicas "db": 2 problems' in said
    assert "storage_gb = 20: is less than the 50Gi that the volume has" in said
    assert "[volume-shrinks, " in said
    assert "[database-older-version, " in said
    assert "random:index" not in said, "nothing was registered"


def test_the_state_is_read_without_the_engine(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{stack.folder}/state")
    before = Before(state_file.resources(stack.folder, stack.name, stack.name))
    assert set(before.resources) == {one["urn"] for one in MADE}
    assert before.component("DatabaseWithReplicas", "db") == {"database": "shop", "user": "app"}
    cluster = before.manifest("Cluster", "shop", "db")
    assert cluster
    assert cluster["spec"]["storage"] == {"size": "50Gi"}
