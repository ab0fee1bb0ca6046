"""The operators, installed by ClusterAddons from images and manifests of this machine; and what tests need beside them."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from devcluster.cluster import EXISTING, Cluster, cache, say
from devcluster.machine import ClusterError

ROOT = Path(__file__).resolve().parents[1]
ISSUER = "tests"
IMAGES = {
    "docker.io/library/traefik": "traefik:3.7",
    "ghcr.io/cloudnative-pg/cloudnative-pg": "cnpg-manager:1.30.0",
    "ghcr.io/cloudnative-pg/plugin-barman-cloud": "barman-cloud-plugin:0.14.0",
    "ghcr.io/cloudnative-pg/plugin-barman-cloud-sidecar": "barman-cloud-sidecar:0.14.0",
    "quay.io/jetstack/cert-manager-controller": "cert-manager-controller:1.11.5",
    "quay.io/jetstack/cert-manager-webhook": "cert-manager-webhook:1.11.5",
    "quay.io/jetstack/cert-manager-cainjector": "cert-manager-cainjector:1.11.5",
    "quay.io/jetstack/cert-manager-acmesolver": "cert-manager-acmesolver:1.11.5",
    "quay.io/argoproj/argo-rollouts": "argo-rollouts:1.9.1",
    "ghcr.io/kedacore/keda": "keda-operator:2.18.1",
    "ghcr.io/kedacore/keda-metrics-apiserver": "keda-adapter:2.18.1",
    "ghcr.io/kedacore/keda-admission-webhooks": "keda-webhooks:2.18.1",
}
"""The vendor's image → the local one that stands in for it where no registry answers."""
LOADED = (*IMAGES.values(), "shop:1", "shop:2", "postgres:17", "pgbouncer:1.24", "valkey:8.1", "haproxy:3.0")
LOADED = (*LOADED, "versitygw:1.8", "barman:3")
"""All images that a node needs for the tests."""


def install() -> None:
    """Images, operators and what else the tests need, into the cluster of the environment; a second time changes nothing.

    Raises ClusterError.
    """
    begun = time.monotonic()
    names = [f"tierstack.local/{local}" for local in LOADED]
    if not EXISTING:
        Cluster().load(names)
    elif command := os.environ.get("TIERSTACK_CLUSTER_LOAD"):
        _run("sh", "-c", f'{command} "$@"', "load", *names)
    else:
        say(f"TIERSTACK_CLUSTER_LOAD is not set: the nodes must have {', '.join(names)}")
    say(f"Images are on the nodes after {time.monotonic() - begun:.0f} s; the operators follow (about 5 min) ...")
    operators().up()
    objects = json.dumps({"apiVersion": "v1", "kind": "List", "items": extras()})
    _run("kubectl", "apply", "--server-side", "--force-conflicts", "-f", "-", input=objects)
    _run("kubectl", "-n", "s3", "rollout", "status", "deployment/s3", "--timeout=180s")
    _run("kubectl", "wait", f"clusterissuer/{ISSUER}", "--for=condition=Ready", "--timeout=180s")
    say(f"Operators are ready after {time.monotonic() - begun:.0f} s.")


def operators() -> "Operators":
    """The operators of the cluster of the environment."""
    if not EXISTING:
        return Operators(Cluster().home / "operators")
    context = subprocess.run(["kubectl", "config", "current-context"], capture_output=True, text=True).stdout.strip()
    return Operators(cache() / "operators" / context.replace("/", "_"))


class Operators:
    """A stack of ClusterAddons in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "PULUMI_BACKEND_URL": f"file://{folder}/state",
            "PULUMI_CONFIG_PASSPHRASE": "tests",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PYTHONPATH": str(ROOT / "components"),
        }

    def up(self) -> None:
        """Install them; a second time changes nothing."""
        if not (self.folder / "Pulumi.yaml").exists():
            shutil.copytree(ROOT / "examples" / "cluster", self.folder, dirs_exist_ok=True)
            (self.folder / "state").mkdir(exist_ok=True)
            self._pulumi("stack", "init", "tests")
        addons: dict[str, Any] = {
            "manifests": str(_manifests(self.folder / "manifests")),
            # What cannot be built from Go modules in reasonable time: its resources alone.
            "crds_only": ["external-secrets"],
            # All there are, so that each is seen to run.
            "keda": True,
            "argo_rollouts": True,
            # Three nodes share two processors: a core that is reserved for each is half of what a node has.
            "traefik_cpu": 0.1,
            "images": {vendor: f"tierstack.local/{local}" for vendor, local in IMAGES.items()},
        }
        platform = {"kind": "kubernetes", "name": "cluster", "data_protection": "none"}
        file = self.folder / "Pulumi.tests.yaml"
        given = yaml.safe_load(file.read_text()) if file.exists() else {}
        given["config"] = {"cluster:addons": addons, "cluster:platform": platform}
        file.write_text(yaml.safe_dump(given))
        self._pulumi("up", "--yes", "--skip-preview", "--stack=tests")

    def changes(self) -> str:
        """What a preview says."""
        return self._pulumi("preview", "--stack=tests", "--expect-no-changes")

    def _pulumi(self, *arguments: str) -> str:
        command = ["pulumi", "--non-interactive", "--color=never", *arguments]
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise ClusterError(f"{' '.join(command)} failed:\n{done.stdout[-5000:]}\n{done.stderr[-2000:]}")
        return done.stdout


def _run(*command: str, input: str | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, input=input)
    if done.returncode:
        raise ClusterError(f"{' '.join(command[:4])} ended with {done.returncode}: {done.stderr.strip()[-1500:]}")


def _manifests(folder: Path) -> Path:
    """The vendors' manifests as the toolchain has them, but for one object."""
    setup = [sys.executable, str(ROOT / "toolchain" / "setup.py"), "--print-path", "addons"]
    done = subprocess.run(setup, capture_output=True, text=True)
    if done.returncode:
        raise ClusterError("the operators' manifests are not there yet: python3 toolchain/setup.py cluster")
    shutil.copytree(done.stdout.strip(), folder, dirs_exist_ok=True)
    file = folder / "cert-manager.yaml"
    # cert-manager that can be built from a Go module is 1.11.5, the resources are those of 1.21.2: its mutating webhook
    # would drop the fields that are younger than itself, and is needed only to note who asks for a certificate.
    documents = [one for one in yaml.safe_load_all(file.read_text()) if one]
    for one in documents:
        if one["kind"] == "MutatingWebhookConfiguration":
            for webhook in one["webhooks"]:
                for rule in webhook["rules"]:
                    rule["resources"] = ["certificaterequests"]
    file.write_text(yaml.safe_dump_all(documents))
    return folder


def extras(image: str = "tierstack.local/versitygw:1.8") -> list[dict[str, Any]]:
    """A CA that issues certificates, and an object store in the cluster for backups."""
    metadata = {"name": "s3", "namespace": "s3"}
    labels = {"app": "s3"}
    security = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    keys = [
        {"name": name, "value": "s3-for-tests"} for name in ("ROOT_ACCESS_KEY", "ROOT_SECRET_KEY")
    ]  # nothing but backups of tests lies behind them
    store = {
        "name": "s3",
        "image": image,
        "command": ["versitygw"],
        "args": ["--port", ":7070", "--region", "eu-central-1", "posix", "/data"],
        "env": keys,
        "ports": [{"containerPort": 7070}],
        "readinessProbe": {"tcpSocket": {"port": 7070}},
        "securityContext": security,
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    authority = {"name": f"{ISSUER}-ca", "namespace": "cert-manager"}
    return [
        {
            "apiVersion": "cert-manager.io/v1",
            "kind": "ClusterIssuer",
            "metadata": {"name": f"{ISSUER}-self"},
            "spec": {"selfSigned": {}},
        },
        {
            "apiVersion": "cert-manager.io/v1",
            "kind": "Certificate",
            "metadata": authority,
            "spec": {
                "isCA": True,
                "commonName": "tests",
                "secretName": authority["name"],
                "issuerRef": {"name": f"{ISSUER}-self", "kind": "ClusterIssuer"},
            },
        },
        {
            "apiVersion": "cert-manager.io/v1",
            "kind": "ClusterIssuer",
            "metadata": {"name": ISSUER},
            "spec": {"ca": {"secretName": authority["name"]}},
        },
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "s3"}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [store], "volumes": [{"name": "data", "emptyDir": {}}]},
                },
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": labels, "ports": [{"port": 7070}]},
        },
    ]


def make_bucket(name: str) -> None:
    """Make a bucket in the object store of the cluster, unless it is there."""
    script = (
        "import boto3, botocore\n"
        "s3 = boto3.client('s3', endpoint_url='http://s3:7070', region_name='eu-central-1', "
        "aws_access_key_id='s3-for-tests', aws_secret_access_key='s3-for-tests')\n"
        f"names = [one['Name'] for one in s3.list_buckets()['Buckets']]\n"
        f"'{name}' in names or s3.create_bucket(Bucket='{name}')\n"
    )
    command = ["kubectl", "-n", "s3", "run", f"make-{name}", "--image=tierstack.local/barman:3", "--restart=Never"]
    command += ["--rm", "--attach", "--quiet", "--", "python3", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise ClusterError(f"bucket {name} was not made: {done.stdout[-500:]}{done.stderr[-500:]}")
