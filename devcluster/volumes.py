"""Volumes: directories of the machine, made when the first pod that uses one is scheduled."""

import json
from pathlib import Path
from typing import Any

IMAGE = "tierstack.local/base:trixie"
NAMESPACE, SCRIPTS = "volumes", "local-path-config"
DIRECTORY, SHARED = "directory", "shared"
"""The classes: bound to the node where it was made (the default), and mounted by any node."""
HELPER = json.dumps(
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "helper-pod"},
        "spec": {
            "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": "helper-pod", "image": IMAGE, "securityContext": {"runAsUser": 0}}],
        },
    }
)
"""The pod that makes and removes a directory."""


def config(root: Path) -> str:
    """What the provisioner is told."""
    anywhere = [{"node": "DEFAULT_PATH_FOR_NON_LISTED_NODES", "paths": [f"{root}/{DIRECTORY}"]}]
    classes = {DIRECTORY: {"nodePathMap": anywhere}, SHARED: {"sharedFileSystemPath": f"{root}/{SHARED}"}}
    return json.dumps({"nodePathMap": [], "storageClassConfigs": classes})


def manifests() -> list[dict[str, Any]]:
    """The classes, and the scripts that the helper pod runs."""
    # The pods have no root, and a directory of this machine knows no fsGroup.
    scripts = {
        "setup": '#!/bin/sh\nset -eu\nmkdir -m 0777 -p "$VOL_DIR"\n',
        "teardown": '#!/bin/sh\nset -eu\nrm -rf "$VOL_DIR"\n',
        "helperPod.yaml": HELPER,
        "config.json": "{}",
    }
    level = {"pod-security.kubernetes.io/enforce": "privileged"}
    name = {"name": SCRIPTS, "namespace": NAMESPACE}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": level}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": name, "data": scripts},
        *(_storage_class(name, default=name == DIRECTORY) for name in (DIRECTORY, SHARED)),
    ]


def _storage_class(name: str, *, default: bool) -> dict[str, Any]:
    annotations = {"storageclass.kubernetes.io/is-default-class": str(default).lower()}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name, "annotations": annotations},
        "provisioner": "rancher.io/local-path",
        "volumeBindingMode": "WaitForFirstConsumer",
        "reclaimPolicy": "Delete",
        # A directory has no size, so a claim may grow; nothing has to be done for it.
        "allowVolumeExpansion": True,
    }
