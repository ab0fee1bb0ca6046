"""Whether a cluster has a platform's namespace from another state, as kubectl tells it."""

import json
import subprocess
from typing import Any

from tierstack.core.errors import Diagnostic
from tierstack.platform import Platform

ANSWER_SECONDS = 10


def foreign_namespace(platform: Platform) -> Diagnostic | None:
    """The problem of a namespace that is there and was made by tierstack; for a state that does not have it.

    None also where the cluster cannot be asked: the API server then refuses the namespace itself, unless it was made
    before namespaces had owners.
    """
    if platform.adopt or not platform.create_namespace:
        return None
    try:
        said = kubectl(platform, "get", "namespace", platform.name, "-o", "json", "--ignore-not-found")
        live: dict[str, Any] = json.loads(said) if said.strip() else {}
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    metadata: dict[str, Any] = live.get("metadata") or {}
    labels: dict[str, str] = metadata.get("labels") or {}
    if labels.get("app.kubernetes.io/managed-by") != "tierstack":
        return None
    shown = ", ".join(f"{key}={value}" for key, value in sorted(labels.items()) if "pod-security" not in key)
    since = metadata.get("creationTimestamp")
    wrong = f"is a namespace of another state (made {since}; labels {shown}); nothing was changed"
    instead = (
        "set another `platform.name`, use the state that it was made with (PULUMI_BACKEND_URL), or, if that state is "
        "lost, take it over: `tierstack up --adopt`, or `platform.adopt: true`"
    )
    return Diagnostic("platform.name", platform.name, wrong, instead, "other-state")


def kubectl(platform: Platform, *arguments: str) -> str:
    """What kubectl prints of the platform's cluster. Raises OSError or SubprocessError where it fails."""
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
