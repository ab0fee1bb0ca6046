"""The package as other Pulumi languages see it."""

import dataclasses
import importlib.metadata
import json

import pytest

import tierstack
from tests.support import golden
from tierstack import links
from tierstack.component_host import ComponentHost, public_components, version_of_plugins
from tierstack.core.keys import camel_case


def test_the_schema_is_as_agreed() -> None:
    """Every argument and output, with its type: what programs in other languages are compiled against."""
    schema = json.loads(ComponentHost([*public_components()]).schema or "")
    for one in (*schema["resources"].values(), *schema["types"].values()):
        for properties in (one, *one.get("inputProperties", {}).values(), *one.get("properties", {}).values()):
            properties.pop("description", None)  # words may change freely
        for choice in one.get("enum", []):
            choice.pop("description", None)
    assert not [
        name
        for name, one in schema["resources"].items()
        if "platform" not in one["inputProperties"] and "DNS" not in name
    ]
    golden("schema.json", {key: schema[key] for key in ("name", "resources", "types")})


def test_generated_packages_carry_the_version_and_a_name_of_their_own() -> None:
    schema = json.loads(ComponentHost([tierstack.RedisCluster]).schema or "")
    assert schema["version"] == version_of_plugins(importlib.metadata.version("tierstack"))
    assert schema["language"]["nodejs"] == {"respectSchemaVersion": True, "packageName": "tierstack"}


@pytest.mark.parametrize(
    ("python", "engine"),
    [("0.2.0", "0.2.0"), ("1.2.3rc1", "1.2.3-rc.1"), ("1.2.3.dev4", "1.2.3-dev.4"), ("1.2.3b2", "1.2.3-beta.2")],
)
def test_versions_as_the_engine_writes_them(python: str, engine: str) -> None:
    assert version_of_plugins(python) == engine


def test_a_version_that_the_engine_cannot_have() -> None:
    with pytest.raises(ValueError, match=r"1\.2 is not a version of three numbers"):
        version_of_plugins("1.2")


def test_descriptions_have_no_indentation() -> None:
    """They are what editors show beside an argument."""
    schema = ComponentHost([*public_components()]).schema or ""
    assert "\\n  " not in schema


def test_what_has_a_default_is_optional_in_every_language() -> None:
    """Of the arguments of all components, and of every type inside them."""
    classes = public_components()
    provider = ComponentHost([*classes])
    schema = json.loads(provider.schema or "")
    for cls in classes:
        required = set(schema["resources"][f"tierstack:index:{cls.__name__}"]["requiredInputs"])
        assert required == required_of(cls.__init__.__annotations__["args"]), cls
    for name, definition in provider._type_defs.items():
        if dataclasses.is_dataclass(definition.python_type):
            required = set(schema["types"][f"tierstack:index:{name}"].get("required", []))
            assert required == required_of(definition.python_type), name


def test_what_components_hand_over_fits_where_it_is_taken() -> None:
    """Each type of tierstack.links that an argument takes is an output of a component, and the argument takes outputs."""
    schema = json.loads(ComponentHost([*public_components()]).schema or "")
    known = {f"#/types/tierstack:index:{name}" for name, one in vars(links).items() if dataclasses.is_dataclass(one)}
    resources = schema["resources"].values()
    groups = [one.get("properties", {}) for name, one in schema["types"].items() if f"#/types/{name}" not in known]
    arguments = [*(each["inputProperties"] for each in resources), *groups]
    single = [one for each in arguments for one in each.values()]
    maps = [one["additionalProperties"] for one in single if "additionalProperties" in one]
    taken = [one for one in single + maps if one.get("$ref") in known]
    assert [one for one in maps if one.get("$ref") in known], "`more_redis` takes a map of them"
    handed = {one["$ref"] for each in resources for one in each["properties"].values() if one.get("$ref") in known}
    # The program names a Gateway before it makes it.
    named = {"#/types/tierstack:index:GatewayIdentity"}
    assert handed == {one["$ref"] for one in taken} - named
    assert not [one for one in taken if one.get("plain")]


def required_of(cls: type) -> set[str]:
    missing = dataclasses.MISSING
    return {
        camel_case(field.name)
        for field in dataclasses.fields(cls)
        if field.default is missing and field.default_factory is missing
    }
