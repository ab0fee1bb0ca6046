"""Folders of rendered manifests: their order, and what of two of them a cluster would lose or refuse."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tierstack.engine import manifests
from tierstack.platform.kubernetes.gitops import PROTECTION, WAVE


def claim(name: str = "data", size: str = "5Gi", protection: str = "retain", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "shop", "annotations": {WAVE: "3", PROTECTION: protection}},
        "spec": {"resources": {"requests": {"storage": size}}, **spec},
    }


def folder(path: Path, *documents: dict[str, Any]) -> Path:
    for index, one in enumerate(documents):
        file = path / "1-manifest" / f"{one['kind'].lower()}-{index}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(one))
    return path


def compared(tmp_path: Path, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    old, new = folder(tmp_path / "old", before), folder(tmp_path / "new", after)
    return [str(one) for one in manifests.refused(manifests.read(old), manifests.read(new))]


def test_files_are_sorted_by_step_and_kind(tmp_path: Path) -> None:
    def one(kind: str, wave: str) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x", "annotations": {WAVE: wave}}, "spec": {}}

    found = folder(
        tmp_path, one("StatefulSet", "3"), one("Deployment", "5"), one("Namespace", "2"), one("Secret", "2"), claim()
    )
    manifests.arrange(found, {})
    manifests.write_kustomization(found, "rendered/prod")
    listed = yaml.safe_load((found / "kustomization.yaml").read_text())["resources"]
    assert [Path(file).parent.name for file in listed] == ["2-base", "2-base", "3-data", "3-data", "5-app"]
    kinds = [yaml.safe_load((found / file).read_text())["kind"] for file in listed]
    assert kinds == ["Namespace", "Secret", "PersistentVolumeClaim", "StatefulSet", "Deployment"]
    assert sorted(path.name for path in found.iterdir()) == ["2-base", "3-data", "5-app", "kustomization.yaml"]


def test_data_that_leaves_is_named_and_kept(tmp_path: Path) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "shop"}}
    documents = (claim("kept"), claim("gone"), claim("cheap", protection="none"), config)
    old, new = folder(tmp_path / "old", *documents), folder(tmp_path / "new", claim("kept"))
    manifests.arrange(old, {})
    leaving = manifests.leaving(manifests.read(old), manifests.read(new))
    assert [str(one) for one in leaving] == ["PersistentVolumeClaim gone"]
    manifests.arrange(new, leaving)
    assert sorted(str(one) for one in manifests.read(new)) == [
        "PersistentVolumeClaim gone",
        "PersistentVolumeClaim kept",
    ]
    # A second time it stands where it stood.
    (file,) = [one.path for what, one in manifests.read(new).items() if what.name == "gone"]
    manifests.arrange(new, {})
    assert file.exists()


def test_an_object_elsewhere_is_another_one(tmp_path: Path) -> None:
    moved = claim()
    moved["metadata"]["namespace"] = "other"
    old, new = folder(tmp_path / "old", claim()), folder(tmp_path / "new", moved)
    assert len(manifests.leaving(manifests.read(old), manifests.read(new))) == 1


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (claim(size="20Gi"), []),
        (claim(size="5120Mi"), []),
        (claim(size="1Gi"), ["PersistentVolumeClaim data: spec.resources.requests.storage was 5Gi and would be 1Gi"]),
        (
            claim(storageClassName="fast"),
            ["PersistentVolumeClaim data: spec.storageClassName was not set and would be fast"],
        ),
    ],
)
def test_a_claim_can_grow_and_nothing_else(tmp_path: Path, after: dict[str, Any], said: list[str]) -> None:
    assert compared(tmp_path, claim(), after) == said


def test_the_storage_class_of_a_database_cannot_change(tmp_path: Path) -> None:
    def cluster(storage_class: str, size: str) -> dict[str, Any]:
        spec = {"storage": {"size": size, "storageClass": storage_class}, "instances": 3}
        return {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": "db"}, "spec": spec}

    assert compared(tmp_path / "1", cluster("a", "50Gi"), cluster("b", "50Gi")) == [
        "Cluster db: spec.storage.storageClass was a and would be b"
    ]
    assert compared(tmp_path / "2", cluster("a", "200Gi"), cluster("a", "50Gi")) == [
        "Cluster db: spec.storage.size was 200Gi and would be 50Gi"
    ]
    assert compared(tmp_path / "3", cluster("a", "50Gi"), cluster("a", "200Gi")) == []


def test_another_template_of_claims_comes_with_what_to_do(tmp_path: Path) -> None:
    def nodes(size: str) -> dict[str, Any]:
        spec = {"serviceName": "redis-node", "volumeClaimTemplates": [claim(size=size)], "replicas": 3}
        metadata = {"name": "redis-node", "namespace": "shop"}
        return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": spec}

    old, new = folder(tmp_path / "old", nodes("5Gi")), folder(tmp_path / "new", nodes("20Gi"))
    (line,) = manifests.advice(manifests.refused(manifests.read(old), manifests.read(new)))
    assert "kubectl -n shop delete statefulset redis-node --cascade=orphan" in line
    assert "volumeClaimTemplates[0].spec.resources.requests.storage was 5Gi and would be 20Gi" in line


@pytest.mark.parametrize(
    ("was", "will_be", "says"),
    [
        (3, 1, ["StatefulSet redis goes from 3 replicas to 1: kubectl exec redis-0 -- hand-over"]),
        (1, 3, []),
        (3, 3, []),
        (3, None, []),
    ],
)
def test_a_workload_with_fewer_replicas_comes_with_what_to_run_before(
    tmp_path: Path, was: int, will_be: int | None, says: list[str]
) -> None:
    """A rendered stack has no engine that would run it."""
    before, after = tmp_path / "before", tmp_path / "after"
    command = {"tierstack.dev/before-scale-in": "kubectl exec redis-0 -- hand-over"}
    for folder, replicas, annotations in ((before, was, command), (after, will_be, {})):
        folder.mkdir()
        spec = {} if replicas is None else {"replicas": replicas}
        one = {"kind": "StatefulSet", "metadata": {"name": "redis", "annotations": annotations}, "spec": spec}
        (folder / "one.yaml").write_text(yaml.safe_dump({"apiVersion": "apps/v1", **one}))
    assert manifests.scale_ins(manifests.read(before), manifests.read(after)) == says


def test_a_folder_that_is_not_there_has_nothing(tmp_path: Path) -> None:
    assert manifests.read(tmp_path / "absent") == {}
