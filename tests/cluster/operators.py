"""The operators, installed by ClusterAddons from images and manifests of this machine; and what tests need beside them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.machine import ClusterError

ROOT = Path(__file__).resolve().parents[2]
ISSUER = "tests"
IMAGES = {
    "docker.io/library/traefik": "traefik:3.6",
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
LOADED = (*LOADED, "versitygw:1.8.0", "barman:3")
"""All images that a node needs for the tests."""


class Operators:
    """A stack of ClusterAddons in a folder of its own."""

    def __init__(self, folder: Path, kubeconfig: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig),
            "PULUMI_BACKEND_URL": f"file://{folder}/state",
            "PULUMI_CONFIG_PASSPHRASE": "tests",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PYTHONPATH": str(ROOT / "components"),
        }

    def up(self) -> None:
        """Install them; a second time changes nothing."""
        if not (self.folder / "Pulumi.yaml").exists():
            shutil.copytree(ROOT / "examples" / "cluster", self.folder, dirs_exist_ok=True)
            (self.folder / "state").mkdir()
            self._pulumi("stack", "init", "tests")
        addons: dict[str, Any] = {
            "manifests": _manifests(),
            # What cannot be built from Go modules in reasonable time: its resources alone.
            "crds_only": ["external-secrets"],
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


def _manifests() -> str:
    setup = [sys.executable, str(ROOT / "toolchain" / "setup.py"), "--print-path", "addons"]
    done = subprocess.run(setup, capture_output=True, text=True)
    if done.returncode:
        raise ClusterError("the operators' manifests are not there yet: python3 toolchain/setup.py cluster")
    return done.stdout.strip()


def extras(image: str = "tierstack.local/versitygw:1.8.0") -> list[dict[str, Any]]:
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
