"""A folder of rendered manifests: its order, and the differences between two that delete data or are refused."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from tierstack.core.before import at
from tierstack.core.fixed_fields import FIXED_FIELDS, FixedFields, shrinks
from tierstack.platform.kubernetes.gitops import BEFORE_SCALE_IN, PROTECTION, annotation, step_of

Manifest = dict[str, Any]

KUSTOMIZATION = "kustomization.yaml"
# The order of kustomize ("legacy"): kubectl takes the files of a folder by name, so the number goes before it.
_ORDER = (
    *(
        "Namespace",
        "ResourceQuota",
        "StorageClass",
        "CustomResourceDefinition",
        "ServiceAccount",
        "Role",
        "ClusterRole",
    ),
    *("RoleBinding", "ClusterRoleBinding", "ConfigMap", "Secret", "Service", "LimitRange", "PriorityClass"),
    *("PersistentVolume", "PersistentVolumeClaim", "Deployment", "StatefulSet", "CronJob", "PodDisruptionBudget"),
)
_LAST = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
_HEAD = """\
# Made by `tierstack render`. Apply it with: kubectl apply -k {folder}
# How Argo CD, Flux and kubectl apply it in steps: docs/gitops.md
"""


@dataclass(frozen=True, order=True)
class Identity:
    """What the cluster knows an object by."""

    kind: str
    namespace: str
    name: str
    group: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Rendered:
    """One manifest and its file."""

    path: Path
    manifest: Manifest

    @property
    def protection(self) -> str:
        """The `data_protection` that it was rendered with; empty where it holds no data."""
        return annotation(self.manifest, PROTECTION)


def read(folder: Path) -> dict[Identity, Rendered]:
    """The manifests below `folder`, which may be absent, by what the cluster knows them by."""
    found: dict[Identity, Rendered] = {}
    for file in sorted(folder.rglob("*.yaml")):
        if file.name == KUSTOMIZATION:
            continue
        for document in yaml.load_all(file.read_text(), Loader=yaml.CSafeLoader):
            if isinstance(document, dict) and isinstance(cast(Manifest, document).get("metadata"), dict):
                one = cast(Manifest, document)
                found[identity(one)] = Rendered(file, one)
    return found


def identity(manifest: Manifest) -> Identity:
    """What the cluster knows a manifest's object by."""
    metadata: Manifest = manifest["metadata"]
    group = str(manifest.get("apiVersion", "")).rpartition("/")[0]
    return Identity(
        str(manifest.get("kind", "")), str(metadata.get("namespace", "")), str(metadata.get("name", "")), group
    )


def leaving(before: Mapping[Identity, Rendered], now: Mapping[Identity, Rendered]) -> dict[Identity, Rendered]:
    """The protected objects with data that were in the folder and are no more: a tool that prunes would delete them."""
    return {one: old for one, old in sorted(before.items()) if one not in now and old.protection not in ("", "none")}


def scale_ins(before: Mapping[Identity, Rendered], now: Mapping[Identity, Rendered]) -> list[str]:
    """What to run before a workload with fewer replicas is applied, one line each."""
    found: list[str] = []
    for one in sorted(before.keys() & now.keys()):
        was, will_be = (folder[one].manifest.get("spec", {}).get("replicas") for folder in (before, now))
        command = annotation(before[one].manifest, BEFORE_SCALE_IN)
        if command and isinstance(was, int) and isinstance(will_be, int) and will_be < was:
            found.append(f"{one} goes from {was} replicas to {will_be}: {command}")
    return found


def arrange(folder: Path, kept: Mapping[Identity, Rendered]) -> None:
    """Sort the provider's files into folders by step, add the `kept` ones, and write the kustomization."""
    for one in read(folder).values():
        _move(one.path, folder / _place(one))
    for one in kept.values():
        target = folder / _place(one)
        target.parent.mkdir(exist_ok=True)
        target.write_text(one.path.read_text())
    for empty in [path for path in folder.iterdir() if path.is_dir() and not any(path.iterdir())]:
        empty.rmdir()


def write_kustomization(folder: Path, shown: str) -> None:
    """One file that lists all others; `shown` is how the folder is called in what it says."""
    files = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.yaml") if file.name != KUSTOMIZATION)
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        # In the order of the steps. kubectl sorts by kind all the same, and warns where `sortOptions` says so, too.
        "resources": files,
    }
    text = _HEAD.format(folder=shown) + yaml.safe_dump(document, sort_keys=False, width=200)
    (folder / KUSTOMIZATION).write_text(text)


def _place(one: Rendered) -> str:
    kind = one.manifest["kind"]
    rank = _ORDER.index(kind) if kind in _ORDER else 99 if kind in _LAST else len(_ORDER)
    name = one.path.name
    plain = name[3:] if name[:2].isdigit() and name[2:3] == "-" else name
    return f"{step_of(one.manifest).folder}/{rank:02}-{plain}"


def _move(file: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    file.rename(target)


@dataclass(frozen=True)
class Refusal:
    """A change that the cluster will refuse."""

    what: Identity
    field: str
    before: Any
    after: Any
    instead: str
    """What to do, as a sentence."""
    delete: str
    """See `FixedFields.delete`."""

    @property
    def command(self) -> str:
        """What to run before the new manifest is applied. Empty: nothing makes the change possible."""
        if not self.delete:
            return ""
        resource, *options = self.delete.split()
        namespace = ["-n", self.what.namespace] if self.what.namespace else []
        return " ".join(["kubectl", *namespace, "delete", resource, self.what.name, *options])

    def __str__(self) -> str:
        path, before, after = _difference(self.field, self.before, self.after)
        return f"{self.what}: {path} was {_shown(before)} and would be {_shown(after)}"


def refused(before: Mapping[Identity, Rendered], now: Mapping[Identity, Rendered]) -> list[Refusal]:
    """The changes of immutable fields between two folders, and volumes that would shrink."""
    found: list[Refusal] = []
    for one in sorted(before.keys() & now.keys()):
        if (kind := _kind(one)) is None:
            continue
        old, new = (folder[one].manifest.get("spec", {}) for folder in (before, now))
        for path in kind.fixed:
            was, would_be = at(old, *path), at(new, *path)
            if kind.is_changed(path, was, would_be):
                found.append(Refusal(one, ".".join(("spec", *path)), was, would_be, kind.instead, kind.delete))
        for path in kind.growing.values():
            was, would_be = at(old, *path), at(new, *path)
            if shrinks(was, would_be):
                found.append(Refusal(one, ".".join(("spec", *path)), was, would_be, kind.keep_size, ""))
    return found


def _kind(one: Identity) -> FixedFields | None:
    found = [kind for kind in FIXED_FIELDS if (kind.group, kind.kind) == (one.group, one.kind)]
    return found[0] if found else None


def _difference(path: str, before: Any, after: Any) -> tuple[str, Any, Any]:
    """The innermost place that holds all that differs: a whole template, cut to a line, shows nothing of it."""
    steps: list[tuple[str, Any, Any]] = []
    if isinstance(before, dict) and isinstance(after, dict):
        old, new = cast(Manifest, before), cast(Manifest, after)
        steps = [(f"{path}.{key}", old.get(key), new.get(key)) for key in sorted(old.keys() | new.keys())]
    elif isinstance(before, list) and isinstance(after, list):
        pairs = zip(cast(list[Any], before), cast(list[Any], after), strict=False)
        if len(cast(list[Any], before)) == len(cast(list[Any], after)):
            steps = [(f"{path}[{index}]", old, new) for index, (old, new) in enumerate(pairs)]
    changed = [one for one in steps if one[1] != one[2]]
    return _difference(*changed[0]) if len(changed) == 1 else (path, cast(Any, before), cast(Any, after))


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    text = yaml.safe_dump(value, default_flow_style=True, width=10000).removesuffix("...\n").strip()
    return text if len(text) <= 80 else f"{text[:79]}…"


def advice(refusals: list[Refusal]) -> Iterator[str]:
    """What to do about them, one line each."""
    for one in refusals:
        yield f"{one}. {one.instead}" + (f" Run: {one.command}" if one.command else "")
