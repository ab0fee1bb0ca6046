"""What a platform settles for all its pods, laid over the manifests of whatever runs pods (pure)."""

from tierstack.platform import Platform
from tierstack.platform.kubernetes.manifest import Manifest

VERSION = "app.kubernetes.io/version"


def settings(platform: Platform, *, stores: bool = False) -> Manifest:
    """The fields of a pod's spec that the platform decides. `stores`: the pod keeps data, or leads to it."""
    found: Manifest = {}
    if platform.image_pull_secrets:
        found["imagePullSecrets"] = [{"name": name} for name in platform.image_pull_secrets]
    if platform.node_selector:
        found["nodeSelector"] = dict(platform.node_selector)
    if platform.tolerations:
        found["tolerations"] = [one.manifest() for one in platform.tolerations]
    if name := (platform.data_priority_class if stores else None) or platform.priority_class:
        found["priorityClassName"] = name
    return found


def settled(manifest: Manifest, platform: Platform, *, stores: bool = False) -> Manifest:
    """`manifest` with the platform's settings in its pods, and with the version of what they run as a label."""
    if manifest["kind"] == "Cluster" and "spec" in manifest:
        return _cluster(manifest, platform)
    template: Manifest = manifest.get("spec", {}).get("template", {})
    if "containers" not in template.get("spec", {}):
        return manifest
    labels = _version(template["spec"]["containers"][0].get("image"))
    metadata = dict(template.get("metadata", {}))
    metadata["labels"] = {**platform.labels, **labels, **metadata.get("labels", {})}
    if platform.pod_annotations:
        metadata["annotations"] = {**platform.pod_annotations, **metadata.get("annotations", {})}
    pod = {**template["spec"], **settings(platform, stores=stores)}
    return {
        **manifest,
        "metadata": _labelled(manifest["metadata"], labels),
        "spec": {**manifest["spec"], "template": {**template, "metadata": metadata, "spec": pod}},
    }


def _cluster(manifest: Manifest, platform: Platform) -> Manifest:
    """A Cluster of CloudNativePG, which has fields of its own for its pods."""
    spec, pod = dict(manifest["spec"]), settings(platform, stores=True)
    spec |= {key: pod[key] for key in ("imagePullSecrets", "priorityClassName") if key in pod}
    if placed := {key: pod[key] for key in ("nodeSelector", "tolerations") if key in pod}:
        spec["affinity"] = {**spec.get("affinity", {}), **placed}
    inherited = dict(spec.get("inheritedMetadata", {}))
    inherited["labels"] = {**platform.labels, **inherited.get("labels", {})}
    if platform.pod_annotations:
        inherited["annotations"] = {**platform.pod_annotations, **inherited.get("annotations", {})}
    spec["inheritedMetadata"] = inherited
    return {**manifest, "metadata": _labelled(manifest["metadata"], _version(spec.get("imageName"))), "spec": spec}


def _labelled(metadata: Manifest, labels: dict[str, str]) -> Manifest:
    return {**metadata, "labels": {**labels, **metadata.get("labels", {})}}


def _version(image: object) -> dict[str, str]:
    """The label with the image's tag, else the first 12 digits of its digest; none for an image not known yet."""
    if not isinstance(image, str):
        return {}
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    value = tag or digest.removeprefix("sha256:")[:12]
    return {VERSION: value[:63].rstrip("._-")} if value else {}
