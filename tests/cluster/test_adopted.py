"""What exists already in a cluster is taken over by a component without being made anew: docs/importing.md."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.shop import kubectl
from tests.support import Stack

NAMESPACE = "t-adopted"
CLAIM = "data-queue-node-0"
PROGRAM = """\
import pulumi
import tierstack as ts
from tierstack.core.tier import Tier

def imported(args):
    if {imports} and args.name == "queue-data-0":
        args.opts.import_ = "{namespace}/{claim}"
    return pulumi.ResourceTransformationResult(args.props, args.opts)

platform = ts.Kubernetes(name="{namespace}", data_protection=ts.DataProtection.NONE, adopt={adopt}, create_namespace={own},
    storage_class={storage_class!r})
ts.RedisCluster("queue", ts.RedisClusterArgs(
    platform=platform, tier=Tier.USERS_100K, image="{image}", memory_mb=64, storage_gb=1, cpu=0.05,
), pulumi.ResourceOptions(transformations=[imported]))
"""


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
    made = Stack(tmp_path, "adopted")
    try:
        yield made
    finally:
        made.run("destroy", "--yes", "--skip-preview", "--stack=adopted", check=False)
        kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")


def write(
    stack: Stack, *, adopt: bool = False, imports: bool = False, own: bool = True, storage_class: str | None = None
) -> None:
    given = {"adopt": adopt, "imports": imports, "own": own, "storage_class": storage_class}
    stack.write(PROGRAM.format(namespace=NAMESPACE, claim=CLAIM, image="tierstack.local/valkey:8.1", **given))


def apply(*manifests: dict[str, Any]) -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": manifests}
    kubectl("apply", "--server-side", "--field-manager=somebody", "-f", "-", input=json.dumps(listed))


def claim(size: str, labels: dict[str, str]) -> dict[str, Any]:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    metadata = {"name": CLAIM, "namespace": NAMESPACE, "labels": labels}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def there() -> dict[str, Any]:
    return json.loads(kubectl("-n", NAMESPACE, "get", "pvc", CLAIM, "-o", "json"))


def test_everything_with_the_names_of_a_component_is_taken_over(stack: Stack) -> None:
    metadata = {"name": "queue-node-config", "namespace": NAMESPACE}
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"theirs": "1"}}
    apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        claim("1Gi", {"app.kubernetes.io/name": "theirs"}),
        theirs,
    )
    before = there()["metadata"]["uid"]

    write(stack)
    refused = stack.up(check=False)
    assert "error" in refused, refused
    assert there()["metadata"]["labels"]["app.kubernetes.io/name"] == "theirs", "nothing is taken over unasked"

    write(stack, adopt=True)
    stack.up()
    assert there()["metadata"]["uid"] == before
    assert there()["metadata"]["labels"]["app.kubernetes.io/name"] == "redis"
    write(stack)
    stack.up()  # one update says that it is not asked for any more
    stack.unchanged()


def test_one_object_is_imported(stack: Stack) -> None:
    apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, claim("1Gi", {"who": "they"}))
    before = there()["metadata"]["uid"]
    # The API server has written the default class into the claim, and a claim of another class is another claim.
    write(stack, imports=True, own=False)
    refused = stack.up(check=False)
    assert "may not be replaced" in refused, refused
    assert "spec.storageClassName" in refused

    the_class = there()["spec"]["storageClassName"]
    write(stack, imports=True, own=False, storage_class=the_class)
    stack.up()
    assert there()["metadata"]["uid"] == before
    write(stack, own=False, storage_class=the_class)
    stack.unchanged()
