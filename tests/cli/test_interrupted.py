"""What a killed run leaves in the state: read, decided, and put in order (data in, data out)."""

import re
from typing import Any

import pytest

from tierstack.engine.interrupted import (
    Object,
    Pending,
    Then,
    adopted_object,
    adopted_volume,
    known,
    object_of,
    objects,
    pending,
    retired,
    settled,
)
from tierstack.platform import DockerHost
from tierstack.platform.files import WRITES

OURS = DockerHost(name="shop").labels
PROVIDER = "urn:pulumi:prod::shop::pulumi:providers:kubernetes::shop-kubernetes"


def resource(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "urn": f"urn:pulumi:prod::shop::{kind}::{name}", **more}


def deployment(name: str = "web", **more: Any) -> dict[str, Any]:
    """A Deployment of ours, as the engine records it."""
    metadata = {"name": name, "namespace": "shop", "labels": OURS}
    inputs = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata}
    return resource("kubernetes:apps/v1:Deployment", name, inputs=inputs, provider=f"{PROVIDER}::1", **more)


def container(kind: str = "Container", name: str = "shop-web", labels: dict[str, str] = OURS) -> dict[str, Any]:
    given = [{"label": key, "value": value} for key, value in labels.items()]
    return resource(f"docker:index/{kind.lower()}:{kind}", name, inputs={"name": name, "labels": given})


def dynamic(kind: str, **inputs: Any) -> dict[str, Any]:
    return resource(f"pulumi-python:dynamic/docker:{kind}", "it", inputs={"docker_host": "ssh://shop1", **inputs})


def state(*under_way: tuple[str, dict[str, Any]], resources: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    operations = [{"type": doing, "resource": one} for doing, one in under_way]
    return {"manifest": {"version": "1"}, "resources": resources or [], "pending_operations": operations}


def creating(one: dict[str, Any], **provider: Any) -> Pending:
    return Pending("creating", one, provider)


def test_operations_are_read_once_each_with_where_they_act() -> None:
    provider = {
        "type": "pulumi:providers:kubernetes",
        "urn": PROVIDER,
        "id": "1",
        "inputs": {"context": "prod", "version": "4.26.0"},
    }
    web, elsewhere = deployment(), {**deployment("worker"), "provider": "urn:pulumi:x::1"}
    found = pending(state(("creating", web), ("creating", web), ("updating", elsewhere), resources=[provider]))
    assert [(str(one), one.provider.get("context")) for one in found] == [
        ("creating Deployment web", "prod"),
        ("updating Deployment worker", None),
    ]


@pytest.mark.parametrize("empty", [{}, {"resources": None, "pending_operations": None}])
def test_an_empty_state_has_nothing_under_way(empty: dict[str, Any]) -> None:
    assert (pending(empty), known(empty), objects(empty)) == ([], set(), set())


@pytest.mark.parametrize(
    ("api_version", "metadata", "address", "id"),
    [
        ("v1", {"name": "cache", "namespace": "shop"}, ["ConfigMap", "cache", "-n", "shop"], "shop/cache"),
        ("v1", {"name": "shop"}, ["ConfigMap", "shop"], "shop"),
        ("apps/v1", {"name": "web", "namespace": "shop"}, ["ConfigMap.v1.apps", "web", "-n", "shop"], "shop/web"),
    ],
)
def test_the_object_of_a_resource(api_version: str, metadata: dict[str, str], address: list[str], id: str) -> None:
    inputs = {"apiVersion": api_version, "kind": "ConfigMap", "metadata": metadata}
    found = object_of(resource("kubernetes:core/v1:ConfigMap", "any", inputs=inputs))
    assert found
    assert (found.address, found.id) == (address, id)


@pytest.mark.parametrize(
    "given",
    [
        container(),
        resource("kubernetes:core/v1:ConfigMap", "a"),
        resource("kubernetes:helm.sh/v3:Release", "a", inputs={"chart": "b"}),
        resource("kubernetes:core/v1:Pod", "a", inputs={"apiVersion": "v1", "kind": "Pod", "metadata": {}}),
        resource("kubernetes:core/v1:Pod", "a", inputs={"apiVersion": "v1", "kind": "Pod", "metadata": {"name": {}}}),
    ],
)
def test_what_is_no_object_with_a_name(given: dict[str, Any]) -> None:
    assert object_of(given) is None


@pytest.mark.parametrize(
    ("given", "ours"),
    [
        (deployment(), True),
        (container(), True),
        (container("Volume"), True),
        (container(labels={}), False),
        (container(labels={"app.kubernetes.io/managed-by": "me"}), False),
        (resource("docker:index/container:Container", "a", inputs={"name": "a"}), False),
        (resource("kubernetes:helm.sh/v3:Release", "a", inputs={"labels": OURS}), False),
        (resource("aws:s3/bucket:Bucket", "a", inputs={"tags": OURS}), False),
    ],
)
def test_what_is_ours_is_told_by_its_labels(given: dict[str, Any], ours: bool) -> None:
    assert creating(given).is_ours is ours


@pytest.mark.parametrize(
    ("given", "provider", "repeatable"),
    [
        (resource("random:index/randomPassword:RandomPassword", "a"), {}, True),
        (resource("tls:index/privateKey:PrivateKey", "a"), {}, True),
        (dynamic("VolumeFiles", volume="v"), {}, True),
        (resource("pulumi-python:dynamic/tierstack:ZoneRecords", "a"), {}, True),
        (deployment(), {"renderYamlToDirectory": "out"}, True),
        (deployment(), {"context": "prod"}, False),
        (container(), {}, False),
        (container("Volume"), {}, False),
        (resource("pulumi-python:dynamic:Invoice", "a"), {}, False),
        (resource("pulumi-python:dynamic/mine:Invoice", "a"), {}, False),
        (resource("docker:index/service:Service", "a"), {}, False),
        (resource("aws:s3/bucket:Bucket", "a"), {}, False),
    ],
)
def test_what_can_be_made_again(given: dict[str, Any], provider: dict[str, str], repeatable: bool) -> None:
    assert creating(given, **provider).is_repeatable is repeatable


def test_what_a_daemon_may_hold_is_named_so_that_nothing_else_fits() -> None:
    labels = [f"{key}={value}" for key, value in OURS.items()]
    assert creating(container()).leftovers == ("containers", {"name": r"^shop\-web$", "label": labels})
    assert creating(container("Network", "shop-a.b")).leftovers == (
        "networks",
        {"name": r"^shop\-a\.b$", "label": labels},
    )
    kind, filters = creating(dynamic("RunOnce", name="shop-migrate")).leftovers or ("", {})
    assert (kind, filters["label"]) == ("containers", ["app.kubernetes.io/managed-by=tierstack"])
    assert re.search(filters["name"], "shop-migrate")
    assert not re.search(filters["name"], "shop-migrate-2")
    writer = Pending("updating", dynamic("VolumeFiles", volume="shop-tls"), {})
    assert writer.leftovers == ("containers", {"label": [f"{WRITES}=shop-tls"]})
    assert writer.docker_host == "ssh://shop1"


@pytest.mark.parametrize(
    "one",
    [
        creating(container(labels={})),
        Pending("updating", container(), {}),
        Pending("deleting", container(), {}),
        creating(container("Volume")),
        creating(deployment()),
        creating(resource("random:index/randomId:RandomId", "a")),
    ],
)
def test_nothing_else_is_ever_looked_for_to_be_removed(one: Pending) -> None:
    assert one.leftovers is None


def test_an_object_is_taken_over_under_the_name_it_was_applied_with() -> None:
    one = creating(deployment(custom=True, parent="urn:parent"))
    made = adopted_object(one, "pulumi-kubernetes-1234")
    assert {key: made[key] for key in ("id", "urn", "parent", "inputs")} == {
        "id": "shop/web",
        "urn": one.urn,
        "parent": "urn:parent",
        "inputs": one.inputs,
    }
    own = {"__fieldManager": "pulumi-kubernetes-1234", "__initialApiVersion": "apps/v1", "__inputs": one.inputs}
    assert made["outputs"] == {**one.inputs, **own}


def test_a_volume_is_taken_over_under_its_name() -> None:
    one = creating({**container("Volume", "shop-db-data"), "protect": True})
    assert one.is_protected
    assert {key: adopted_volume(one)[key] for key in ("id", "protect")} == {"id": "shop-db-data", "protect": True}


def test_what_is_taken_over_comes_after_what_it_needs_and_nothing_stays_under_way() -> None:
    there = [resource("pulumi:pulumi:Stack", "shop")]
    before = state(("creating", deployment()), resources=there)
    after = settled(before, [adopted_object(creating(deployment()), "m")])
    assert [one["urn"] for one in after["resources"]] == [there[0]["urn"], deployment()["urn"]]
    assert (after["pending_operations"], after["manifest"]) == ([], before["manifest"])
    assert known(after) == {one["urn"] for one in after["resources"]}
    assert objects(after) == {Object("apps/v1", "Deployment", "shop", "web")}


def test_what_was_replaced_is_not_deleted_by_its_name() -> None:
    """Taken back, the change needs the old object again, which the engine would delete at the end of the update."""
    old, new = {**deployment("web-1", id="shop/web-1"), "delete": True}, deployment("web-2", id="shop/web-2")
    after = settled({"resources": [new, old]}, [])
    assert after["resources"] == [new, {**old, "retainOnDelete": True}]
    assert [one.object and one.object.name for one in retired(after)] == ["web-1"]
    assert settled(after, []) == after


@pytest.mark.parametrize(
    "one",
    [
        deployment(),
        {**deployment(), "delete": True, "protect": True},
        {**container(), "delete": True},
        {**deployment(), "delete": True, "inputs": {**deployment()["inputs"], "metadata": {"name": "web"}}},
        resource("random:index/randomId:RandomId", "a", delete=True),
    ],
)
def test_what_else_the_engine_deletes_it_deletes_itself(one: dict[str, Any]) -> None:
    assert retired({"resources": [one]}) == []
    assert settled({"resources": [one]}, [])["resources"] == [one]


def test_what_is_rendered_is_deleted_by_the_engine() -> None:
    provider = {"type": "p", "urn": PROVIDER, "id": "1", "inputs": {"renderYamlToDirectory": "out"}}
    assert retired({"resources": [provider, {**deployment(), "delete": True}]}) == []


def test_two_objects_under_one_urn_are_two_operations() -> None:
    """A replacement that was killed, then one by another name that was killed too."""
    one, other = deployment("migrate-1"), deployment("migrate-2")
    other["urn"] = one["urn"]
    assert len(pending(state(("creating", one), ("creating", other)))) == 2


def test_every_end_is_told_in_words() -> None:
    assert len({str(then) for then in Then}) == len(Then)
