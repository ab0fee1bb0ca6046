"""The cluster under test: the one that `make cluster` brought up, or any other that the kubeconfig names."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from devcluster import operators
from devcluster.cluster import EXISTING, Cluster, home
from tests.cluster.shop import Shop


@pytest.fixture(scope="session", autouse=True)
def kubeconfig() -> None:
    """TIERSTACK_CLUSTER=existing uses the current kubeconfig as it is: its nodes hold the images (docs/cluster.md)."""
    if not EXISTING:
        if not (home() / "nodes").exists() or not Cluster().runs():
            pytest.skip("no cluster runs here; bring one up: make cluster")
        os.environ["KUBECONFIG"] = str(Cluster().kubeconfig)
    answer = subprocess.run(["kubectl", "get", "--raw", "/readyz"], capture_output=True, text=True)
    if answer.returncode:
        pytest.skip(f"the cluster does not answer: {answer.stderr.strip()[-200:]}")


@pytest.fixture(scope="session")
def own() -> Cluster:
    """The cluster of this machine, whose nodes a test may lose."""
    if EXISTING:
        pytest.skip("loses nodes, which only the cluster of `make cluster` may")
    return Cluster()


@pytest.fixture(scope="module")
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One stack for the steps of a file, up."""
    short = request.module.__name__.rpartition("test_")[2]
    one = Shop(tmp_path_factory.mktemp(short), f"shop-{short}")
    operators.make_bucket(one.bucket)
    try:
        one.up()
        yield one
    finally:
        one.down()
