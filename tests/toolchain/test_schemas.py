"""Schemas: strict where the API is, open where it is."""

from typing import Any

import pytest

from toolchain import schemas


def crd(spec: dict[str, Any], **version: Any) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
        },
    }
    return {
        "kind": "CustomResourceDefinition",
        "spec": {
            "group": "example.org",
            "names": {"kind": "Thing"},
            "versions": [{"name": "v1", "served": True, "schema": {"openAPIV3Schema": schema}, **version}],
        },
    }


def test_a_crd_becomes_one_file_per_served_version() -> None:
    files = dict(schemas.from_crd(crd({"type": "object"})))
    assert list(files) == ["example.org/thing_v1.json"]
    top = files["example.org/thing_v1.json"]
    assert top["required"] == ["apiVersion", "kind"]
    assert top["properties"]["apiVersion"]["enum"] == ["example.org/v1"]
    assert top["properties"]["kind"]["enum"] == ["Thing"]
    assert top["additionalProperties"] is False
    assert dict(schemas.from_crd(crd({"type": "object"}, served=False))) == {}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param(
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"],
             "additionalProperties": False},
            id="declared properties close the object",
        ),
        pytest.param(
            {"type": "object", "properties": {"a": {"type": "string", "enum": ["x"]}}},
            {"type": "object", "properties": {"a": {"type": ["string", "null"], "enum": ["x", None]}},
             "additionalProperties": False},
            id="what may be left out may be null",
        ),
        pytest.param(
            {"type": "object", "properties": {}, "x-kubernetes-preserve-unknown-fields": True},
            {"type": "object", "properties": {}},
            id="unknown fields are kept",
        ),
        pytest.param(
            {"type": "object", "additionalProperties": {"type": "object", "properties": {}}},
            {"type": "object", "additionalProperties": {"type": "object", "properties": {},
             "additionalProperties": False}},
            id="a map stays open and its values are closed",
        ),
        pytest.param(
            {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}],
             "pattern": "^[0-9]+%$"},
            {"type": ["string", "integer"], "pattern": "^[0-9]+%$"},
            id="int or string",
        ),
        pytest.param(
            {"type": "array", "items": {"type": "object", "properties": {}}, "description": "many"},
            {"type": "array", "items": {"type": "object", "properties": {}, "additionalProperties": False}},
            id="items are closed",
        ),
        pytest.param(
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"],
             "oneOf": [{"properties": {"a": {"enum": ["x"]}}, "required": ["a"]}]},
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"],
             "oneOf": [{"properties": {"a": {"enum": ["x"]}}, "required": ["a"]}],
             "additionalProperties": False},
            id="alternatives are conditions and stay open",
        ),
        pytest.param(
            {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {}},
            {"type": "object", "properties": {"apiVersion": {}, "kind": {}, "metadata": {}},
             "additionalProperties": False},
            id="an embedded resource has a kind",
        ),
        pytest.param(
            {"type": "string", "nullable": True, "default": "x"}, {"type": ["string", "null"]}, id="nullable"
        ),
    ],
)  # fmt: skip
def test_strictness(given: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert schemas.strict(given) == wanted


def test_kubernetes_definitions_become_self_contained() -> None:
    document = {
        "definitions": {
            "io.k8s.Pod": {
                "type": "object",
                "properties": {"metadata": {"$ref": "#/definitions/meta"}, "port": {"$ref": "#/definitions/"
                               "io.k8s.apimachinery.pkg.util.intstr.IntOrString"}},
                "x-kubernetes-group-version-kind": [{"group": "", "version": "v1", "kind": "Pod"}],
            },
            "meta": {"type": "object", "properties": {"owner": {"$ref": "#/definitions/meta"}}},
            "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": "string", "format": "int-or-string"},
            "unused": {"type": "object"},
        }
    }  # fmt: skip
    files = dict(schemas.from_swagger(document))
    pod = files["v1/pod_v1.json"]
    assert pod["properties"]["apiVersion"]["enum"] == ["v1"]
    assert set(pod["definitions"]) == {"meta", "io.k8s.apimachinery.pkg.util.intstr.IntOrString"}
    assert pod["definitions"]["meta"]["additionalProperties"] is False
    number = pod["definitions"]["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]
    assert number == {"type": ["string", "integer"]}


def test_yaml_of_crds_is_read_as_they_mean_it() -> None:
    text = "kind: CustomResourceDefinition\nspec: {operators: [=, '=~']}\n---\nkind: Other\n---\n"
    assert [found["spec"]["operators"] for found in schemas.documents(text)] == [["=", "=~"]]
