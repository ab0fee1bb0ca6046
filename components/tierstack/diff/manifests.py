"""Two sets of rendered manifests, as a plan."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

from tierstack.diff import noise
from tierstack.diff.compare import properties
from tierstack.diff.model import Change, Operation, Plan, at, in_order
from tierstack.diff.owners import of_labels
from tierstack.diff.secrets import Masker
from tierstack.diff.successors import joined

Manifest = Mapping[str, Any]
Identity = tuple[str, str, str, str]
"""Group, kind, namespace and name: what the cluster knows an object by."""

PROTECTION = "tierstack.dev/data-protection"
"""The annotation with the `data_protection` of an object that holds data."""
_NO_PRUNE = ("argocd.argoproj.io/sync-options", "kustomize.toolkit.fluxcd.io/prune")


def compared(before: Iterable[Manifest], after: Iterable[Manifest], *, project: str = "", stack: str = "") -> Plan:
    """The plan of going from one set of manifests to the other, without secrets and without noise."""
    old, new = ({_identity(one): one for one in side if _is_object(one)} for side in (before, after))
    masker, left_out = Masker(), Counter[str]()
    identities = [*new, *(one for one in old if one not in new)]
    pairs = {one: _masked(masker, one, old.get(one, {}), new.get(one, {})) for one in identities}
    changes: list[Change] = []
    same: list[Change] = []
    for one in identities:
        was, becomes = (masker.cleaned(side) for side in pairs[one])
        change = _change(one, was, becomes)
        if why := noise.of_change(change):
            left_out[why] += 1
        else:
            (same if change.operation is Operation.SAME else changes).append(change)
    return Plan(
        changes=in_order(joined(changes)),
        unchanged=in_order(same),
        unchanged_count=len(same),
        complete=True,
        project=project,
        stack=stack,
        left_out=dict(left_out),
        files=True,
    )


def _change(identity: Identity, old: Manifest, new: Manifest) -> Change:
    found = tuple(replace(one, derived=noise.is_derived(one)) for one in (properties(old, new) if old and new else ()))
    operation = (
        Operation.UPDATE if found else Operation.SAME if old and new else Operation.CREATE if new else Operation.DELETE
    )
    state = new or old
    api_version = str(state.get("apiVersion", ""))
    return Change(
        operation=operation,
        type=f"kubernetes:{api_version if '/' in api_version else f'core/{api_version}'}:{identity[1]}",
        name=identity[3],
        component=of_labels(state),
        old=old,
        new=new,
        properties=noise.without(found),
        retained=is_kept(old),
    )


def _masked(masker: Masker, identity: Identity, old: Manifest, new: Manifest) -> tuple[Any, Any]:
    return masker.pair(old, new, secret_values=identity[:2] == ("", "Secret"))


def _identity(manifest: Manifest) -> Identity:
    metadata = cast(Manifest, manifest["metadata"])
    group = str(manifest.get("apiVersion", "")).rpartition("/")[0]
    return group, str(manifest["kind"]), str(metadata.get("namespace", "")), str(metadata.get("name", ""))


def _is_object(manifest: Manifest) -> bool:
    return "kind" in manifest and isinstance(manifest.get("metadata"), Mapping)


def is_kept(manifest: Manifest) -> bool:
    """Whether GitOps tools leave it in the cluster once its file is gone."""
    annotations = at(manifest, "metadata annotations")
    if not isinstance(annotations, Mapping):
        return False
    said = [str(cast(Manifest, annotations).get(key, "")) for key in _NO_PRUNE]
    return "Prune=false" in said[0] or said[1] == "disabled"
