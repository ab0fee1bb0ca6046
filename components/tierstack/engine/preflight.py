"""What a cluster is asked before an update: whether the operators are there that the stack needs, and whether its
namespace is another state's."""

import subprocess

from tierstack.cluster_addons.required import Needs, missing
from tierstack.core.errors import ArgumentError
from tierstack.platform import Platform
from tierstack.platform.kubernetes.foreign_namespace import foreign_namespace, kubectl


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

    `has_namespace`: whether the state has it. The program itself refuses it too, once the engine runs it.
    """
    if not has_namespace and (problem := foreign_namespace(platform)):
        raise ArgumentError("cluster", [problem])


def _names(platform: Platform, kind: str) -> list[str]:
    return [line.partition("/")[2] for line in kubectl(platform, "get", kind, "-o", "name").splitlines()]
