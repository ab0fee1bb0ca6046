"""What rendered manifests tell the tools that apply them (pure): in which order, and what they must never delete.

The engine orders and protects what it applies itself. Rendered files are applied by others: Argo CD reads annotations,
Flux reads annotations and takes one folder after the other, and kubectl takes files in the order of their names.
"""

from enum import IntEnum

from tierstack.platform import DataProtection
from tierstack.platform.kubernetes.manifest import Manifest


class Step(IntEnum):
    """The steps in which manifests are applied, each after the one before is ready. The number is Argo CD's sync wave.

    A step may not need a later one: a claim stands in the step of its first consumer, because many volumes bind only
    when a pod uses them, and an Issuer beside the Certificate that it signs with.
    """

    CRDS = 0
    """Definitions of resources."""
    OPERATORS = 1
    """What serves them."""
    BASE = 2
    """The namespace, secrets, configuration, network policies."""
    DATA = 3
    """Databases and stores, with their claims."""
    MIGRATION = 4
    """What must end before code of a new release runs."""
    APP = 5
    """Everything else: the application, and the way in."""

    @property
    def folder(self) -> str:
        """Name of the folder that holds the step's manifests."""
        return f"{self.value}-{self.name.lower()}"


WAVE = "argocd.argoproj.io/sync-wave"
PROTECTION = "tierstack.dev/data-protection"
"""On every rendered object that holds data: the `data_protection` that it was rendered with."""
BEFORE_SCALE_IN = "tierstack.dev/before-scale-in"
"""On a rendered StatefulSet: the command to run before a manifest with fewer replicas is applied. Where the engine
applies, it runs that itself; of rendered files `tierstack render` prints it where the replicas become fewer."""

_ENGINE = "pulumi.com/"
_BASE_KINDS = frozenset(
    {
        *("Namespace", "ServiceAccount", "ConfigMap", "Secret", "NetworkPolicy"),
        *("Password", "ExternalSecret", "ObjectStore"),
    }
)
_CRD = "CustomResourceDefinition"
# A Job that failed never runs again, so the next sync deletes it and makes it anew; one that succeeded is deleted,
# because nothing else would remove it once the next release has a Job of another name.
_HOOK = {"argocd.argoproj.io/hook": "Sync", "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation,HookSucceeded"}
# Argo CD, Flux and Helm each have a way to say that an object outlives its file.
_KEPT = {
    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
    "helm.sh/resource-policy": "keep",
}


def rendered(manifest: Manifest, step: Step | None, protection: DataProtection | None) -> Manifest:
    """`manifest` as a file for others to apply: without the engine's annotations, with those of GitOps tools.

    `step` None: by its kind. `protection` None: the object holds no data.
    """
    kind, metadata = manifest["kind"], dict(manifest["metadata"])
    if kind in _BASE_KINDS:
        step = Step.BASE
    elif kind == _CRD:
        step = Step.CRDS
    elif step is None:
        step = Step.APP
    own = {key: value for key, value in metadata.get("annotations", {}).items() if not key.startswith(_ENGINE)}
    annotations = {**own, WAVE: str(step.value)}
    if kind == "Job":
        annotations |= _HOOK
    if protection is not None:
        annotations[PROTECTION] = protection.value
        if protection is not DataProtection.NONE:
            annotations |= _KEPT
    metadata["annotations"] = dict(sorted(annotations.items()))
    return {**manifest, "metadata": metadata}


def step_of(manifest: Manifest) -> Step:
    """The step of a rendered manifest; the last for one that was not made by a component."""
    if manifest.get("kind") == _CRD:
        return Step.CRDS
    known = {str(step.value): step for step in Step}
    return known.get(annotation(manifest, WAVE), Step.APP)


def annotation(manifest: Manifest, key: str) -> str:
    """An annotation of a manifest; empty where it has none of the key."""
    annotations: Manifest = manifest.get("metadata", {}).get("annotations") or {}
    return str(annotations.get(key, ""))
