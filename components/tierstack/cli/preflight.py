"""What a cluster is asked before an update: whether the operators are there that the stack needs."""

import subprocess

from tierstack.cluster_addons.required import Needs, missing
from tierstack.errors import ArgumentError
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


def _names(platform: Platform, kind: str) -> list[str]:
    # kubectl speaks every way to log in that a kubeconfig can name, as the Kubernetes provider does.
    where = ["--context", platform.context] if platform.context else []
    done = subprocess.run(
        ["kubectl", *where, "get", kind, "-o", "name", f"--request-timeout={ANSWER_SECONDS}s"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=3 * ANSWER_SECONDS,
        check=True,
    )
    return [line.partition("/")[2] for line in done.stdout.splitlines()]
