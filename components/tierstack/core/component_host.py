"""Serves the components to programs in other languages, as the SDK's component host does, with two differences.

All components of one program share what they share in a Python program. And wrong arguments are told as input errors,
in the names that other languages use.
"""

import dataclasses
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi
from pulumi.provider import main
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.provider.provider import ConstructResult
from pulumi.provider.server import ComponentInitError

from tierstack.core.arguments import camel_case, classes_in, hints
from tierstack.core.errors import ArgumentError
from tierstack.platform.shared import Run, hosted

_WORD = re.compile(r"\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b")


class ComponentHost(ComponentProvider):
    """The provider `tierstack`: makes a component for each Construct call."""

    def __init__(self, components: list[type[pulumi.ComponentResource]], name: str = "tierstack") -> None:
        # Without a version of its own the SDK of another language asks for none, and takes the one beside it.
        super().__init__(components, name, None, "0.0.0")
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
        """The component `name`. Raises InputPropertiesError with every wrong argument."""
        run = self._runs.setdefault((pulumi.get_project(), pulumi.get_stack(), pulumi.runtime.is_dry_run()), Run())
        try:
            with hosted(run):
                return super().construct(name, resource_type, dict(inputs), options)
        except ComponentInitError as error:
            if isinstance(error.inner, ArgumentError):
                raise self._input_error(error.inner) from None
            raise

    def map_inputs(self, inputs: Any, component_def: object) -> Any:
        """The inputs as they come: the loader of the arguments knows the names of other languages, and tells all that
        is wrong, where the SDK's own mapping ends at the first."""
        return inputs

    def _input_error(self, error: ArgumentError) -> pulumi.InputPropertiesError:
        count = len(error.problems)
        details: list[pulumi.InputPropertyErrorDetails] = []
        for problem in error.problems:
            path = self._renamed(problem.path)
            reason = self._renamed(str(problem)).removeprefix(path).removeprefix(": ").removeprefix(" ")
            details.append({"property_path": path, "reason": reason})
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


def component_provider_host(name: str, components: list[type[pulumi.ComponentResource]]) -> None:
    """Serve `components` to the engine that started this process, until it ends."""
    main(ComponentHost(components, name), sys.argv[1:])
