"""Nodes and storage that kwok plays, for many more pods than a machine can run.

Real: the API server, etcd, the controllers of Kubernetes, its scheduler, the operators. Played: kubelets (a pod that is
bound to a simulated node is Running and Ready at once, a Job's pod has Succeeded), volumes (never mounted), PostgreSQL:
CloudNativePG leaves the clusters of simulated environments alone, because it would ask servers that do not exist how they
are; they are Ready at once, and stand-ins with the same number of pods, volumes and requests take their places.

An environment is what carries its name as the label `tierstack.dev/environment`, as everything of a stack does. The nodes are
tainted, and a webhook of this process sends the pods of simulated environments to them: nothing of it touches real nodes.
"""

import base64
import json
import ssl
import subprocess
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from devcluster.cluster import Cluster, _program
from devcluster.machine import HOST, run, wait_for
from tests.cluster.leases import Leases
from tests.cluster.shop import kubectl

ENVIRONMENT = "tierstack.dev/environment"
STORAGE_CLASS = "simulated"
_SIMULATED = "tierstack.dev/simulated"
_LABEL = {_SIMULATED: "true"}
"""Label of what is made here, and taint of the nodes."""
_PORT = 10443


def _stages(environments: Sequence[str]) -> str:
    """What kwok does beside its own stages of nodes and pods."""
    stage = {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": "database-is-ready"},
        "spec": {
            "resourceRef": {"apiGroup": "postgresql.cnpg.io/v1", "kind": "Cluster"},
            "selector": {
                "matchExpressions": [
                    {"key": f'.metadata.labels["{ENVIRONMENT}"]', "operator": "In", "values": list(environments)},
                    {"key": ".status.phase", "operator": "DoesNotExist"},
                ]
            },
            "next": {
                "statusTemplate": "phase: Cluster in healthy state\nconditions:\n- {type: Ready, status: 'True', "
                "reason: Simulated, message: '', lastTransitionTime: {{ Now | Quote }}}\n"
            },
        },
    }
    return yaml.safe_dump(stage)


class Simulation:
    """kwok, its nodes, its volumes and the webhook, for `environments`; a context manager that takes all of it away
    again, and the environments with it."""

    def __init__(self, folder: Path, environments: Sequence[str], nodes: int, volumes: int) -> None:
        self.folder, self.environments, self.nodes, self.volumes = folder, environments, nodes, volumes
        self.selector = f"{ENVIRONMENT} in ({','.join(environments)})"
        self.processes = Cluster().processes
        self.server: ThreadingHTTPServer | None = None
        self._leases: Leases | None = None
        self._end = ExitStack()

    def __enter__(self) -> "Simulation":
        with ExitStack() as undo:  # of what was made, where the rest fails
            undo.callback(self._remove)
            self._make()
            self._end = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.close()

    def _make(self) -> None:
        self._webhook()
        config = self.folder / "kwok.yaml"
        config.write_text(_stages(self.environments))
        command = [
            *(_program("kwok"), "--kubeconfig", Cluster().kubeconfig, "--config", config),
            *("--manage-nodes-with-label-selector", "type=simulated", "--cidr", "10.200.0.0/16"),
            # Refused at once: nothing of the machine takes these for nodes of its own, or waits for their answers.
            *("--node-ip", "127.0.0.9", "--node-port", "10247", "--node-lease-duration-seconds", "0"),
        ]
        self.processes.start("kwok", command)
        nodes = [_node(number) for number in range(self.nodes)]
        _apply(nodes)
        self._leases = Leases(Cluster().pki, [node["metadata"]["name"] for node in nodes], _LABEL)
        self._leases.start()
        storage = {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": STORAGE_CLASS, "labels": _LABEL},
            "provisioner": "kubernetes.io/no-provisioner",
            "volumeBindingMode": "WaitForFirstConsumer",
        }
        _apply([storage, *(_volume(number) for number in range(self.volumes))])
        wait_for("simulated nodes", lambda: self._ready() == self.nodes, log=self.processes.log("kwok"))

    def _remove(self) -> None:
        mine = f"{_SIMULATED}=true"
        kubectl("delete", "namespaces", "-l", self.selector, "--timeout=600s", check=False)
        kubectl("delete", "persistentvolumes,storageclasses,nodes", "-l", mine, "--timeout=300s", check=False)
        kubectl("delete", "mutatingwebhookconfigurations,flowschemas", "-l", mine, check=False)
        kubectl("delete", "clusterrolebindings", "-l", mine, check=False)
        self.processes.stop("kwok")
        if self._leases:
            self._leases.stop()
            kubectl("-n", "kube-node-lease", "delete", "leases", "-l", mine, check=False)
        if self.server:
            self.server.shutdown()
            self.server.server_close()

    def _ready(self) -> int:
        return kubectl("get", "nodes", "-l", "type=simulated", "--no-headers", check=False).count(" Ready")

    def _webhook(self) -> None:
        certificate, key = self.folder / "webhook.crt", self.folder / "webhook.key"
        run(
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=simulated"),
            *("-addext", f"subjectAltName=IP:{HOST}", "-keyout", str(key), "-out", str(certificate)),
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server = ThreadingHTTPServer((HOST, _PORT), _Webhook)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        rules = [("", "v1", "pods"), ("postgresql.cnpg.io", "v1", "clusters")]
        webhook = {
            "name": "simulated.tierstack.dev",
            "clientConfig": {
                "url": f"https://{HOST}:{_PORT}/",
                "caBundle": base64.b64encode(certificate.read_bytes()).decode(),
            },
            "namespaceSelector": {
                "matchExpressions": [{"key": ENVIRONMENT, "operator": "In", "values": list(self.environments)}]
            },
            "rules": [
                {"apiGroups": [group], "apiVersions": [version], "resources": [resource], "operations": ["CREATE"]}
                for group, version, resource in rules
            ],
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
        }
        _apply(
            [
                {
                    "apiVersion": "admissionregistration.k8s.io/v1",
                    "kind": "MutatingWebhookConfiguration",
                    "metadata": {"name": "simulated", "labels": _LABEL},
                    "webhooks": [webhook],
                }
            ]
        )


class _Webhook(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
        patch = base64.b64encode(json.dumps(changes(request["object"])).encode()).decode()
        response = {"uid": request["uid"], "allowed": True, "patchType": "JSONPatch", "patch": patch}
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
        body = json.dumps(review).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def changes(made: dict[str, Any]) -> list[dict[str, Any]]:
    """What the webhook changes: pods go to simulated nodes, databases are left alone by their operator."""
    if made["kind"] == "Cluster":
        annotations = {**made["metadata"].get("annotations", {}), "cnpg.io/reconciliationLoop": "disabled"}
        return [{"op": "add", "path": "/metadata/annotations", "value": annotations}]
    tolerations = [*made["spec"].get("tolerations", []), {"key": _SIMULATED, "operator": "Exists"}]
    selector = {**made["spec"].get("nodeSelector", {}), "type": "simulated"}
    return [
        {"op": "add", "path": "/spec/tolerations", "value": tolerations},
        {"op": "add", "path": "/spec/nodeSelector", "value": selector},
    ]


def _apply(objects: list[dict[str, Any]]) -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=simulated", "-f", "-", input=text)


def _node(number: int) -> dict[str, Any]:
    name = f"simulated-{number:02}"
    zone = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": f"zone-{number % 3}"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {**_LABEL, "type": "simulated", **zone}},
        "spec": {"taints": [{"key": _SIMULATED, "value": "true", "effect": "NoSchedule"}]},
        # Nodes as clouds rent them: 16 cores, 64 GiB.
        "status": {
            kind: {"cpu": "16", "memory": "64Gi", "pods": "110", "ephemeral-storage": "200Gi"}
            for kind in ("allocatable", "capacity")
        },
    }


def _volume(number: int) -> dict[str, Any]:
    spec = {
        "capacity": {"storage": "4Ti"},
        "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": STORAGE_CLASS,
        "hostPath": {"path": "/simulated"},
    }
    metadata = {"name": f"simulated-{number:04}", "labels": _LABEL}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec}


def stand_ins(selector: str) -> list[dict[str, Any]]:
    """For every database of the environments that `selector` names: its instances with their two volumes and requests, apart as asked, and its poolers."""
    made: list[dict[str, Any]] = []
    found = json.loads(
        kubectl("get", "clusters.postgresql.cnpg.io,poolers.postgresql.cnpg.io", "-A", "-l", selector, "-o", "json")
    )
    for one in found["items"]:
        name, namespace, spec = one["metadata"]["name"], one["metadata"]["namespace"], one["spec"]
        pooler = one["kind"] == "Pooler"
        labels = {"cnpg.io/poolerName" if pooler else "cnpg.io/cluster": name}
        source = spec["template"]["spec"] if pooler else spec
        container = source["containers"][0] if pooler else {"image": spec["imageName"], "resources": spec["resources"]}
        secure = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        container = {"name": "main", "securityContext": secure, **container}
        pod: dict[str, Any] = {
            "containers": [container],
            "topologySpreadConstraints": source["topologySpreadConstraints"],
        }
        pod["securityContext"] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        body: dict[str, Any] = {"replicas": spec["instances"], "selector": {"matchLabels": labels}}
        body["template"] = {"metadata": {"labels": labels}, "spec": pod}
        if not pooler:
            term = {"labelSelector": {"matchLabels": labels}, "topologyKey": spec["affinity"]["topologyKey"]}
            pod["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
            body |= {"serviceName": name, "podManagementPolicy": "Parallel"}
            body["volumeClaimTemplates"] = [
                {
                    "metadata": {"name": volume},
                    "spec": {
                        "accessModes": ["ReadWriteOnce"],
                        "storageClassName": spec[key]["storageClass"],
                        "resources": {"requests": {"storage": spec[key]["size"]}},
                    },
                }
                for volume, key in (("data", "storage"), ("wal", "walStorage"))
            ]
        kind = "Deployment" if pooler else "StatefulSet"
        metadata = {"name": name, "namespace": namespace, "labels": _LABEL}
        made.append({"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": body})
    _apply(made)
    return made


def flow_schema(user: str) -> None:
    """Requests of `user` are counted by themselves: a flow of their own, which nothing slows down."""
    subject = {"kind": "User", "user": {"name": user}}
    rule = {
        "subjects": [subject],
        "resourceRules": [
            {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": True}
        ],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    }
    flow = {"priorityLevelConfiguration": {"name": "exempt"}, "matchingPrecedence": 10, "rules": [rule]}
    metadata = {"name": user, "labels": _LABEL}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    _apply(
        [
            {
                "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
                "kind": "FlowSchema",
                "metadata": metadata,
                "spec": flow,
            },
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": metadata,
                "roleRef": role,
                "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user}],
            },
        ]
    )


def requests_of(user: str) -> int:
    """How many requests of `user` the API server has carried out."""
    text = subprocess.run(["kubectl", "get", "--raw", "/metrics"], capture_output=True, text=True, check=True).stdout
    counter = "apiserver_flowcontrol_dispatched_requests_total{"
    lines = [line for line in text.splitlines() if line.startswith(counter) and f'flow_schema="{user}"' in line]
    return sum(int(float(line.rpartition(" ")[2])) for line in lines)
