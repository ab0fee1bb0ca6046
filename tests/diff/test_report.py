"""Sums, sentences, and the forms for machines."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.diff import plans
from tierstack.core.quantities import GIB, quantity
from tierstack.diff.cost import Amount, Prices, cost
from tierstack.diff.document import VERSION, document
from tierstack.diff.manifests import compared
from tierstack.diff.model import Plan
from tierstack.diff.quantities import days
from tierstack.diff.report import Report, cost_lines, report, summary, verdict
from tierstack.diff.risk import Risk
from tierstack.diff.sentences import sentences
from tierstack.diff.texts import fill, listed, plain, shown

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "docs" / "diff.schema.json"


def deployment(replicas: int | None, memory: str, image: str = "app:1", name: str = "web") -> dict[str, Any]:
    container = {"name": "app", "image": image, "resources": {"requests": {"cpu": "500m", "memory": memory}}}
    spec = {"template": {"spec": {"containers": [container]}}, **({} if replicas is None else {"replicas": replicas})}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/name": "web"}},
        "spec": spec,
    }


def autoscaler(least: int) -> dict[str, Any]:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {"minReplicas": least, "maxReplicas": 9, "scaleTargetRef": {"name": "web"}},
    }


def claim(size: str, name: str = "data-redis-0") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"resources": {"requests": {"storage": size}}},
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("500m", 0.5),
        ("2", 2),
        (3, 3),
        ("8Gi", 8 * GIB),
        ("2048MB", 2 * GIB),
        ("1k", 1000),
        ("x", None),
        (True, None),
        (None, None),
    ],
)
def test_quantities(given: Any, expected: float | None) -> None:
    assert quantity(given) == expected


@pytest.mark.parametrize(("given", "expected"), [("30d", 30), ("4w", 28), ("48h", 2), (7, 7), ("x", None)])
def test_days(given: Any, expected: float | None) -> None:
    assert days(given) == expected


def test_sums_are_those_of_the_whole_stack_where_the_plan_lists_it() -> None:
    plan = compared([deployment(2, "1Gi"), claim("5Gi")], [deployment(5, "2Gi"), claim("5Gi")])
    found = cost(plan)
    assert (found.before, found.after) == (Amount(1, 2 * GIB, 5 * GIB), Amount(2.5, 10 * GIB, 5 * GIB))
    assert plain(cost_lines(report(plan))[0]) == "The stack reserves 2.5 CPU (before: 1), 10 GiB of memory (2 GiB)."


def test_an_autoscaler_decides_the_pods() -> None:
    found = cost(compared([deployment(None, "1Gi"), autoscaler(2)], [deployment(None, "1Gi"), autoscaler(4)]))
    assert found.after - found.before == Amount(1, 2 * GIB)


def test_claims_of_a_stateful_set_count_once() -> None:
    claims = [{"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "5Gi"}}}}]
    one = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "redis"},
        "spec": {"replicas": 1, "volumeClaimTemplates": claims},
    }
    assert cost(compared([], [one])).after.disk == 5 * GIB
    assert cost(compared([], [one, claim("5Gi")])).after.disk == 5 * GIB


def test_containers_of_a_docker_host() -> None:
    plan = plans.plan(plans.steps("docker:index/container:Container", "a", "create", new={"memory": 512}))
    assert cost(plan).after == Amount(memory=GIB / 2)


def test_money_by_the_users_prices() -> None:
    prices = Prices.of({"currency": "EUR", "cpu": 20, "memory_gib": 5, "disk_gib": 0.1})
    made = report(compared([], [deployment(2, "1Gi"), claim("10Gi")]), prices=prices)
    assert "A month costs 31.00 EUR (before: 0.00)." in plain(cost_lines(made)[0])


@pytest.mark.parametrize("given", [{"cpus": 1}, {"cpu": "1"}, {"cpu": -1}, {"cpu": True}])
def test_prices_that_are_none(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="cpu"):
        Prices.of(given)


def says(*pair: list[dict[str, Any]]) -> list[str]:
    return [f"{one.component.name}: {plain(one.says)}" for one in sentences(compared(*pair))]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(
            [deployment(2, "1Gi")],
            [deployment(5, "1Gi", "app:2")],
            ["web: new image app 1 → 2; 2 → 5 pods"],
            id="pods and image",
        ),
        pytest.param([deployment(2, "1Gi")], [deployment(2, "2Gi")], ["web: memory 1 GiB → 2 GiB"], id="memory"),
        pytest.param(
            [],
            [deployment(2, "1Gi"), deployment(1, "1Gi", name="web-worker")],
            ["web: new: 2 Deployment"],
            id="a new component",
        ),
        pytest.param([deployment(2, "1Gi")], [], ["web: removed: Deployment"], id="a component goes"),
        pytest.param([claim("5Gi")], [claim("9Gi")], [": data-redis-0: disk 5 GiB → 9 GiB"], id="of no component"),
    ],
)
def test_one_sentence_for_each_component(
    old: list[dict[str, Any]], new: list[dict[str, Any]], expected: list[str]
) -> None:
    assert says(old, new) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c", "d"], "a, b, c and d"),
        (list("abcdef"), "a, b, c and 3 more"),
    ],
)
def test_lists_of_names(names: list[str], expected: str) -> None:
    assert plain(listed(names)) == expected


def test_a_sentence_keeps_what_is_quoted_apart() -> None:
    assert (
        fill("{a} and {{b}} {c}", a="x{y}", c=("plain",))[1:] == (" and ", "{", "b", "}", " ", "plain")
        or plain(fill("{a}{{b}}{c}", a="x{y}", c=("p",))) == "x{y}{b}p"
    )


def test_values_are_one_line() -> None:
    assert shown("a\nb\x07\u202e") == "a⏎b··"
    assert len(shown("x" * 500)) == 120


def example() -> Report:
    return report(
        plans.plan(
            plans.steps("aws:s3/bucket:Bucket", "orders", "delete", {"a": 1}),
            plans.steps(
                "aws:rds/instance:Instance", "db", old={"text": "a\nb\n", "iops": 1}, new={"text": "a\nc\n", "iops": 2}
            ),
            same=3,
        )
    )


def test_the_verdict_names_the_worst() -> None:
    made = example()
    assert plain(verdict(made)) == "prod: data is lost"
    assert made.worst is Risk.DATA_LOSS
    assert summary(made) == "1 to update, 1 to delete, 3 unchanged"
    calm = report(plans.plan(plans.steps("aws:x/thing:Thing", old={"a": 1}, new={"a": 2})))
    assert plain(verdict(calm)) == "prod: nothing is lost, stops, opens or protects less"


def test_the_document_fits_its_schema() -> None:
    schema = json.loads(SCHEMA.read_text())
    for one in (example(), report(Plan((), errors=("broken",))), report(compared([], [deployment(2, "1Gi")]))):
        assert list(wrong(json.loads(json.dumps(document(one))), schema, schema, "document")) == []
    assert schema["properties"]["version"]["const"] == VERSION


def wrong(value: Any, schema: Any, root: Any, path: str) -> Any:
    """What of a value is not as a schema says: the few words of JSON Schema that ours uses."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    unknown = set(schema) - {
        "$schema",
        "$defs",
        "title",
        "description",
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "const",
    }
    assert not unknown, f"the check does not know {unknown}"
    kinds = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "number": int | float,
        "boolean": bool,
        "null": type(None),
    }
    allowed = schema.get("type", list(kinds))
    if not any(isinstance(value, kinds[kind]) for kind in ([allowed] if isinstance(allowed, str) else allowed)):
        yield f"{path}: {value!r} is no {allowed}"
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        yield f"{path}: {value!r}"
    if isinstance(value, dict):
        known, more = schema.get("properties", {}), schema.get("additionalProperties", True)
        yield from (f"{path}: no {key}" for key in schema.get("required", []) if key not in value)
        for key, one in value.items():
            if key in known:
                yield from wrong(one, known[key], root, f"{path}.{key}")
            elif more is False:
                yield f"{path}: {key} is not in the schema"
            elif isinstance(more, dict):
                yield from wrong(one, more, root, f"{path}.{key}")
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield from wrong(one, schema.get("items", {}), root, f"{path}[{index}]")


def test_the_check_of_the_schema_can_fail() -> None:
    schema = json.loads(SCHEMA.read_text())
    made = document(example())
    assert list(wrong({**made, "more": 1}, schema, schema, "d"))
    assert list(wrong({**made, "unchanged": "1"}, schema, schema, "d"))
    assert list(wrong({key: one for key, one in made.items() if key != "cost"}, schema, schema, "d"))
