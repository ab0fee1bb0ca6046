"""What a group of keys may hold: the arguments of a component, from its dataclass, or a part of a stack's settings.

The component host of Pulumi infers its schema from plain annotations and refuses `Annotated`, so types and defaults are
read from the same annotations.
"""

import dataclasses
import functools
import types
import typing
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import Any, ClassVar, NamedTuple, TypeVar, Union, cast, get_args, get_origin

import pulumi

T = TypeVar("T")


class Secret:
    """A text that no message and no `repr` shows."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "(hidden)"


class Bounds(NamedTuple):
    """The range of a number, both ends allowed. It is declared once, beside the field, by `within`: arguments, settings
    and the JSON Schema are judged by it."""

    low: float
    high: float
    unit: str = ""
    """What it counts, as a hint says it. Empty: it has no unit."""
    told_by: str = ""
    """The rule that refuses a number outside, because it says more than the range. Empty: `out-of-range`."""


DOCKER_ONLY: dict[str, Any] = {"only": "docker"}
"""The metadata of a field that means something on a Docker host alone; its docstring begins with `Docker:`. It is added
to other metadata by `|`."""
KUBERNETES_ONLY: dict[str, Any] = {"only": "kubernetes"}
"""The same of Kubernetes."""


def within(low: float, high: float, unit: str = "", *, told_by: str = "") -> dict[str, Any]:
    """The metadata of a field whose number, or each number in its list, is in a range: see `Bounds`."""
    return {"bounds": Bounds(low, high, unit, told_by)}


class Key(NamedTuple):
    """One key of a group."""

    type: Any
    """What it holds, as an annotation."""
    required: bool = False
    default: Any = None
    """Its value where it is left out, unless `factory` makes it."""
    factory: Callable[[], Any] | None = None
    secret: bool = False
    """Whether no message may show what it holds."""
    text: str | None = None
    """What is said of it. None: the text below the field that it was made from."""
    names: tuple[str, ...] = ()
    """Of a map of groups: names that a group in it often has."""
    bounds: Bounds | None = None
    """The range of its number, or of each number in its list. None: any number."""
    only: str | None = None
    """The one kind of platform on which it means something: `docker` or `kubernetes`. None: on both."""

    def absent(self) -> Any:
        """What it holds where it is left out."""
        return self.factory() if self.factory else self.default


class Group:
    """A group of keys that is no dataclass: a subclass is made for each part of the settings, and has its `KEYS`."""

    KEYS: ClassVar[Mapping[str, Key]] = {}
    BESIDE: ClassVar[frozenset[str]] = frozenset()
    """Keys that may be written beside them, and that another reads."""
    DOCUMENTED_BY: ClassVar[tuple[type[Any], ...]] = ()
    """The dataclasses that it was made from; their source documents the keys."""

    def __init__(self, **given: Any) -> None:
        self.keys_given = frozenset(given)
        """The keys that somebody wrote."""
        for name, key in self.KEYS.items():
            setattr(self, name, given[name] if name in given else key.absent())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.KEYS)})"


def is_group(hint: object) -> bool:
    """Whether a type is a group of keys."""
    return isinstance(hint, type) and (issubclass(hint, Group) or dataclasses.is_dataclass(cast(object, hint)))


@functools.cache
def hints(cls: type[Any]) -> dict[str, Any]:
    """The types of a class' fields as they are written; `calls.prepare` changes only what others read from it."""
    # `pulumi.Input` holds `Output[T]` as a forward reference, which only its own module could resolve.
    return typing.get_type_hints(cls, localns={"Output": pulumi.Output, "T": T})


def keys_of(group: type[Any]) -> Mapping[str, Key]:
    """The keys of a group, in the order in which they are documented."""
    return group.KEYS if issubclass(group, Group) else _fields(group)


@functools.cache
def _fields(cls: type[Any]) -> dict[str, Key]:
    types_of = hints(cls)
    return {field.name: key_of(field, types_of[field.name]) for field in dataclasses.fields(cls) if field.init}


def given_elsewhere(group: Any, kind: str) -> dict[str, object]:
    """What is given in a group that means something on another kind of platform alone, where nothing is the default."""
    keys = keys_of(cast(type[Any], type(group))).items()
    other = (name for name, key in keys if key.only not in (None, kind) and key.default is None)
    return {name: value for name in other if (value := getattr(group, name)) is not None}


def key_of(field: "dataclasses.Field[Any]", hint: Any) -> Key:
    """The key of a dataclass' field."""
    absent = dataclasses.MISSING
    return Key(
        type=hint,
        required=field.default is absent and field.default_factory is absent,
        default=None if field.default is absent else field.default,
        factory=None if field.default_factory is absent else field.default_factory,
        secret=bool(field.metadata.get("secret")),
        names=tuple(field.metadata.get("names", ())),
        bounds=field.metadata.get("bounds"),
        only=field.metadata.get("only"),
    )


def group_in(hint: Any) -> type[Any] | None:
    """The group that a key holds, as `X` or `X | None`. None: it holds another type."""
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    return next((cast(type[Any], one) for one in options if is_group(one)), None)


def example_groups(group: type[Any]) -> dict[str, list[str]]:
    """The keys inside the maps of groups of `group`, for each name that such a group often has: those of
    `roles.worker`."""
    found: dict[str, list[str]] = {}
    for key, one in keys_of(group).items():
        for name in one.names:
            (inner,) = (cls for cls in classes_in(one.type) if is_group(cls))
            found[f"{key}.{name}"] = list(keys_of(inner))
    return found


def classes_in(hint: Any) -> list[type[Any]]:
    """The classes that an annotation is made of."""
    if isinstance(hint, type) and get_origin(hint) is None:
        return [hint]
    return [found for inner in get_args(hint) for found in classes_in(inner)]


@functools.cache
def camel_case(name: str) -> str:
    """The name of an argument as other languages have it."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def is_late(hint: Any) -> bool:
    """Whether a type holds values that are known only during an update."""
    return get_origin(hint) in (pulumi.Output, Awaitable)


def plain_in(hint: Any) -> Any:
    """The type that can be written down: `str` of `pulumi.Input[str] | None`."""
    if get_origin(hint) not in (Union, types.UnionType):
        return hint
    return next(one for one in get_args(hint) if one is not type(None) and not is_late(one))


_NOUNS: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Secret: "secret text",
    list: "list",
    dict: "map",
}


def noun(hint: Any) -> str:
    """A type as messages and the reference of the settings call it, without an article."""
    hint = plain_in(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is list:
        return f"list of {noun(arguments[0])}"
    if origin is dict:
        return f"map to {noun(arguments[1])}"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return " or ".join(f"`{member.value}`" for member in hint)
    if isinstance(hint, type) and issubclass(hint, Group):
        return "section"
    return _NOUNS.get(hint) or str(getattr(cast(object, hint), "__name__", "value"))
