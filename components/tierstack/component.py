"""The base of every tierstack component."""

import copy
from collections.abc import Mapping
from typing import Any, TypeVar

import pulumi

from tierstack.arguments import checked

PACKAGE = "tierstack"
T = TypeVar("T")


def token(cls_name: str) -> str:
    """The type token of a component: `tierstack:index:AppCluster`. Changing one is a breaking change."""
    return f"{PACKAGE}:index:{cls_name}"


class Component(pulumi.ComponentResource):
    """A component whose arguments are checked before it, or anything inside it, is registered.

    A subclass calls `self.begin` first, builds its children with `parent=self`, assigns its outputs and calls
    `self.finish`. The class's own annotations are its outputs, as the component host reads them.
    """

    def begin(self, name: str, args: object, args_type: type[T], opts: pulumi.ResourceOptions | None) -> T:
        """Check `args` (an args object or a plain dict) and register the component.

        Raises ArgumentError with every problem; nothing is registered then.
        """
        cls_name = type(self).__name__
        loaded = checked(args_type, args, f'{cls_name} "{name}"')
        super().__init__(token(cls_name), name, {}, opts)
        return loaded

    def child(self, **options: Any) -> pulumi.ResourceOptions:
        """Options of a child of this component, with the further ones given."""
        return pulumi.ResourceOptions(parent=self, **options)

    def finish(self, outputs: Mapping[str, Any]) -> None:
        """Assign the outputs to the attributes of the same names, and register them: the last call of a constructor."""
        for name, value in outputs.items():
            setattr(self, name, pulumi.Output.from_input(value))
        self.register_outputs(dict(outputs))


def merged(base: pulumi.ResourceOptions, extra: pulumi.ResourceOptions | None) -> pulumi.ResourceOptions:
    """`base` with `extra` laid over it; neither is changed."""
    return pulumi.ResourceOptions.merge(copy.copy(base), extra)
