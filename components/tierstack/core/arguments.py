"""From what a caller hands over (an args object, or the plain dict of the component host) to checked arguments.

The component host of Pulumi infers its schema from plain annotations and refuses `Annotated`, so the structure is
checked here from the same annotations, and the rules of each component stand in its `problems()` method.
A rule may rely on the types: where a field has a wrong shape, the rules see its default in its place, and what they
then say of that field is left out.
"""

import dataclasses
import functools
import inspect
import re
import types
import typing
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import Any, Protocol, TypeVar, cast, get_args, get_origin

import pulumi

from tierstack.core.errors import HIDDEN, MISSING, ArgumentError, Diagnostic, a_or_an, unknown_key
from tierstack.core.known import Known

T = TypeVar("T")


class Checked(Protocol):
    """What an args class offers: its rules as a list of problems, empty when all is well."""

    def problems(self) -> list[Diagnostic]: ...


def checked(cls: type[T], args: object, subject: str, rules: Callable[[T], list[Diagnostic]] | None = None) -> T:
    """`args` as an instance of `cls`, or one ArgumentError with every problem of shape and of every rule: those of
    `cls`, and the further `rules`."""
    value, problems = load(cls, args)
    problems = problems_with_rules(cls, args, value, problems, rules)
    if problems:
        raise ArgumentError(subject, problems)
    return cast(T, value)


def load(cls: type[Any], given: object, path: str = "") -> tuple[object, list[Diagnostic]]:
    """`given` converted to `cls` (a dataclass), with the problems of its shape. Neither raises nor registers."""
    return _dataclass(cls, given, path, False)


def problems_with_rules(
    cls: type[T],
    given: object,
    loaded: object,
    shape: list[Diagnostic],
    rules: Callable[[T], list[Diagnostic]] | None = None,
) -> list[Diagnostic]:
    """The problems of shape that `load` told, and those of the rules that can be judged beside them.

    A rule that names a field of wrong shape, or one that a misspelt key may have meant, cannot be judged.
    """
    judged, doubtful = (loaded, set[str]()) if not shape else _mended(cls, given, shape)
    if judged is None:
        return shape
    try:
        found = cast(Checked, judged).problems() if hasattr(judged, "problems") else []
        found = found + (rules(cast(T, judged)) if rules else [])
    except Exception:
        if not shape:
            raise
        return shape  # a rule has met the default of a field that can have none
    return shape + [one for one in found if not doubtful & set(re.findall(r"\w+", str(one)))]


def _mended(cls: type[Any], given: object, shape: list[Diagnostic]) -> tuple[object, set[str]]:
    """An instance with defaults for the fields of wrong shape, and the names of these fields; None where a field that
    has no default is missing."""
    if not isinstance(given, cls | dict):
        return None, set()
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    loaded, _ = _fields(cls, given, "", False)
    doubtful = {re.split(r"[.\[]", problem.path)[0] for problem in shape}
    doubtful |= {word for problem in shape for word in re.findall(r"`(\w+)[`.]", problem.hint) if word in fields}
    types_of = hints(cls)
    values = _given(cls, given)
    mended, doubtful_inside = set[str](), set[str]()
    for name, field in fields.items():
        if name in loaded and name not in doubtful:
            continue
        loaded.pop(name, None)
        group, words = _mended_group(types_of[name], values.get(name), name, shape)
        if group is not None:
            loaded[name] = group
            mended |= {name}
            doubtful_inside |= words
            continue
        if not _required(field):
            continue
        stand_in = _stand_in(types_of[name]) if name in doubtful and name in values else None
        if stand_in is None:
            return None, set()
        loaded[name] = stand_in
    return cls(**loaded), doubtful - mended | doubtful_inside


def _mended_group(hint: Any, given: object, name: str, shape: list[Diagnostic]) -> tuple[object, set[str]]:
    """The same for the group in the field `name`; None where it is no group, or is wrong as a whole."""
    group = _group(hint)
    own = [problem for problem in shape if re.split(r"[.\[]", problem.path)[0] == name]
    if group is None or not own or not all(problem.path.startswith(f"{name}.") for problem in own):
        return None, set()
    return _mended(group, given, [dataclasses.replace(one, path=one.path[len(name) + 1 :]) for one in own])


def _stand_in(hint: Any) -> object:
    """A value of a plain type, for a field that has no default; None for any other type."""
    if isinstance(hint, type) and issubclass(hint, Enum):
        return next(iter(hint))
    plain: dict[Any, object] = {str: "", int: 1, float: 1.0, bool: False, list: list[Any](), dict: dict[str, Any]()}
    return plain.get(get_origin(hint) or hint)


def _at(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def camel_case(name: str) -> str:
    """The name of an argument as other languages have it."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _required(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


@functools.cache
def hints(cls: type[Any]) -> dict[str, Any]:
    """The types of a class' fields as they are written; `prepare` changes only what others read from the class."""
    # `pulumi.Input` holds `Output[T]` as a forward reference, which only its own module could resolve.
    return typing.get_type_hints(cls, localns={"Output": pulumi.Output, "T": T})


def _given(cls: type[Any], given: object) -> dict[str, object]:
    """What the caller has given, by the names of the fields."""
    if isinstance(given, cls):
        return {field.name: getattr(cast(Any, given), field.name) for field in dataclasses.fields(cls)}
    names = [field.name for field in dataclasses.fields(cls) if field.init]
    values = {str(key): value for key, value in cast(dict[object, object], given).items()}
    # The component host speaks camelCase; the configuration file may.
    return {next((name for name in names if camel_case(name) == key), key): value for key, value in values.items()}


def _dataclass(cls: type[Any], given: object, path: str, secret: bool) -> tuple[object, list[Diagnostic]]:
    if not isinstance(given, cls | dict):
        return given, [_other(cls, given, path, secret)]
    loaded, problems = _fields(cls, given, path, secret)
    if problems:
        return given, problems
    if isinstance(given, dict):
        return cls(**loaded), []
    # A subclass (DockerHost for Platform) stays what it is.
    changed = {name: value for name, value in loaded.items() if value is not getattr(given, name)}
    return (dataclasses.replace(cast(Any, given), **changed) if changed else given), []


def _fields(cls: type[Any], given: object, path: str, secret: bool) -> tuple[dict[str, object], list[Diagnostic]]:
    """The converted values of all fields that were given, with the problems of their shape."""
    values = _given(cls, given)
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    problems = _unknown(cls, values, path)
    types_of = hints(cls)
    loaded: dict[str, object] = {}
    for name, field in fields.items():
        hidden = bool(field.metadata.get("secret")) or secret
        if name not in values:
            if _required(field):
                problems.append(
                    Diagnostic(
                        _at(path, name), MISSING, "is required", f"give {_describe(types_of[name])}", "missing-key"
                    )
                )
            continue
        loaded[name], wrong = _value(types_of[name], values[name], _at(path, name), hidden)
        problems += wrong
    return loaded, problems


def _unknown(cls: type[Any], values: Mapping[str, object], path: str) -> list[Diagnostic]:
    """The problems of keys that `cls` has not."""
    fields = {field.name for field in dataclasses.fields(cls) if field.init}
    unknown = {key: value for key, value in values.items() if key not in fields}
    if not unknown:
        return []
    inner = {name: _group(hint) for name, hint in hints(cls).items() if name in fields}
    groups = {
        name: [field.name for field in dataclasses.fields(one) if field.init]
        for name, one in inner.items()
        if one and not hasattr(one, "source")  # nobody writes the fields of a link
    }
    groups |= example_groups(cls)
    return [unknown_key(path, key, fields, groups, value) for key, value in unknown.items()]


def example_groups(cls: type[Any]) -> dict[str, list[str]]:
    """The keys inside the maps of groups of `cls`, for each name that the metadata of the field gives as an example:
    those of `roles.worker`."""
    found: dict[str, list[str]] = {}
    for field in dataclasses.fields(cls):
        for name in field.metadata.get("names", ()):
            (group,) = (one for one in classes_in(hints(cls)[field.name]) if dataclasses.is_dataclass(one))
            found[f"{field.name}.{name}"] = [inner.name for inner in dataclasses.fields(group)]
    return found


def _group(hint: Any) -> type[Any] | None:
    """The class of arguments that a field holds, as `X` or `X | None`. None: it holds another type."""
    options = get_args(hint) if get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    return next((one for one in options if isinstance(one, type) and dataclasses.is_dataclass(one)), None)


def _other(cls: type[Any], given: object, path: str, secret: bool) -> Diagnostic:
    """The problem of something else where an instance of `cls` belongs."""
    wrong, instead = f"is not {a_or_an(cls.__name__)}", f"pass {cls.__name__}(…) or a map of its fields"
    # What gives such an object, as its class says: `connection` of a DatabaseWithReplicas.
    source = getattr(cls, "source", None)
    if source is not None:
        instead = f"pass {source}"
    if isinstance(given, pulumi.Resource):
        held = next((name for name, value in vars(given).items() if isinstance(value, cls)), None)
        if held is not None:
            called = re.sub(r"\W", "_", str(getattr(given, "_name", "")).lower())
            wrong, instead = f"is the {type(given).__name__} itself", f"pass `{called}.{held}`"
        else:
            wrong = f"is {a_or_an(type(given).__name__)}"
    # A bare text where a SecretRef belongs is most likely the secret itself.
    plain = given is None or isinstance(given, str | bytes | int | float | list | tuple)
    hidden = plain and (secret or any(field.metadata.get("secret") for field in dataclasses.fields(cls)))
    return Diagnostic(path or cls.__name__, HIDDEN if hidden else cast(object, given), wrong, instead, "wrong-type")


def _value(hint: Any, given: object, path: str, secret: bool) -> tuple[object, list[Diagnostic]]:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any or hint is object:
        return given.output() if isinstance(given, Known) else given, []
    if origin in (typing.Union, types.UnionType):
        return _union(arguments, given, path, secret)
    if isinstance(given, pulumi.Output):
        return cast(object, given), [_late(path, hint)]
    if isinstance(given, Known):
        return _value(hint, given.inside(), path, secret)
    if origin is list:
        return _list(arguments[0], given, path, secret)
    if origin is dict:
        return _dict(arguments[1], given, path, secret)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _enum(hint, given, path, secret)
    if dataclasses.is_dataclass(cast(object, hint)):
        return _dataclass(cast(type[Any], hint), given, path, secret)
    return _scalar(cast(type[Any], hint), given, path, secret)


def _union(options: tuple[Any, ...], given: object, path: str, secret: bool) -> tuple[object, list[Diagnostic]]:
    if given is None and type(None) in options:
        return None, []
    late = any(get_origin(option) in (pulumi.Output, Awaitable) for option in options)
    if late and isinstance(given, pulumi.Output | Awaitable):
        return cast(object, given), []
    if late and isinstance(given, Known):
        return given.output(), []
    plain = [o for o in options if o is not type(None) and get_origin(o) not in (pulumi.Output, Awaitable)]
    return _value(plain[0], given, path, secret)


def _list(item: Any, given: object, path: str, secret: bool) -> tuple[object, list[Diagnostic]]:
    if not isinstance(given, list | tuple):
        return given, [_wrong_type(path, given, "a list", secret)]
    pairs = [_value(item, value, f"{path}[{index}]", secret) for index, value in enumerate(cast(list[Any], given))]
    return [value for value, _ in pairs], [problem for _, wrong in pairs for problem in wrong]


def _dict(item: Any, given: object, path: str, secret: bool) -> tuple[object, list[Diagnostic]]:
    if not isinstance(given, dict):
        return given, [_wrong_type(path, given, "a map", secret)]
    pairs = {
        key: _value(item, value, _at(path, str(key)), secret) for key, value in cast(dict[str, Any], given).items()
    }
    return {key: value for key, (value, _) in pairs.items()}, [p for _, wrong in pairs.values() for p in wrong]


def _enum(cls: type[Enum], given: object, path: str, secret: bool) -> tuple[object, list[Diagnostic]]:
    if isinstance(given, cls):
        return given, []
    for member in cls:
        if given == member.value:
            return member, []
    choices = ", ".join(f"`{member.value}`" for member in cls)
    return given, [
        Diagnostic(
            path,
            HIDDEN if secret else given,
            f"is not {a_or_an(cls.__name__)}",
            f"write one of {choices}",
            "not-a-choice",
        )
    ]


def _scalar(cls: type[Any], given: object, path: str, secret: bool) -> tuple[object, list[Diagnostic]]:
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
    return a_or_an(getattr(cast(object, hint), "__name__", "value"))


def _wrong_type(path: str, given: object, noun: str, secret: bool) -> Diagnostic:
    if noun == _NOUNS[str] and hasattr(given, "as_text"):
        return Diagnostic(path, HIDDEN, f"is {_kind(given)}", cast(Any, given).as_text(), "wrong-type")
    return Diagnostic(path, HIDDEN if secret else given, f"is {_kind(given)}", f"write {noun}", "wrong-type")


def _late(path: str, hint: Any) -> Diagnostic:
    wrong = "is known only during the update, but shapes the graph"
    return Diagnostic(path, HIDDEN, wrong, f"write {_describe(hint)} that is known at preview", "unknown-value")


def _kind(given: object) -> str:
    return _NOUNS.get(type(given)) or ("empty" if given is None else a_or_an(type(given).__name__))


def prepare(cls: type[Any]) -> None:
    """Make an args class, and those inside it, ready for their callers.

    Wrong keywords raise ArgumentError with everything that is wrong: Python's own TypeError names one keyword, with a
    traceback, and none that was meant. And a field with a default is optional for other languages, too: the component
    host requires whatever its annotation does not call optional, so the class gets such annotations.
    """
    if not dataclasses.is_dataclass(cls) or "_prepared" in cls.__dict__:
        return
    cls._prepared = True  # pyright: ignore[reportAttributeAccessIssue]
    types_of = hints(cls)
    _with_keyword_errors(cls)
    given = inspect.get_annotations(cls)
    optional = {field.name for field in dataclasses.fields(cls) if not _required(field)}
    cls.__annotations__ = {name: given[name] | None if name in optional else given[name] for name in given}
    for hint in types_of.values():
        for inner in classes_in(hint):
            prepare(inner)
    for subclass in cls.__subclasses__():
        prepare(subclass)


def classes_in(hint: Any) -> list[type[Any]]:
    """The classes that an annotation is made of."""
    if isinstance(hint, type) and get_origin(hint) is None:
        return [hint]
    return [found for inner in get_args(hint) for found in classes_in(inner)]


def _with_keyword_errors(cls: type[Any]) -> None:
    original: Callable[..., None] = cls.__init__
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    required = {name for name, field in fields.items() if _required(field)}

    @functools.wraps(original)
    def init(self: object, *given: object, **named: object) -> None:
        if not given and required <= named.keys() <= fields.keys():
            original(self, **named)
            return
        problems = [
            Diagnostic(
                cls.__name__,
                value,
                "is given without its keyword",
                "write each argument as `keyword=value`",
                "no-keyword",
            )
            for value in given
        ]
        problems += _unknown(cls, named, "")
        known = {key: value for key, value in named.items() if key in fields}
        loaded, shape = load(cls, known)
        raise ArgumentError(cls.__name__, problems + problems_with_rules(cls, known, loaded, shape))

    cls.__init__ = init
