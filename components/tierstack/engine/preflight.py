"""What a cluster is asked before an update: whether the operators are there that the stack needs, and whether its
namespace is another state's."""

import json
import subprocess
from typing import Any

from tierstack.cluster_addons.required import Needs, missing
from tierstack.core.errors import ArgumentError, Problem
from tierstack.platform import Platform

ANSWER_SECONDS = 10


def check(needs: Needs | None, platform: Platform, stack: str) -> str | None:
    """Raise ArgumentError with every addon that is missing. Returns why the cluster could not be asked, if so: the
    update then goes on, and says itself what it lacks."""
    if needs is None or not needs.addons:
        return None
    try:
        crds = _names(platform, "customresourcedefinitions")
        has_classes = "gatewayclasses.gateway.networking.k8s.io" in crds
        classes = _names(platform, "gatewayclasses") if has_classes else []
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        return str(said).strip().splitlines()[-1]
    if problems := missing(needs, crds, classes):
        raise ArgumentError(f"cluster of stack {stack}", problems)
    return None


def refuse_foreign(platform: Platform, has_namespace: bool) -> None:
    """Raise ArgumentError where the namespace is there, made by tierstack, and not in this stack's state.

    `has_namespace`: whether the state has it. A cluster that cannot be asked is no reason to stop: the API server then
    refuses the namespace itself, unless it was made before namespaces had owners.
    """
    if has_namespace or platform.adopt or not platform.create_namespace:
        return
    try:
        said = _kubectl(platform, "get", "namespace", platform.name, "-o", "json", "--ignore-not-found")
        live: dict[str, Any] = json.loads(said) if said.strip() else {}
    except (OSError, subprocess.SubprocessError, ValueError):
        return
    metadata: dict[str, Any] = live.get("metadata") or {}
    labels: dict[str, str] = metadata.get("labels") or {}
    if labels.get("app.kubernetes.io/managed-by") != "tierstack":
        return
    shown = ", ".join(f"{key}={value}" for key, value in sorted(labels.items()) if "pod-security" not in key)
    since = metadata.get("creationTimestamp")
    wrong = f"is a namespace of another state (made {since}; labels {shown}); nothing was changed"
    instead = (
        "set another `platform.name`, use the state that it was made with (PULUMI_BACKEND_URL), or, if that state is "
        "lost, take it over: `tierstack up --adopt`"
    )
    raise ArgumentError("cluster", [Problem("platform.name", platform.name, wrong, instead)])


def _names(platform: Platform, kind: str) -> list[str]:
    return [line.partition("/")[2] for line in _kubectl(platform, "get", kind, "-o", "name").splitlines()]


def _kubectl(platform: Platform, *arguments: str) -> str:
    # kubectl speaks every way to log in that a kubeconfig can name, as the Kubernetes provider does.
    where = ["--context", platform.context] if platform.context else []
    done = subprocess.run(
        ["kubectl", *where, *arguments, f"--request-timeout={ANSWER_SECONDS}s"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=3 * ANSWER_SECONDS,
        check=True,
    )
    return done.stdout
