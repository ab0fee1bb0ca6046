"""From what a caller hands over (an args object, or the plain dict of the component host) to checked arguments.

The component host of Pulumi infers its schema from plain annotations and refuses `Annotated`, so the structure is
checked here from the same annotations, and the rules of each component stand in its `problems()` method.
Shape errors are all collected before any rule runs: a rule may then rely on the types.
"""

import asyncio
import dataclasses
import types
import typing
from collections.abc import Awaitable
from enum import Enum
from typing import Any, Protocol, TypeVar, cast, get_args, get_origin

import pulumi

from tierstack.errors import HIDDEN, MISSING, ArgumentError, Problem, unknown_key

T = TypeVar("T")


class Checked(Protocol):
    """What an args class offers: its rules as a list of problems, empty when all is well."""

    def problems(self) -> list[Problem]: ...


def checked(cls: type[T], args: object, subject: str) -> T:
    """`args` as an instance of `cls`, or one ArgumentError with every problem of shape, else of every rule."""
    value, problems = load(cls, args)
    if not problems and hasattr(value, "problems"):
        problems = cast(Checked, value).problems()
    if problems:
        raise ArgumentError(subject, problems)
    return cast(T, value)


def load(cls: type[Any], given: object, path: str = "") -> tuple[object, list[Problem]]:
    """`given` converted to `cls` (a dataclass), with the problems of its shape. Neither raises nor registers."""
    return _dataclass(cls, given, path, False)


def _at(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _dataclass(cls: type[Any], given: object, path: str, secret: bool) -> tuple[object, list[Problem]]:
    values: dict[str, object]
    if isinstance(given, cls):
        values = {field.name: getattr(cast(Any, given), field.name) for field in dataclasses.fields(cls)}
    elif isinstance(given, dict):
        values = {str(key): value for key, value in cast(dict[object, object], given).items()}
    else:
        # A bare text where a SecretRef belongs is most likely the secret itself.
        shown = HIDDEN if secret or any(f.metadata.get("secret") for f in dataclasses.fields(cls)) else given
        wrong, instead = f"is not {_a(cls.__name__)}", f"pass {cls.__name__}(…) or a map of its fields"
        return given, [Problem(path or cls.__name__, shown, wrong, instead)]
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    # The component host speaks camelCase; the configuration file may.
    values = {next((n for n in fields if _camel(n) == key), key): value for key, value in values.items()}
    problems = [unknown_key(path, key, fields) for key in values if key not in fields]
    # `pulumi.Input` holds `Output[T]` as a forward reference, which only its own module could resolve.
    hints = typing.get_type_hints(cls, localns={"Output": pulumi.Output, "T": T})
    loaded: dict[str, object] = {}
    for name, field in fields.items():
        hidden = bool(field.metadata.get("secret")) or secret
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if name not in values:
            if required:
                problems.append(Problem(_at(path, name), MISSING, "is required", f"give {_describe(hints[name])}"))
            continue
        loaded[name], wrong = _value(hints[name], values[name], _at(path, name), hidden)
        problems += wrong
    if problems:
        return cast(object, given), problems
    if isinstance(given, dict):
        return cls(**loaded), []
    # A subclass (DockerHost for Platform) stays what it is.
    changed = {name: value for name, value in loaded.items() if value is not getattr(given, name)}
    return (dataclasses.replace(cast(Any, given), **changed) if changed else given), []


def _value(hint: Any, given: object, path: str, secret: bool) -> tuple[object, list[Problem]]:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any or hint is object:
        return given, []
    if origin in (typing.Union, types.UnionType):
        return _union(arguments, given, path, secret)
    if isinstance(given, pulumi.Output):
        return cast(object, given), [_late(path, hint)]
    if origin is list:
        return _list(arguments[0], given, path, secret)
    if origin is dict:
        return _dict(arguments[1], given, path, secret)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _enum(hint, given, path, secret)
    if dataclasses.is_dataclass(cast(object, hint)):
        return _dataclass(cast(type[Any], hint), given, path, secret)
    return _scalar(cast(type[Any], hint), given, path, secret)


def _union(options: tuple[Any, ...], given: object, path: str, secret: bool) -> tuple[object, list[Problem]]:
    if given is None and type(None) in options:
        return None, []
    late = any(get_origin(option) in (pulumi.Output, Awaitable) for option in options)
    if late and (isinstance(given, pulumi.Output) or asyncio.iscoroutine(given) or asyncio.isfuture(given)):
        return cast(object, given), []
    plain = [o for o in options if o is not type(None) and get_origin(o) not in (pulumi.Output, Awaitable)]
    return _value(plain[0], given, path, secret)


def _list(item: Any, given: object, path: str, secret: bool) -> tuple[object, list[Problem]]:
    if not isinstance(given, list | tuple):
        return given, [_wrong_type(path, given, "a list", secret)]
    pairs = [_value(item, value, f"{path}[{index}]", secret) for index, value in enumerate(cast(list[Any], given))]
    return [value for value, _ in pairs], [problem for _, wrong in pairs for problem in wrong]


def _dict(item: Any, given: object, path: str, secret: bool) -> tuple[object, list[Problem]]:
    if not isinstance(given, dict):
        return given, [_wrong_type(path, given, "a map", secret)]
    pairs = {
        key: _value(item, value, _at(path, str(key)), secret) for key, value in cast(dict[str, Any], given).items()
    }
    return {key: value for key, (value, _) in pairs.items()}, [p for _, wrong in pairs.values() for p in wrong]


def _enum(cls: type[Enum], given: object, path: str, secret: bool) -> tuple[object, list[Problem]]:
    if isinstance(given, cls):
        return given, []
    for member in cls:
        if given == member.value:
            return member, []
    choices = ", ".join(f"`{member.value}`" for member in cls)
    return given, [Problem(path, HIDDEN if secret else given, f"is not {_a(cls.__name__)}", f"write one of {choices}")]


def _scalar(cls: type[Any], given: object, path: str, secret: bool) -> tuple[object, list[Problem]]:
    # The component host hands every number over as a float.
    if cls is int and isinstance(given, float) and given.is_integer():
        return int(given), []
    if cls is float and isinstance(given, int) and not isinstance(given, bool):
        return float(given), []
    # bool is an int to Python, never to a reader.
    if isinstance(given, cls) and not (cls is not bool and isinstance(given, bool)):
        return given, []
    return given, [_wrong_type(path, given, _describe(cls), secret)]


_NOUNS: dict[Any, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a map",
}


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "AEIOUaeiou" else f"a {noun}"


def _describe(hint: Any) -> str:
    if hint in _NOUNS:
        return _NOUNS[hint]
    origin = get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _describe(next(o for o in get_args(hint) if o is not type(None)))
    if origin in _NOUNS:
        return _NOUNS[origin]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return "one of " + ", ".join(f"`{member.value}`" for member in hint)
    return _a(getattr(cast(object, hint), "__name__", "value"))


def _wrong_type(path: str, given: object, noun: str, secret: bool) -> Problem:
    return Problem(path, HIDDEN if secret else given, f"is {_kind(given)}", f"write {noun}")


def _late(path: str, hint: Any) -> Problem:
    wrong = "is known only during the update, but shapes the graph"
    return Problem(path, HIDDEN, wrong, f"write {_describe(hint)} that is known at preview")


def _kind(given: object) -> str:
    return _NOUNS.get(type(given)) or ("empty" if given is None else _a(type(given).__name__))
