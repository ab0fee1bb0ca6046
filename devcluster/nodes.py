"""The nodes: each a kubelet on a containerd of its own, so that one can be lost without the others noticing."""

import json
import re
import signal
import urllib.request
from contextlib import suppress
from pathlib import Path

from devcluster.machine import HOST, ClusterError, Processes, run, wait_for
from devcluster.pki import Pki

_PAUSE = "tierstack.local/pause:1"


class Node:
    """One node by its number, from 1."""

    def __init__(self, number: int, home: Path, processes: Processes, pki: Pki, kubelet: str) -> None:
        self.number = number
        self.name = f"node{number}"
        self.home = home / self.name
        self.processes = processes
        self.pki = pki
        self.kubelet = kubelet
        self.socket = self.home / "containerd.sock"

    def ctr(self, *arguments: str, check: bool = True) -> str:
        """Standard output of containerd's own client in the namespace of Kubernetes."""
        return run("ctr", "-a", str(self.socket), "-n", "k8s.io", *arguments, check=check).stdout

    def start_containerd(self) -> None:
        """Start it and wait until it answers."""
        self.home.mkdir(parents=True, exist_ok=True)
        self._write_containerd()
        name = f"containerd-{self.name}"
        self.processes.start(name, ["containerd", "-c", str(self.home / "containerd.toml")])
        # By its code: what it prints of itself it prints without a server, too.
        ask = ("ctr", "-a", str(self.socket), "version")
        wait_for(name, lambda: run(*ask, check=False).returncode == 0, log=self.processes.log(name))

    def start_kubelet(self) -> None:
        """Start it; the node is Ready a few seconds later."""
        file = self.home / "kubelet.json"
        file.write_text(json.dumps(self._kubelet_settings(), indent=1))
        name = f"kubelet-{self.name}"
        command: list[str | Path] = [
            self.kubelet,
            *(f"--config={file}", f"--kubeconfig={self.pki.kubeconfig(self.name)}", f"--node-ip={HOST}"),
            *(f"--hostname-override={self.name}", f"--root-dir={self.home}/kubelet"),
            f"--node-labels=topology.kubernetes.io/zone=zone{self.number}",
        ]

        def answers() -> bool:
            # It ends when the container runtime says that it is not ready yet; a service manager would start it again.
            self.processes.start(name, command)
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self._health_port}/healthz", timeout=2):
                return True
            return False

        wait_for(name, answers, log=self.processes.log(name))

    @property
    def _health_port(self) -> int:
        return 10248 + self.number * 10

    def lose(self) -> None:
        """As by a power cut: kubelet, containerd and every process of its pods are killed, nobody is told."""
        tasks = self._tasks()
        self.processes.stop(f"kubelet-{self.name}", how=signal.SIGKILL)
        self.processes.stop(f"containerd-{self.name}", how=signal.SIGKILL)
        shims = _pids_of(rf"containerd-shim-runc-v2 .*-address {re.escape(str(self.socket))}")
        for pid in [*shims, *tasks]:
            run("kill", "-KILL", str(pid), check=False)

    def stop(self) -> None:
        """End kubelet, pods and containerd, and remove the networks of the pods."""
        networks = self._networks()
        self.processes.stop(f"kubelet-{self.name}", how=signal.SIGKILL)  # it would wait for pods that end below
        self.lose()
        for path in networks:
            run("umount", path, check=False)
            Path(path).unlink(missing_ok=True)

    def _networks(self) -> set[str]:
        """Files that hold the networks of the pods."""
        found: set[str] = set()
        for container in self.ctr("containers", "ls", "-q", check=False).split():
            info = self.ctr("containers", "info", container, check=False)
            namespaces = json.loads(info)["Spec"]["linux"]["namespaces"] if info else []
            found |= {one["path"] for one in namespaces if one["type"] == "network" and "path" in one}
        return {path for path in found if "/netns/cni-" in path}

    def _tasks(self) -> list[int]:
        """The first process of each container."""
        lines = self.ctr("tasks", "ls", check=False).splitlines()[1:]
        found = [line.split() for line in lines]
        return [int(fields[1]) for fields in found if len(fields) > 2 and fields[2] == "RUNNING"]

    def _write_containerd(self) -> None:
        plugins = next((path for path in ("/usr/lib/cni", "/opt/cni/bin") if Path(path, "bridge").exists()), None)
        if plugins is None:
            raise ClusterError("no CNI plugins: install them, apt-get install containernetworking-plugins")
        cni = self.home / "cni"
        cni.mkdir(exist_ok=True)
        bridge = {
            "type": "bridge",
            "bridge": f"cni{self.number}",
            "isGateway": True,
            "hairpinMode": True,
            "ipam": {
                "type": "host-local",
                "dataDir": str(self.home / "ipam"),
                "ranges": [[{"subnet": f"10.244.{self.number}.0/24"}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }
        portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
        chain = {"cniVersion": "0.4.0", "name": f"bridge{self.number}", "plugins": [bridge, portmap]}
        (cni / "10-bridge.conflist").write_text(json.dumps(chain, indent=1))
        (self.home / "containerd.toml").write_text(
            f"""version = 2
root = "{self.home}/root"
state = "{self.home}/state"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = "{self.socket}"
[ttrpc]
  address = "{self.socket}.ttrpc"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{_PAUSE}"
  # Where lowering the score is refused, runc stops with "can't get final child's PID from pipe".
  restrict_oom_score_adj = true
  max_container_log_line_size = 16384
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{cni}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""
        )

    def _kubelet_settings(self) -> dict[str, object]:
        file = self.pki.file
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": HOST,
            "port": 10250 + self.number * 10,
            "healthzPort": self._health_port,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": file("ca.crt")},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": file(f"{self.name}.crt"),
            "tlsPrivateKeyFile": file(f"{self.name}.key"),
            "clusterDNS": ["10.96.0.10"],
            "clusterDomain": "cluster.local",
            "containerRuntimeEndpoint": f"unix://{self.socket}",
            "volumePluginDir": str(self.home / "plugins"),
            # Kubelets that shared one directory would remove each other's logs as orphans.
            "podLogsDir": str(self.home / "pod-logs"),
            # Several kubelets on one machine: each counts the whole of it, so none may reserve or evict by it.
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": "/",
            "kubeletCgroups": "",
            "cgroupsPerQOS": False,
            "enforceNodeAllocatable": [],
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            "failSwapOn": False,
            "failCgroupV1": False,
            "imageGCHighThresholdPercent": 100,  # an image that is collected could not be pulled again
            # A sign of life every 4 s (a quarter of the lease) instead of 10 s.
            "nodeLeaseDurationSeconds": 16,
            "nodeStatusUpdateFrequency": "4s",
            "maxPods": 200,
            "registryPullQPS": 0,
            "serializeImagePulls": False,
        }


def _pids_of(pattern: str) -> list[int]:
    return [int(pid) for pid in run("pgrep", "-f", pattern, check=False).stdout.split()]
