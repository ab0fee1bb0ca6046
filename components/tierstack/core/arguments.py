"""The loader: from what a caller hands over (an args object, the plain dict of the component host, the settings of a
stack) to a checked group of keys.

It looks at shapes only. The rules of each component stand in its `problems()` method, and run in `core.checked`.
"""

import dataclasses
import re
import types
from collections.abc import Awaitable, Mapping
from enum import Enum
from typing import Any, Union, cast, get_args, get_origin

import pulumi

from tierstack.core.errors import HIDDEN, MISSING, Diagnostic, a_or_an
from tierstack.core.keys import (
    Group,
    Secret,
    camel_case,
    example_groups,
    group_in,
    is_group,
    is_late,
    keys_of,
    noun,
    plain_in,
)
from tierstack.core.known import Known
from tierstack.core.suggestions import in_a_list, in_its_unit, unknown_key

Loaded = tuple[Any, list[Diagnostic]]
"""A value converted, with the problems of its shape."""


def load(group: type[Any], given: object, path: str = "") -> Loaded:
    """`given` converted to `group` (a dataclass, or a part of settings), with the problems of its shape. Neither
    raises nor registers."""
    return _group(group, given, path, False)


def keys_given(group: type[Any], given: object) -> dict[str, object]:
    """What the caller has given, by the names of the keys."""
    keys = keys_of(group)
    if isinstance(given, group):
        return {name: getattr(given, name) for name in keys} | _beside_fields(given)
    values = {str(key): value for key, value in cast(dict[object, object], given).items()}
    if issubclass(group, Group):
        return values
    # The component host speaks camelCase; a program may.
    others = {camel_case(name): name for name in keys}
    return {others.get(key, key): value for key, value in values.items()}


def _beside_fields(given: object) -> dict[str, object]:
    """What was assigned to an object under names that its class does not have: Python takes a misspelt one without a
    word, and nothing would ever read it."""
    own = getattr(given, "__dict__", {})
    return {name: value for name, value in own.items() if not name.startswith("_") and not _declares(given, name)}


def _declares(given: object, name: str) -> bool:
    fields = {field.name for field in dataclasses.fields(given)} if dataclasses.is_dataclass(given) else set[str]()
    return name in fields or hasattr(type(given), name)


def load_keys(group: type[Any], given: object, path: str = "", secret: bool = False) -> Loaded:
    """The converted values of all keys that were given, with the problems of their shape."""
    values = keys_given(group, given)
    twice = _spelled_twice(group, given, path)
    problems = [*unknown_keys(group, values, path), *twice.values()]
    loaded: dict[str, object] = {}
    for name, key in keys_of(group).items():
        if name in twice:
            continue  # which of the two is meant is not known
        if name in values:
            loaded[name], wrong = _value(key.type, values[name], _at(path, name), secret or key.secret)
            problems += wrong
        elif key.required:
            hint = _to_give(group, name, key.type)
            problems.append(Diagnostic(_at(path, name), MISSING, "is required", hint, "missing-key"))
    return loaded, problems


def _spelled_twice(group: type[Any], given: object, path: str) -> dict[str, Diagnostic]:
    """The problem of each key that stands there in both of its spellings, by its name."""
    if not isinstance(given, dict) or issubclass(group, Group):
        return {}
    both = ((name, camel_case(name)) for name in keys_of(group))
    return {
        name: Diagnostic(
            _at(path, name), MISSING, f"is given as `{name}` and as `{other}`", "remove one of them", "given-twice"
        )
        for name, other in both
        if name != other and name in given and other in given
    }


def unknown_keys(group: type[Any], values: Mapping[str, object], path: str) -> list[Diagnostic]:
    """The problems of keys that `group` has not."""
    keys = keys_of(group)
    unknown = {key: value for key, value in values.items() if key not in keys}
    if not unknown:
        return []
    inner = {name: group_in(key.type) for name, key in keys.items()}
    # Nobody writes the fields of a link.
    groups = {name: list(keys_of(one)) for name, one in inner.items() if one and not hasattr(one, "source")}
    groups |= example_groups(group)
    known = {*keys, *(group.BESIDE if issubclass(group, Group) else ())}
    return [unknown_key(path, key, known, groups, value) for key, value in unknown.items()]


def _at(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def wrong_keywords(given: object) -> list[Diagnostic]:
    """What was wrong with the call that made an args object (`calls.prepare`), where that was left to its owner."""
    return cast(list[Diagnostic], vars(given).get(WRONG_KEYWORDS, [])) if hasattr(given, "__dict__") else []


WRONG_KEYWORDS = "_wrong_keywords"
"""The attribute of an args object that holds them."""


def _group(group: type[Any], given: object, path: str, secret: bool) -> Loaded:
    if not isinstance(given, group | dict):
        if issubclass(group, Group):
            return given, [_no_section(path, given, group, secret)]
        return given, [_other(group, given, path, secret)]
    if wrong := wrong_keywords(given):
        return given, [dataclasses.replace(one, path=_at(path, one.path) if one.path else path) for one in wrong]
    loaded, problems = load_keys(group, given, path, secret)
    if problems:
        return given, problems
    if isinstance(given, dict):
        return group(**loaded), []
    # A subclass (DockerHost for Platform) stays what it is.
    changed = {name: value for name, value in loaded.items() if value is not getattr(given, name)}
    return (dataclasses.replace(cast(Any, given), **changed) if changed else given), []


def _other(cls: type[Any], given: object, path: str, secret: bool) -> Diagnostic:
    """The problem of something else where an instance of `cls` belongs."""
    message, hint = f"is not {a_or_an(cls.__name__)}", f"pass {cls.__name__}(…) or a map of its fields"
    # What gives such an object, as its class says: `connection` of a DatabaseWithReplicas.
    source = getattr(cls, "source", None)
    if source is not None:
        hint = f"pass {source}"
    if isinstance(given, pulumi.Resource):
        held = next((name for name, value in vars(given).items() if isinstance(value, cls)), None)
        if held is not None:
            called = re.sub(r"\W", "_", str(getattr(given, "_name", "")).lower())
            message, hint = f"is the {type(given).__name__} itself", f"pass `{called}.{held}`"
        else:
            message = f"is {a_or_an(type(given).__name__)}"
    # A bare text where a SecretRef belongs is most likely the secret itself.
    plain = given is None or isinstance(given, str | bytes | int | float | list | tuple)
    hidden = plain and (secret or any(key.secret for key in keys_of(cls).values()))
    return Diagnostic(path or cls.__name__, HIDDEN if hidden else cast(object, given), message, hint, "wrong-type")


def _value(hint: Any, given: object, path: str, secret: bool) -> Loaded:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any or hint is object:
        return given.output() if isinstance(given, Known) else given, []
    if origin in (Union, types.UnionType):
        return _union(hint, given, path, secret)
    if isinstance(given, pulumi.Output):
        return cast(object, given), [_unknown_value(path, hint)]
    if isinstance(given, Known):
        return _value(hint, given.inside(), path, secret)
    if origin is list:
        return _list(hint, arguments[0], given, path, secret)
    if origin is dict:
        return _dict(hint, arguments[1], given, path, secret)
    if is_group(hint):
        return _group(hint, given, path, secret)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _enum(hint, given, path, secret)
    return _scalar(cast(type[Any], hint), given, path, secret)


def _union(hint: Any, given: object, path: str, secret: bool) -> Loaded:
    options = get_args(hint)
    if given is None and type(None) in options:
        return None, []
    late = any(is_late(option) for option in options)
    if late and isinstance(given, pulumi.Output | Awaitable):
        return cast(object, given), []
    if late and isinstance(given, Known):
        return given.output(), []
    return _value(plain_in(hint), given, path, secret)


def _list(hint: Any, item: Any, given: object, path: str, secret: bool) -> Loaded:
    if not isinstance(given, list | tuple):
        return given, [_wrong_type(path, given, hint, secret)]
    pairs = [_value(item, value, f"{path}[{index}]", secret) for index, value in enumerate(cast(list[Any], given))]
    return [value for value, _ in pairs], [problem for _, wrong in pairs for problem in wrong]


def _dict(hint: Any, item: Any, given: object, path: str, secret: bool) -> Loaded:
    if not isinstance(given, dict):
        return given, [_wrong_type(path, given, hint, secret)]
    pairs = {
        key: _value(item, value, _at(path, str(key)), secret) for key, value in cast(dict[str, Any], given).items()
    }
    return {key: value for key, (value, _) in pairs.items()}, [p for _, wrong in pairs.values() for p in wrong]


def _enum(cls: type[Enum], given: object, path: str, secret: bool) -> Loaded:
    if isinstance(given, cls):
        return given, []
    for member in cls:
        if given == member.value:
            return member, []
    shown = HIDDEN if secret else given
    return given, [Diagnostic(path, shown, "is not a choice", f"write {_describe(cls)}", "not-a-choice")]


def _scalar(cls: type[Any], given: object, path: str, secret: bool) -> Loaded:
    if cls is Secret and isinstance(given, str):
        return Secret(given), []
    # The component host hands every number over as a float.
    if cls is int and isinstance(given, float) and given.is_integer():
        return int(given), []
    if cls is float and isinstance(given, int) and not isinstance(given, bool):
        return float(given), []
    # bool is an int to Python, never to a reader.
    if isinstance(given, cls) and not (cls is not bool and isinstance(given, bool)):
        return given, []
    return given, [_wrong_type(path, given, cls, secret)]


def _describe(hint: Any) -> str:
    """A type with its article: `a list of text`."""
    hint = plain_in(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return "one of " + ", ".join(f"`{member.value}`" for member in hint)
    return "true or false" if hint is bool else a_or_an(noun(hint))


def _to_give(group: type[Any], name: str, hint: Any) -> str:
    """What to do where a required value is missing. An object cannot be written."""
    if dataclasses.is_dataclass(plain_in(hint)):
        return f"give {_describe(hint)}"
    from tierstack.core.documentation import example  # reads sources, for an error alone

    shown = example(group, name)
    return f"write {_describe(hint)}{f', such as `{shown}`' if shown else ''}"


def _no_section(path: str, given: object, group: type[Group], secret: bool) -> Diagnostic:
    """The problem of something else where a section belongs: people write nothing, or a switch."""
    if given is not None and not isinstance(given, bool):
        return _wrong_type(path, given, group, secret)
    needed = ", ".join(f"`{name}`" for name, key in group.KEYS.items() if key.required)
    hint = f"write a section with {needed}" if needed else "write `{}` for its defaults"
    hint = f"{hint}, or remove the key" if not given else hint
    return Diagnostic(path, MISSING if given is None else given, f"is {_kind(given)}", hint, "wrong-type")


def _wrong_type(path: str, given: object, hint: Any, secret: bool) -> Diagnostic:
    if hint is str and hasattr(given, "as_text"):
        return Diagnostic(path, HIDDEN, f"is {_kind(given)}", cast(Any, given).as_text(), "wrong-type")
    shown = HIDDEN if secret else MISSING if given is None else given
    instead = (None if secret else _as_meant(path, given, hint)) or _describe(hint)
    if hint is str and isinstance(given, int | float):
        instead = f"{instead}, in quotes"
    return Diagnostic(path, shown, f"is {_kind(given)}", f"write {instead}", "wrong-type")


_SWITCHES = {**dict.fromkeys(("true", "yes", "on"), "true"), **dict.fromkeys(("false", "no", "off"), "false")}


def _as_meant(path: str, given: object, hint: Any) -> str | None:
    """The value that one of another type most likely means, as it is to be written. None: nothing is likely."""
    key = path.rpartition(".")[2]
    if get_origin(hint) is list:
        (item,) = get_args(hint)
        fits = isinstance(item, type) and isinstance(given, item) and not isinstance(given, bool) and item in (str, int)
        return f"a list: `{in_a_list(key, cast(str | int, given))}`" if fits else None
    if not isinstance(given, str):
        return None
    if hint is bool:
        meant = _SWITCHES.get(given.strip().lower())
        return meant and (f"`{meant}`, without quotes" if meant == given else f"`{meant}`")
    if hint is int and re.fullmatch(r"-?\d{1,15}", given):
        return f"`{int(given)}`, without quotes"
    if hint is float and re.fullmatch(r"-?\d{1,15}(\.\d{1,15})?", given):
        return f"`{given}`, without quotes"
    amount = in_its_unit(key, given) if hint in (int, float) else None
    return f"`{key}: {amount}`" if amount else None


def _unknown_value(path: str, hint: Any) -> Diagnostic:
    message = "is known only during the update, but shapes the graph"
    return Diagnostic(path, HIDDEN, message, f"write {_describe(hint)} that is known at preview", "unknown-value")


def _kind(given: object) -> str:
    """What a value is, with its article."""
    if given is None:
        return "empty"
    if type(given) in (str, int, float, bool, list, dict):
        return "true or false" if isinstance(given, bool) else a_or_an(noun(type(given)))
    return a_or_an(type(given).__name__)
