"""The vendors' documents as tierstack installs them (pure): with the images, copies and waits that are meant."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import yaml

from tierstack.cluster_addons.catalog import Release
from tierstack.cluster_addons.tuning import tuned
from tierstack.platform.kubernetes.manifest import Manifest, manifest

CRD = "CustomResourceDefinition"
_WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
_CLUSTER_SCOPED = {
    CRD,
    *_WEBHOOKS,
    "APIService",
    "ClusterRole",
    "ClusterRoleBinding",
    "GatewayClass",
    "Namespace",
    "PriorityClass",
}
# What must be there before what: operators need their resources, rights and certificates, and some write into their
# webhooks before they say that they are ready, so webhooks are made beside them, not after.
_RANKS = {"Namespace": 0, CRD: 1, "Deployment": 4, "PodDisruptionBudget": 4, "APIService": 4}
_RIGHTS = {
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Service",
}
WAIT_FOR_CA = {"pulumi.com/waitFor": "jsonpath={.webhooks[*].clientConfig.caBundle}"}
"""A webhook is reachable once its operator has written the CA that the API server is to trust."""


class _Loader(yaml.CSafeLoader):
    """YAML 1.1 gives a lone `=` a meaning that no manifest intends."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: loader.construct_scalar(cast(Any, node)))


def parsed(text: str) -> list[Manifest]:
    """The documents of a YAML stream, without empty ones. Raises ValueError for what is no list of manifests."""
    found: list[Manifest] = []
    for document in yaml.load_all(text, Loader=_Loader):
        if document is None:
            continue
        if not isinstance(document, dict) or not {"apiVersion", "kind", "metadata"} <= set(cast(Manifest, document)):
            raise ValueError("a document is no Kubernetes object: apiVersion, kind or metadata is missing")
        found.append(cast(Manifest, document))
    return found


def prepared(
    documents: Sequence[Manifest],
    release: Release,
    *,
    images: Mapping[str, str],
    replicas: int,
    lease_seconds: int,
    labels: Mapping[str, str],
    gateway_api: bool,
    crds_only: bool = False,
) -> list[Manifest]:
    """`documents` as they are installed, in the order of installing.

    `images`: the vendor's repository (without tag) → the image to run instead. `replicas`, `lease_seconds` and
    `gateway_api`: see `tuning`. `labels` are added to each object, never to selectors or pods.
    """
    if crds_only:
        documents = [one for one in documents if one["kind"] == CRD]
    found = [_one(one, release, {**dict(release.released), **_renamed(release, images)}) for one in documents]
    found += [] if crds_only else _namespaces(found, release)
    if not crds_only:
        found = [one for document in found for one in tuned(document, replicas, lease_seconds, gateway_api=gateway_api)]
    for one in found:
        one["metadata"]["labels"] = {**(one["metadata"].get("labels") or {}), **labels}
    if release.namespace and release.pod_security:
        for one in found:
            if one["kind"] == "Namespace":
                one["metadata"]["labels"] |= pod_security(release.pod_security)
    return sorted(found, key=rank)


def pod_security(level: str) -> dict[str, str]:
    """Labels of a namespace that enforces a Pod Security Standard."""
    return {f"pod-security.kubernetes.io/{mode}": level for mode in ("enforce", "audit", "warn")}


def rank(manifest: Manifest) -> int:
    """What has a lower rank is made, and ready, first. Resources of the operators' own kinds come before workloads."""
    kind = cast(str, manifest["kind"])
    if kind in _RANKS:
        return _RANKS[kind]
    return 4 if kind in _WEBHOOKS else 2 if kind in _RIGHTS else 3


def names(documents: Sequence[Manifest]) -> list[str]:
    """Names of the CustomResourceDefinitions among `documents`."""
    return [one["metadata"]["name"] for one in documents if one["kind"] == CRD]


def images_of(documents: Sequence[Manifest]) -> list[str]:
    """Every image that the workloads among `documents` run, sorted."""
    found: set[str] = set()
    for one in documents:
        pod = _pod(one)
        found |= {part["image"] for part in [*pod.get("containers", []), *pod.get("initContainers", [])]}
    return sorted(found)


def _renamed(release: Release, images: Mapping[str, str]) -> dict[str, str]:
    """`images` by the names that the vendor's files use: a user knows only the released ones."""
    moving = {repository(image): name for name, image in release.released}
    return {moving.get(name, name): image for name, image in images.items()}


def repository(image: str) -> str:
    """The image's name without tag and digest."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def _one(given: Manifest, release: Release, images: Mapping[str, str]) -> Manifest:
    manifest = dict(given)
    metadata = manifest["metadata"] = dict(manifest["metadata"])
    if manifest["kind"] not in _CLUSTER_SCOPED and release.namespace:
        metadata.setdefault("namespace", release.namespace)
    if manifest["kind"] == CRD:
        return _without_descriptions(manifest)
    if manifest["kind"] in _WEBHOOKS:
        metadata["annotations"] = {**metadata.get("annotations", {}), **WAIT_FOR_CA}
    if manifest["kind"] == "Secret" and manifest.get("data"):
        manifest["data"] = {key: _encoded(value, images) for key, value in manifest["data"].items()}
    if manifest["kind"] == "Certificate":
        manifest["spec"] = _as_written_back(manifest["spec"])
    found = cast(Manifest, _walked(manifest, lambda text: replaced(text, images)))
    pod = _pod(found)
    for part in [*pod.get("containers", []), *pod.get("initContainers", [])]:
        # Every image is pinned: nothing is gained by asking the registry at each start, and much lost when it is down.
        part["imagePullPolicy"] = "IfNotPresent"
    return found


def replaced(text: str, images: Mapping[str, str]) -> str:
    """`text` with each image of `images` in place, wherever it stands: alone, or as the value of an argument."""
    for name, image in images.items():
        end = r"(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?(?=$|\s)"
        text = re.sub(rf"(?<![\w./-]){re.escape(name)}{end}", lambda _, image=image: image, text)
    return text


def _as_written_back(certificate: Manifest) -> Manifest:
    """The spec as cert-manager's webhook stores it: any other form would show as a change in every preview."""
    spec = {key: value for key, value in certificate.items() if (key, value) != ("isCA", False)}
    for key in ("duration", "renewBefore"):
        if re.fullmatch(r"\d+h", str(spec.get(key))):
            spec[key] = f"{spec[key]}0m0s"
    return spec


def _encoded(value: str, images: Mapping[str, str]) -> str:
    try:
        text = base64.b64decode(value).decode()
    except (binascii.Error, UnicodeDecodeError):
        return value
    return base64.b64encode(replaced(text, images).encode()).decode()


def _walked(node: Any, change: Callable[[str], str]) -> Any:
    if isinstance(node, str):
        return change(node)
    if isinstance(node, list):
        return [_walked(one, change) for one in cast(list[Any], node)]
    if isinstance(node, dict):
        return {key: _walked(value, change) for key, value in cast(Manifest, node).items()}
    return node


def _without_descriptions(crd: Manifest) -> Manifest:
    """A CRD without the prose of its schema, which is two thirds of it and would stand in every stack's state.

    The vendors offer the same where size matters (prometheus-operator's `stripped-down-crds`). The rules stay; what is
    lost is the text of `kubectl explain`.
    """
    spec = {**crd["spec"], "versions": [dict(one) for one in crd["spec"]["versions"]]}
    for version in spec["versions"]:
        if "schema" in version:
            version["schema"] = {"openAPIV3Schema": _bare(version["schema"]["openAPIV3Schema"])}
    return {**{key: value for key, value in crd.items() if key != "status"}, "spec": spec}


def _bare(schema: Any) -> Any:
    """A schema without descriptions; a property that happens to be called so stays."""
    if isinstance(schema, list):
        return [_bare(one) for one in cast(list[Any], schema)]
    if not isinstance(schema, dict):
        return schema
    found: Manifest = {}
    for key, value in cast(Manifest, schema).items():
        if key == "description":
            continue
        if key == "properties":
            found[key] = {name: _bare(one) for name, one in value.items()}
        else:
            found[key] = value if key in ("default", "enum", "example") else _bare(value)
    return found


def _pod(manifest: Manifest) -> Manifest:
    return manifest.get("spec", {}).get("template", {}).get("spec", {}) if manifest["kind"] == "Deployment" else {}


def _namespaces(documents: Sequence[Manifest], release: Release) -> Iterator[Manifest]:
    """The release's namespace, where it is ours and the vendor's files lack it."""
    own = release.namespace
    if own is None or release.pod_security is None:
        return
    if not any(one["kind"] == "Namespace" and one["metadata"]["name"] == own for one in documents):
        yield manifest("v1", "Namespace", own)
