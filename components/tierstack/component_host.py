"""Serves the components to programs in other languages, as the SDK's component host does, with four differences.

All components of one program share what they share in a Python program. What one component hands to another
(`connection`, `endpoint`, `certificate`) is an output. Wrong arguments are told as input errors, in the names that
other languages use. And generated SDKs carry the version of the library and a name of their own.
"""

import dataclasses
import importlib
import inspect
import json
import re
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Any, cast

import pulumi
from pulumi.provider import main
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.provider.provider import ConstructResult
from pulumi.provider.server import ComponentInitError

from tierstack import links
from tierstack.core.errors import MISSING, ArgumentError
from tierstack.core.keys import camel_case, classes_in, hints
from tierstack.core.known import opened
from tierstack.platform.component import PACKAGE, Component
from tierstack.platform.shared import Run, hosted

_LINKS = {f"#/types/{PACKAGE}:index:{name}" for name, _ in inspect.getmembers(links, dataclasses.is_dataclass)}
_PEP_440 = re.compile(r"(\d+\.\d+\.\d+)(?:\.?(a|b|rc|dev)(\d+))?")
_PRE_RELEASES = {"a": "alpha", "b": "beta", "rc": "rc", "dev": "dev"}
_WORD = re.compile(r"\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b")


class ComponentHost(ComponentProvider):
    """The provider `tierstack`: makes a component for each Construct call."""

    def __init__(self, components: list[type[pulumi.ComponentResource]], name: str = "tierstack") -> None:
        super().__init__(components, name, None, version_of_plugins(metadata.version("tierstack")))
        self.schema = json.dumps(_named(_legible(_with_links_as_inputs(json.loads(self.schema or "{}")))))
        # The engine gives each call a connection of its own; the program is the same.
        self._runs: dict[tuple[Any, ...], Run] = {}
        self._names = {name for component in components for name in _argument_names(component)}

    def construct(
        self,
        name: str,
        resource_type: str,
        inputs: Mapping[str, Any],
        options: pulumi.ResourceOptions | None = None,
    ) -> ConstructResult:
        """The component `name`. Raises InputPropertiesError with every wrong argument, or why it cannot be made."""
        run = self._runs.setdefault((pulumi.get_project(), pulumi.get_stack(), pulumi.runtime.is_dry_run()), Run())
        try:
            with hosted(run):
                return super().construct(name, resource_type, cast(dict[str, Any], opened(dict(inputs))), options)
        except ComponentInitError as error:
            if isinstance(error.inner, ArgumentError):
                raise self._input_error(error.inner) from None
            if isinstance(error.inner, pulumi.RunError):  # a name that cannot be had, or a daemon that is away
                subject = f'{resource_type.rpartition(":")[2]} "{name}"'
                reason = self._renamed(str(error.inner))
                if "platform" not in inputs:
                    raise pulumi.InputPropertiesError(f"{subject} cannot be made: {reason}", []) from None
                details: pulumi.InputPropertyErrorDetails = {"property_path": "platform", "reason": reason}
                raise pulumi.InputPropertiesError(f"{subject} cannot be made", [details]) from None
            raise

    def map_inputs(self, inputs: Any, component_def: object) -> Any:
        """The inputs as they come: the loader of the arguments knows the names of other languages, and tells all that
        is wrong, where the SDK's own mapping ends at the first."""
        return inputs

    def get_state(self, instance: pulumi.ComponentResource, component_def: Any) -> dict[str, Any]:
        """The outputs of a component. What it hands to another is a map, in the names of other languages."""
        state = super().get_state(instance, _without_links(component_def))
        handed = {name: value for name, value in vars(instance).items() if dataclasses.is_dataclass(value)}
        named = component_def.outputs_mapping.items()
        return {**state, **{name: _as_map(handed[attribute]) for name, attribute in named if attribute in handed}}

    def _input_error(self, error: ArgumentError) -> pulumi.InputPropertiesError:
        count = len(error.problems)
        details: list[pulumi.InputPropertyErrorDetails] = []
        for problem in error.problems:
            # The engine shows the path, and the value of what is an input.
            given = problem.path != "name" and problem.value is not MISSING
            reason = str(dataclasses.replace(problem, path="", value=MISSING if given else problem.value))
            reason = reason.removeprefix(": ").removeprefix(" = ")
            details.append({"property_path": self._renamed(problem.path), "reason": self._renamed(reason)})
        return pulumi.InputPropertiesError(f"{error.subject}: {count} problem{'s' if count > 1 else ''}", details)

    def _renamed(self, text: str) -> str:
        """`text` with the names of arguments as other languages have them."""
        return _WORD.sub(lambda word: camel_case(word[0]) if word[0] in self._names else word[0], text)


def _argument_names(component: type[Any]) -> Iterator[str]:
    """The names of all arguments of a component, those of nested ones included."""
    waiting, seen = [component.__init__.__annotations__["args"]], set[type[Any]]()
    while waiting:
        cls = waiting.pop()
        if cls in seen or not hasattr(cls, "__dataclass_fields__"):
            continue
        seen.add(cls)
        yield from (field.name for field in dataclasses.fields(cls))
        waiting += [inner for hint in hints(cls).values() for inner in classes_in(hint)]


def version_of_plugins(version: str) -> str:
    """`version`, of a Python package (PEP 440), as the engine writes those of plugins (Semantic Versioning 2.0.0)."""
    found = _PEP_440.fullmatch(version)
    if found is None:
        raise ValueError(f"{version} is not a version of three numbers, as in 1.2.3, 1.2.3rc1 or 1.2.3.dev4")
    release, kind, number = found.groups()
    return f"{release}-{_PRE_RELEASES[kind]}.{number}" if kind else release


def _legible(part: Any) -> Any:
    """`part` of a schema, with descriptions as editors show them: without the indentation of the docstrings."""
    if isinstance(part, dict):
        named = cast(dict[str, Any], part).items()
        return {
            key: inspect.cleandoc(value) if key == "description" and isinstance(value, str) else _legible(value)
            for key, value in named
        }
    return [_legible(one) for one in cast(list[Any], part)] if isinstance(part, list) else part


def _named(whole: dict[str, Any]) -> dict[str, Any]:
    """The schema `whole`, from which a Node.js package of our own name is generated: the SDK's would be one of
    Pulumi's, `@pulumi/tierstack`."""
    whole["language"]["nodejs"]["packageName"] = PACKAGE
    return whole


def _with_links_as_inputs(whole: dict[str, Any]) -> dict[str, Any]:
    """The schema `whole`, where arguments that take the output of another component take outputs, inside groups of
    them too.

    The SDK calls them plain, since the annotation names a class; the loader of the arguments opens what is known.
    """
    groups = [one for name, one in whole["types"].items() if f"#/types/{name}" not in _LINKS]
    taken = [one["inputProperties"] for one in whole["resources"].values()]
    for arguments in (*taken, *(one.get("properties", {}) for one in groups)):
        for argument in arguments.values():
            for one in (argument, argument.get("additionalProperties", {})):
                if one.get("$ref") in _LINKS:
                    one.pop("plain", None)
    return whole


def _without_links(component_def: Any) -> Any:
    outputs = {name: one for name, one in component_def.outputs.items() if one.ref not in _LINKS}
    return dataclasses.replace(component_def, outputs=outputs)


def _as_map(link: Any) -> dict[str, Any]:
    values = {field.name: getattr(link, field.name) for field in dataclasses.fields(link)}
    return {
        camel_case(name): _as_map(value) if dataclasses.is_dataclass(value) else value
        for name, value in values.items()
        if value is not None
    }


def public_components() -> list[type[Component]]:
    """The components among the public names, which are those that other languages get."""
    package = importlib.import_module(PACKAGE)
    public = (getattr(package, name) for name in package.__all__)
    found = [one for one in public if isinstance(one, type) and issubclass(one, Component)]
    # A type that several take is described where it comes first, so the schema depends on the order.
    return sorted(found, key=lambda one: one.__name__.lower())


def main_of_plugin() -> None:
    """The program `pulumi-resource-tierstack`: serves all components to the engine that starts it, until it ends."""
    main(ComponentHost([*public_components()]), sys.argv[1:])
