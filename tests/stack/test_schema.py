"""The JSON Schema by which editors check a stack's file says what the settings say."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from tierstack.stack.schema import schema, text

ROOT = Path(__file__).parents[2]
FILES = [*sorted(ROOT.glob("Pulumi.*.yaml")), *sorted((ROOT / "tests/cases/systems").glob("*.yaml"))]
_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "null": lambda value: value is None,
}
_KNOWN = {
    *("$schema", "title", "definitions", "description", "default"),
    *("$ref", "type", "enum", "anyOf", "allOf", "not", "required"),
    *("properties", "patternProperties", "additionalProperties", "items"),
    *("minimum", "maximum"),
}


def errors(value: Any, rule: Any, whole: dict[str, Any], path: str = "") -> list[str]:
    """Where `value` is not as `rule` says: the part of JSON Schema that the schema uses."""
    if isinstance(rule, bool):
        return [] if rule else [path]
    assert set(rule) <= _KNOWN, rule
    if "$ref" in rule:
        return errors(value, whole["definitions"][rule["$ref"].rpartition("/")[2]], whole, path)
    found: list[str] = []
    if "type" in rule and not _TYPES[rule["type"]](value):
        return [path]
    if "enum" in rule and value not in rule["enum"]:
        found.append(path)
    if isinstance(value, int | float) and not rule.get("minimum", value) <= value <= rule.get("maximum", value):
        found.append(path)
    if "anyOf" in rule and all(errors(value, one, whole, path) for one in rule["anyOf"]):
        found.append(path)
    for one in rule.get("allOf", []):
        found += errors(value, one, whole, path)
    if "not" in rule and not errors(value, rule["not"], whole, path):
        found.append(path)
    if isinstance(value, list) and "items" in rule:
        items = enumerate(cast(list[Any], value))
        found += [one for index, item in items for one in errors(item, rule["items"], whole, f"{path}[{index}]")]
    if isinstance(value, dict):
        found += _object(cast(dict[str, Any], value), rule, whole, path)
    return found


def _object(value: dict[str, Any], rule: dict[str, Any], whole: dict[str, Any], path: str) -> list[str]:
    found = [f"{path}.{name}" for name in rule.get("required", []) if name not in value]
    for name, inner in value.items():
        rules = [rule["properties"][name]] if name in rule.get("properties", {}) else []
        rules += [one for pattern, one in rule.get("patternProperties", {}).items() if re.search(pattern, name)]
        for one in rules or [rule.get("additionalProperties", True)]:
            found += errors(inner, one, whole, f"{path}.{name}")
    return found


def wrong(document: dict[str, Any], project: str) -> list[str]:
    made = schema(project)
    return errors(document, made, made)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_what_a_stack_accepts_is_right_in_an_editor(file: Path) -> None:
    document = yaml.safe_load(file.read_text())
    assert wrong(document, next(iter(document["config"])).partition(":")[0]) == []


CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("shop:tear", "100k", ["shop:tear"]),
        ("aws:region", "eu-central-1", []),
        ("shop:tier", "10k", ["shop:tier"]),
        ("shop:app/replicas", "3", ["shop:app.replicas"]),
        ("shop:app/replicas", -1, ["shop:app.replicas"]),
        ("shop:app/replicas", None, ["shop:app.replicas"]),
        ("shop:app/outbound", {"ports": [443, 99999]}, ["shop:app.outbound.ports[1]"]),
        ("shop:gateway/https_port", 99999, ["shop:gateway.https_port"]),
        ("shop:docker/gateway/https_port", 0, ["shop:docker.gateway.https_port"]),
        ("shop:app/roles/worker/count", "3", ["shop:app.roles.worker.count"]),
        ("shop:app/secrets", {"KEY": "plain"}, ["shop:app.secrets.KEY"]),
        ("shop:app/secrets", {"KEY": {"secure": "v1:x"}}, []),
        ("shop:app/uploads_gb", 1, ["shop:app.uploads_gb"]),
        ("shop:docker/gateway/https_prt", 1, ["shop:docker.gateway.https_prt"]),
        ("shop:dns/web", [{"ipv4": "203.0.113.10"}], ["shop:dns.web[0].ipv4"]),
        ("shop:dns/records", [{"name": "a", "type": "A"}], ["shop:dns.records[0].values"]),
        ("shop:apps", {"shop": {"hostnames": ["shop.example"]}}, [""]),
        ("shop:databases", {}, [""]),
        ("shop:backups", None, ["shop:backups"]),
    ],
)
def test_a_slip_is_wrong_in_an_editor(path: str, value: Any, expected: list[str]) -> None:
    document = copy.deepcopy(CONFIG)
    *parents, last = path.split("/")
    inside = document["config"]
    for key in parents:
        inside = inside.setdefault(key, {})
    inside[last] = value
    found = wrong(document, "shop")
    assert found == [f".config.{one}" if one else ".config" for one in expected]


def test_every_key_is_described() -> None:
    made = schema("shop")
    models = [one for name, one in made["definitions"].items() if name != "secret"]
    assert not [name for model in models for name, one in model["properties"].items() if not one["description"]]


def test_the_file_is_current() -> None:
    again = "python -m tierstack.stack.schema shop > docs/pulumi-stack.schema.json"
    file = ROOT / "docs/pulumi-stack.schema.json"
    assert file.read_text() == text("shop"), f"out of date; write it again: {again}"
    assert json.loads(text("shop"))["title"] == "Configuration of a stack of shop"
