"""etcd, the API server and what runs beside it on the machine itself, one process each."""

import json
import os
from pathlib import Path

from devcluster import dns, volumes
from devcluster.machine import BALANCERS, HOST, PODS, SERVICES, Processes, run, wait_for
from devcluster.pki import Pki

SERVER = f"https://{HOST}:6443"
_ETCD = "http://127.0.0.1:12379"  # not etcd's usual port, which a system service may hold
_DNS = "10.96.0.10"
_METRICS_PORT = 4443


class ControlPlane:
    """The processes of a cluster that are not a node's. `program` gives the path of one by name."""

    def __init__(self, home: Path, processes: Processes, pki: Pki, programs: dict[str, str]) -> None:
        self.home = home
        self.processes = processes
        self.pki = pki
        self.programs = programs
        self.kubeconfig = str(pki.kubeconfig("admin"))

    def kubectl(self, *arguments: str, input: str | None = None, check: bool = True) -> str:
        """Standard output of a kubectl command as administrator."""
        return run("kubectl", f"--kubeconfig={self.kubeconfig}", *arguments, input=input, check=check).stdout

    def apply(self, manifests: list[dict[str, object]]) -> None:
        """Apply objects, the way the components do: on the server, with an owner."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
        self.kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=cluster", "-f", "-", input=text)

    def start(self) -> None:
        """Start everything and wait until the API answers."""
        start, file = self.processes.start, self.pki.file
        peer = "http://127.0.0.1:12380"
        start(
            "etcd",
            [
                *("etcd", "--name=only", f"--data-dir={self.home}/etcd", f"--initial-cluster=only={peer}"),
                *(f"--listen-client-urls={_ETCD}", f"--advertise-client-urls={_ETCD}"),
                *(f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"),
                "--quota-backend-bytes=4294967296",
            ],
        )
        start(
            "kube-apiserver",
            [
                self.programs["kube-apiserver"],
                *(f"--etcd-servers={_ETCD}", f"--bind-address={HOST}", "--secure-port=6443"),
                *(f"--advertise-address={HOST}", f"--client-ca-file={file('ca.crt')}"),
                *(f"--tls-cert-file={file('apiserver.crt')}", f"--tls-private-key-file={file('apiserver.key')}"),
                *(f"--service-account-key-file={file('sa.key')}", f"--service-cluster-ip-range={SERVICES}"),
                f"--service-account-signing-key-file={file('sa.key')}",
                "--service-account-issuer=https://kubernetes.default.svc",
                *("--authorization-mode=Node,RBAC", "--allow-privileged=true"),
                "--enable-admission-plugins=NodeRestriction",
                f"--kubelet-client-certificate={file('admin.crt')}",
                f"--kubelet-client-key={file('admin.key')}",
                "--kubelet-preferred-address-types=InternalIP",
                # The aggregation layer, through which metrics for autoscalers are served.
                f"--requestheader-client-ca-file={file('ca.crt')}",
                "--requestheader-allowed-names=front-proxy-client",
                "--requestheader-username-headers=X-Remote-User",
                "--requestheader-group-headers=X-Remote-Group",
                "--requestheader-extra-headers-prefix=X-Remote-Extra-",
                f"--proxy-client-cert-file={file('front-proxy.crt')}",
                f"--proxy-client-key-file={file('front-proxy.key')}",
            ],
        )
        api = ("get", "--raw", "/readyz")
        wait_for("API server", lambda: self.kubectl(*api, check=False), log=self.processes.log("kube-apiserver"))
        config = self.pki.kubeconfig
        start(
            "kube-controller-manager",
            [
                self.programs["kube-controller-manager"],
                *(f"--kubeconfig={config('controllers')}", "--bind-address=127.0.0.1"),
                *(f"--service-account-private-key-file={file('sa.key')}", f"--root-ca-file={file('ca.crt')}"),
                # A node counts as lost after 16 s without a sign of life, instead of 50 s: four of its kubelet's leases
                # (see nodes.py). It costs each node a write to etcd every 4 s instead of every 10 s, and an API server
                # that is silent for 16 s makes all nodes look lost.
                *("--node-monitor-grace-period=16s", "--node-monitor-period=2s"),
                # There is one of it. With an election it ends itself when the API server is slow for ten seconds, as on
                # a busy machine, and then nothing makes pods any more.
                "--leader-elect=false",
                *("--use-service-account-credentials", f"--cluster-signing-cert-file={file('ca.crt')}"),
                f"--cluster-signing-key-file={file('ca.key')}",
            ],
        )
        start(
            "kube-scheduler",
            [
                self.programs["kube-scheduler"],
                *(f"--kubeconfig={config('scheduler')}", "--bind-address=127.0.0.1", "--leader-elect=false"),
            ],
        )
        self._service_proxy()
        self.apply(dns.manifests(_DNS))
        self._volumes()
        self._metrics()

    def _service_proxy(self) -> None:
        """One for all nodes, because they share the machine's network."""
        settings = {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "clientConnection": {"kubeconfig": str(self.pki.kubeconfig("proxy"))},
            "clusterCIDR": PODS,
            "mode": "iptables",
            "bindAddress": HOST,
            "healthzBindAddress": "127.0.0.1:10256",
            "metricsBindAddress": "127.0.0.1:10249",
            "nodePortAddresses": [f"{HOST}/32"],
            "conntrack": {"maxPerCore": 0},
            "iptables": {"minSyncPeriod": "100ms"},
        }
        file, text = self.home / "kube-proxy.json", json.dumps(settings)
        if not file.exists() or file.read_text() != text:  # it ends itself when the file is written
            file.write_text(text)
        self.processes.start(
            "kube-proxy", [self.programs["kube-proxy"], f"--config={file}", "--hostname-override=node1"]
        )

    def start_network(self) -> None:
        """NetworkPolicies and addresses for Services of type LoadBalancer, again once for all nodes.

        After the nodes are there, because it asks for the one whose name it bears.
        """
        os.environ |= {"POD_NAMESPACE": "kube-system", "POD_NAME": "kube-router"}  # names of its own lease
        self.processes.start(
            "kube-router",
            [
                self.programs["kube-router"],
                *(f"--kubeconfig={self.kubeconfig}", "--hostname-override=node1", "--enable-cni=false"),
                *("--run-firewall=true", "--run-router=false", "--run-service-proxy=false"),
                *("--run-loadbalancer=true", f"--loadbalancer-ip-range={BALANCERS}", "--loadbalancer-sync-period=5s"),
                *(f"--service-cluster-ip-range={SERVICES}", "--iptables-sync-period=30s"),
                *("--health-port=0", "--metrics-port=0"),
            ],
        )

    def _volumes(self) -> None:
        """Two classes of volumes: a directory of one node, and one that all nodes share, as NFS would be."""
        self.apply(volumes.manifests())
        folder = self.home / "local-path"
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(volumes.config(self.home / "volumes"))
        (folder / "helper.yaml").write_text(volumes.HELPER)
        self.processes.start(
            "local-path-provisioner",
            [
                *(self.programs["local-path-provisioner"], "start", "--kubeconfig", self.kubeconfig),
                *("--namespace", volumes.NAMESPACE, "--configmap-name", volumes.SCRIPTS),
                *("--config", str(folder / "config.json"), "--service-account-name", "default"),
                *("--helper-image", volumes.IMAGE, "--helper-pod-file", str(folder / "helper.yaml")),
            ],
        )

    def _metrics(self) -> None:
        """CPU and memory of pods, for autoscalers and `kubectl top`."""
        self.processes.start(
            "metrics-server",
            [
                self.programs["metrics-server"],
                *(f"--kubeconfig={self.kubeconfig}", f"--authentication-kubeconfig={self.kubeconfig}"),
                *(f"--authorization-kubeconfig={self.kubeconfig}", f"--bind-address={HOST}"),
                *(f"--secure-port={_METRICS_PORT}", f"--cert-dir={self.home}/metrics-server"),
                *("--kubelet-insecure-tls", "--kubelet-preferred-address-types=InternalIP", "--metric-resolution=15s"),
                "--kubelet-use-node-status-port",
            ],
        )
        api = {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": "v1beta1.metrics.k8s.io"},
            "spec": {
                "group": "metrics.k8s.io",
                "version": "v1beta1",
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "insecureSkipTLSVerify": True,
                "service": {"name": "metrics-server", "namespace": "kube-system"},
            },
        }
        self.apply([*_outside("metrics-server", [("https", _METRICS_PORT, "TCP")], port=443), api])


def _outside(name: str, ports: list[tuple[str, int, str]], port: int) -> list[dict[str, object]]:
    """A Service of kube-system whose only endpoint is a process of the machine."""
    metadata = {"name": name, "namespace": "kube-system"}
    listed = [{"name": one, "port": port, "protocol": kind} for one, _, kind in ports]
    behind = [{"name": one, "port": target, "protocol": kind} for one, target, kind in ports]
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"ports": listed},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**metadata, "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [HOST]}],
            "ports": behind,
        },
    ]
