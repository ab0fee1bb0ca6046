"""Settings models made from the arguments of components, so that a key is named, typed and documented once.

A component's arguments are dataclasses with a documentation text below each field. The model of its settings has the
same fields, less those that the program wires (platform, connections), and forbids unknown keys.
"""

import ast
import dataclasses
import functools
import inspect
import itertools
import textwrap
import types
from collections.abc import Awaitable, Callable, Collection, Mapping
from enum import Enum
from typing import Any, ClassVar, TypeVar, Union, cast, get_args, get_origin

import pulumi
from pydantic import BaseModel, ConfigDict, Field, SecretStr, create_model

from tierstack.core.arguments import hints

T = TypeVar("T")


class SettingsModel(BaseModel):
    """A part of the settings: unknown keys are errors, and a number in quotes is a text."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    documented_by: ClassVar[tuple[type[Any], ...]] = ()
    """The dataclasses that it was made from; their source documents the keys."""

    def written(self, protect: Callable[[str], Any] = str) -> dict[str, Any]:
        """The keys that the user wrote, each secret as `protect` makes it: what a component's arguments are made of."""
        return {name: _plain(getattr(self, name), protect) for name in self.model_fields_set}


def model_of(
    args: type[Any],
    without: Collection[str] = (),
    own: type[Any] | None = None,
    texts: Mapping[str, str] | None = None,
) -> type[SettingsModel]:
    """The settings of `args` (a dataclass) without what the program gives: fields, or `field.field` within one.

    `own`: a dataclass of further keys, which come first. `texts`: what is said of keys in the place of their docstring.
    """
    fields: dict[str, Any] = {}
    for cls, left_out in ((own, ()), (args, without)):
        if cls is not None:
            fields |= {name: one for name, one in _fields(cls, left_out, texts or {}).items() if name not in fields}
    name = f"{args.__name__.removesuffix('Args')}Settings"
    # The doc string of the class itself; an inherited one would be pydantic's.
    made = create_model(name, __base__=SettingsModel, __doc__=args.__doc__, **fields)
    made.documented_by = (args,) if own is None else (args, own)
    return made


def _fields(args: type[Any], without: Collection[str], texts: Mapping[str, str]) -> dict[str, Any]:
    types_of = hints(args)
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(args):
        if field.name in without or not field.init:
            continue
        inside = [path.removeprefix(f"{field.name}.") for path in without if path.startswith(f"{field.name}.")]
        hint = _model_type(types_of[field.name], inside, secret=bool(field.metadata.get("secret")))
        text = texts.get(field.name)
        if field.default is not dataclasses.MISSING:
            info = Field(default=field.default, description=text)
        elif field.default_factory is not dataclasses.MISSING:
            # A group of arguments is a model here, also where nobody gives it.
            group = isinstance(hint, type) and issubclass(hint, SettingsModel)
            factory = cast(Callable[[], Any], hint if group else field.default_factory)
            info = Field(default_factory=factory, description=text)
        else:
            info = Field(description=text)
        fields[field.name] = (hint, info)
    return fields


@functools.cache
def attribute_documentation(cls: type[Any]) -> dict[str, str]:
    """The text below each field of a class, as one line each."""
    body = cast(ast.ClassDef, ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]).body
    found: dict[str, str] = {}
    for field, text in itertools.pairwise(body):
        documents = isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
        if documents and isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            found[field.target.id] = " ".join(str(text.value.value).split())  # pyright: ignore
    return found


def documentation(model: type[BaseModel]) -> dict[str, str]:
    """What is said of each key of a model, as one line each. Not for checks: reading sources takes long."""
    sources = model.documented_by if issubclass(model, SettingsModel) else ()
    below = {name: text for one in sources for name, text in attribute_documentation(one).items()}
    return {
        name: " ".join((field.description or below.get(name, "")).split()) for name, field in model.model_fields.items()
    }


def _model_type(hint: Any, without: Collection[str], *, secret: bool) -> Any:
    """The type that a configuration file can hold for an argument of type `hint`."""
    origin, arguments = get_origin(hint), get_args(hint)

    def inner(one: Any) -> Any:
        return _model_type(one, without, secret=secret)

    if origin in (Union, types.UnionType):
        plain = [one for one in arguments if get_origin(one) not in (pulumi.Output, Awaitable)]
        return Union[tuple(one if one is type(None) else inner(one) for one in plain)]  # noqa: UP007
    if origin is list:
        return list[inner(arguments[0])]
    if origin is dict:
        return dict[str, inner(arguments[1])]
    if hint is str and secret:
        return SecretStr
    if dataclasses.is_dataclass(hint):
        return model_of(cast(type[Any], hint), without)
    return hint


def _plain(value: Any, protect: Callable[[str], Any]) -> Any:
    if isinstance(value, SettingsModel):
        return value.written(protect)
    if isinstance(value, SecretStr):
        return protect(value.get_secret_value())
    if isinstance(value, list):
        return [_plain(one, protect) for one in cast(list[Any], value)]
    if isinstance(value, dict):
        return {key: _plain(one, protect) for key, one in cast(dict[str, Any], value).items()}
    return value


def type_name(hint: Any) -> str:
    """A type as the reference of the settings shows it."""
    origin, arguments = get_origin(hint), get_args(hint)
    names = {str: "text", int: "whole number", float: "number", bool: "true or false", SecretStr: "secret text"}
    if hint in names:
        return names[hint]
    if origin in (Union, types.UnionType):
        return " or ".join(type_name(one) for one in arguments if one is not type(None))
    if origin is list:
        return f"list of {type_name(arguments[0])}"
    if origin is dict:
        return f"map to {type_name(arguments[1])}"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return " or ".join(f"`{member.value}`" for member in hint)
    return "section"
