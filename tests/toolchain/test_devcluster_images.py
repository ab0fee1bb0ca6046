"""Which images go into a node of the development cluster, with stand-ins for Docker and containerd."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from devcluster import cluster
from devcluster.nodes import Node

pytestmark = pytest.mark.pure
IMAGE = "tierstack.local/shop:2"


class Machine:
    """What Docker has by name, and one node that imports what Docker saved last."""

    def __init__(self, home: Path) -> None:
        self.docker = {IMAGE: "sha256:a"}
        self.imported: list[list[str]] = []
        self.saved: list[str] = []
        self.there: set[str] = set()
        self.home = home

    def run(self, *command: str, **_: Any) -> SimpleNamespace:
        if command[:2] == ("docker", "save"):
            self.saved = list(command[4:])
            return SimpleNamespace(stdout="")
        return SimpleNamespace(stdout=f"{self.docker[command[-1]]}\n")

    def ctr(self, *command: str) -> str:
        if command[:2] == ("images", "ls"):
            return "".join(f"{name}\n" for name in self.there)
        self.imported.append(self.saved)
        self.there |= set(self.saved)
        return ""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.setattr(cluster, "run", made.run)
    return made


def load(machine: Machine) -> None:
    owner = SimpleNamespace(home=machine.home, _is_current=cluster.Cluster._is_current)
    cluster.Cluster._load(cast(cluster.Cluster, owner), cast(Node, machine), [IMAGE])


def test_an_image_goes_into_a_node_once(machine: Machine) -> None:
    load(machine)
    load(machine)
    assert machine.imported == [[IMAGE]]


def test_another_build_of_the_same_name_goes_in_again(machine: Machine) -> None:
    load(machine)
    machine.docker[IMAGE] = "sha256:b"
    load(machine)
    assert machine.imported == [[IMAGE], [IMAGE]]


def test_an_image_that_the_node_has_lost_goes_in_again(machine: Machine) -> None:
    load(machine)
    machine.there.clear()  # as the kubelet does on a full disk
    load(machine)
    assert machine.imported == [[IMAGE], [IMAGE]]
