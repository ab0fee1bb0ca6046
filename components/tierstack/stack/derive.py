"""Settings sections made from the arguments of components, so that a key is named, typed and documented once.

A component's arguments are dataclasses with a documentation text below each field. A section is a pydantic model of
the same fields, less those that the program wires (platform, connections), with unknown keys forbidden.
"""

import ast
import dataclasses
import functools
import inspect
import itertools
import textwrap
import types
from collections.abc import Awaitable, Callable, Collection
from enum import Enum
from typing import Any, ClassVar, TypeVar, Union, cast, get_args, get_origin

import pulumi
from pydantic import BaseModel, ConfigDict, Field, SecretStr, create_model

from tierstack.core.arguments import hints

T = TypeVar("T")


class Section(BaseModel):
    """A part of the settings: unknown keys are errors, and a number in quotes is a text."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    arguments: ClassVar[type[Any] | None] = None
    """What the section was made from; its source documents the keys."""

    def written(self, protect: Callable[[str], Any] = str) -> dict[str, Any]:
        """The keys that the user wrote, each secret as `protect` makes it: what a component's arguments are made of."""
        return {name: _plain(getattr(self, name), protect) for name in self.model_fields_set}


def section(args: type[Any], without: Collection[str] = ()) -> type[Section]:
    """The section of `args` (a dataclass) without the fields that the program gives."""
    types_of = hints(args)
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(args):
        if field.name in without or not field.init:
            continue
        hint = _model_type(types_of[field.name], secret=bool(field.metadata.get("secret")))
        if field.default is not dataclasses.MISSING:
            info = Field(default=field.default)
        elif field.default_factory is not dataclasses.MISSING:
            info = Field(default_factory=field.default_factory)
        else:
            info = Field()
        fields[field.name] = (hint, info)
    name = f"{args.__name__.removesuffix('Args')}Settings"
    # The doc string of the class itself; an inherited one would be pydantic's.
    made = create_model(name, __base__=Section, __doc__=args.__doc__, **fields)
    made.arguments = args
    return made


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


def _model_type(hint: Any, *, secret: bool) -> Any:
    """The type that a configuration file can hold for an argument of type `hint`."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        plain = [one for one in arguments if get_origin(one) not in (pulumi.Output, Awaitable)]
        return Union[tuple(one if one is type(None) else _model_type(one, secret=secret) for one in plain)]  # noqa: UP007
    if origin is list:
        return list[_model_type(arguments[0], secret=secret)]
    if origin is dict:
        return dict[str, _model_type(arguments[1], secret=secret)]
    if hint is str and secret:
        return SecretStr
    if dataclasses.is_dataclass(hint):
        return section(cast(type[Any], hint))
    return hint


def _plain(value: Any, protect: Callable[[str], Any]) -> Any:
    if isinstance(value, Section):
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
