"""A whole cluster on this machine: brought up, taken down, its images, its nodes."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from devcluster import dns
from devcluster.control_plane import SERVER, ControlPlane
from devcluster.machine import ClusterError, Processes, prepare_network, remove_network, run, wait_for, weigh_pods
from devcluster.nodes import Node
from devcluster.pki import Pki

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "kubelet",
    "kube-router",
    "local-path-provisioner",
    "metrics-server",
)
ESSENTIAL = ("tierstack.local/pause:1", "tierstack.local/base:trixie", dns.IMAGE)
"""Images without which no pod starts, or no volume is made."""


EXISTING = os.environ.get("TIERSTACK_CLUSTER") == "existing"
"""Whether the tests run on the cluster of the current kubeconfig, and not on one of this machine."""


def cache() -> Path:
    """What outlives a checkout: TIERSTACK_CACHE."""
    return Path(os.environ.get("TIERSTACK_CACHE") or Path.home() / ".cache" / "tierstack")


def home() -> Path:
    """Where the cluster lives: TIERSTACK_CLUSTER_HOME, else below the cache."""
    given = os.environ.get("TIERSTACK_CLUSTER_HOME")
    return Path(given) if given else cache() / "cluster"


def say(text: str) -> None:
    """Progress, for people."""
    print(text, file=sys.stderr, flush=True)


class Cluster:
    """The cluster of this machine, running or not."""

    def __init__(self, nodes: int = 3) -> None:
        self.home = home()
        if (self.home / "nodes").exists():
            nodes = int((self.home / "nodes").read_text())
        self.processes = Processes(self.home)
        self.pki = Pki(self.home / "pki", SERVER)
        self.nodes = [Node(number, self.home, self.processes, self.pki, "") for number in range(1, nodes + 1)]
        self.control = ControlPlane(self.home, self.processes, self.pki, {})

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.pki.kubeconfig("admin")

    def runs(self) -> bool:
        """Whether it was brought up and its API server is there."""
        return self.processes.runs("kube-apiserver")

    def up(self) -> None:
        """Bring everything up; what runs already is left alone. Raises ClusterError."""
        if os.geteuid() != 0:
            raise ClusterError("nodes are processes with networks of their own, which only root may make; use sudo")
        started = time.monotonic()
        (self.home / "nodes").write_text(str(len(self.nodes)))
        programs = {name: _program(name) for name in PROGRAMS}
        self.control.programs = programs
        self.pki.make(len(self.nodes))
        prepare_network()
        for node in self.nodes:
            node.kubelet = programs["kubelet"]
        with ThreadPoolExecutor() as pool:
            for done in [pool.submit(self.control.start), *(pool.submit(node.start_containerd) for node in self.nodes)]:
                done.result()
        self.load(ESSENTIAL)
        for node in self.nodes:
            node.start_kubelet()
        wait_for("nodes", lambda: self.ready_nodes() == len(self.nodes), log=self.processes.log("kubelet-node1"))
        self.control.start_network()
        self.control.kubectl("-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=120s")
        weigh_pods(len(self.nodes))
        say(f"{len(self.nodes)} nodes are Ready after {time.monotonic() - started:.1f} s.")

    def ready_nodes(self) -> int:
        """How many of its own nodes are Ready; others may be simulated."""
        lines = self.control.kubectl("get", "nodes", "--no-headers", check=False).splitlines()
        states = dict(line.split()[:2] for line in lines)
        return sum(states.get(node.name) == "Ready" for node in self.nodes)

    def load(self, images: Sequence[str]) -> None:
        """Import images of the Docker daemon into every node that lacks them."""
        with ThreadPoolExecutor() as pool:
            for done in [pool.submit(self._load, node, images) for node in self.nodes]:
                done.result()

    def _load(self, node: Node, images: Sequence[str]) -> None:
        there = set(node.ctr("images", "ls", "-q").split())
        absent = [image for image in images if image not in there or not self._is_current(node, image)]
        if not absent:
            return
        with tempfile.NamedTemporaryFile(dir=self.home, suffix=".tar") as archive:
            run("docker", "save", "-o", archive.name, *absent)
            node.ctr("images", "import", archive.name)
        for image in absent:
            # The id says whether a later build of the same name is another image.
            (node.home / "images").mkdir(exist_ok=True)
            (node.home / "images" / image.replace("/", "_")).write_text(_id(image))

    @staticmethod
    def _is_current(node: Node, image: str) -> bool:
        """Whether what was imported last under that name is what Docker has now. The kubelet may have removed it since,
        to make room on a full disk: only the node knows that."""
        with suppress(OSError):
            return (node.home / "images" / image.replace("/", "_")).read_text() == _id(image)
        return False

    def lose(self, name: str) -> None:
        """Lose a node as by a power cut."""
        self._node(name).lose()

    def restore(self, name: str) -> None:
        """Start a lost node again."""
        node = self._node(name)
        node.kubelet = _program("kubelet")
        node.start_containerd()
        node.start_kubelet()

    def _node(self, name: str) -> Node:
        found = {node.name: node for node in self.nodes}
        if name not in found:
            raise ClusterError(f"{name}: no such node; there are {', '.join(found)}")
        return found[name]

    def down(self) -> None:
        """Stop everything, and remove every trace."""
        for node in self.nodes:
            node.stop()
        for name in self.processes.names():
            # By force: what a polite end would save is deleted below.
            self.processes.stop(name, how=signal.SIGKILL)
        mounts = Path("/proc/mounts").read_text().splitlines()
        below = [line.split()[1] for line in mounts if line.split()[1].startswith(f"{self.home}/")]
        for path in sorted(below, reverse=True):
            run("umount", "-l", path, check=False)
        remove_network(len(self.nodes))
        run("rm", "-rf", "--one-file-system", str(self.home))


def _program(name: str) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / "toolchain" / "setup.py"), "--print-path", name], capture_output=True, text=True
    )
    if done.returncode:
        raise ClusterError(f"{name} is not there yet; get it with: python3 toolchain/setup.py cluster")
    return done.stdout.strip()


def _id(image: str) -> str:
    return run("docker", "image", "inspect", "--format", "{{.Id}}", image).stdout.strip()
