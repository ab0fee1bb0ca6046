"""The package as other Pulumi languages see it."""

import ast
import dataclasses
import json
from pathlib import Path

from pulumi.provider.experimental.component import ComponentProvider

import tierstack
from tests.support import golden
from tierstack.core.arguments import camel_case
from tierstack.core.component import Component
from tierstack.core.component_host import ComponentHost

HOST = Path(__file__).parent.parent / "components" / "__main__.py"


def served() -> list[str]:
    """The components that components/__main__.py names."""
    call = next(
        node
        for node in ast.walk(ast.parse(HOST.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "component_provider_host"
    )
    listed = next(keyword.value for keyword in call.keywords if keyword.arg == "components")
    assert isinstance(listed, ast.List)
    return [name.id for name in listed.elts if isinstance(name, ast.Name)]


def test_every_public_component_is_served() -> None:
    public = [getattr(tierstack, name) for name in tierstack.__all__]
    components = {one.__name__ for one in public if isinstance(one, type) and issubclass(one, Component)}
    assert set(served()) == components


def test_the_schema_is_as_agreed() -> None:
    """Every argument and output, with its type: what programs in other languages are compiled against."""
    classes = [getattr(tierstack, name) for name in served()]
    schema = json.loads(ComponentProvider(classes, "tierstack", None, "0.0.0").schema)
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


def test_what_has_a_default_is_optional_in_every_language() -> None:
    """Of the arguments of all components, and of every type inside them."""
    classes = [getattr(tierstack, name) for name in served()]
    provider = ComponentHost(classes)
    schema = json.loads(provider.schema)
    for cls in classes:
        required = set(schema["resources"][f"tierstack:index:{cls.__name__}"]["requiredInputs"])
        assert required == required_of(cls.__init__.__annotations__["args"]), cls
    for name, definition in provider._type_defs.items():
        if dataclasses.is_dataclass(definition.python_type):
            required = set(schema["types"][f"tierstack:index:{name}"].get("required", []))
            assert required == required_of(definition.python_type), name


def required_of(cls: type) -> set[str]:
    missing = dataclasses.MISSING
    return {
        camel_case(field.name)
        for field in dataclasses.fields(cls)
        if field.default is missing and field.default_factory is missing
    }
