"""Arguments with their rules: one error with every problem of shape and of every rule.

A rule may rely on the types: where a field has a wrong shape, the rules see its default in its place, and what they
then say of that field is left out.
"""

import dataclasses
import re
from collections.abc import Callable
from enum import Enum
from typing import Any, Protocol, TypeVar, cast, get_origin

from tierstack.core.arguments import keys_given, load, load_keys
from tierstack.core.errors import ArgumentError, Diagnostic
from tierstack.core.keys import group_in, keys_of

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
    return shape + once([one for one in found if not doubtful & set(re.findall(r"\w+", str(one)))])


def once(found: list[Diagnostic]) -> list[Diagnostic]:
    """`found` without what is only said because a number is out of its range: further rules about that number, and
    those that compare another one with it."""
    bad = [one for one in found if one.code == "out-of-range"]
    return [one for one in found if one in bad or not any(_follows(one, from_) for from_ in bad)]


def _follows(one: Diagnostic, bad: Diagnostic) -> bool:
    key = re.split(r"[.\[]", bad.path.rstrip("]0123456789["))[-1]
    words = set(re.findall(r"-?\w+(?:\.\d+)?", f"{one.message} {one.hint}"))
    return one.path == bad.path or {key, str(bad.value)} <= words


def _mended(cls: type[Any], given: object, shape: list[Diagnostic]) -> tuple[object, set[str]]:
    """An instance with defaults or placeholders for the fields that are missing or of wrong shape, and the names of
    these fields; None where nothing can stand for one."""
    if not isinstance(given, cls | dict):
        return None, set()
    keys = keys_of(cls)
    loaded, _ = load_keys(cls, given)
    doubtful = {re.split(r"[.\[]", problem.path)[0] for problem in shape}
    doubtful |= {word for problem in shape for word in re.findall(r"`(\w+)[`.:]", problem.hint) if word in keys}
    values = keys_given(cls, given)
    mended, doubtful_inside = set[str](), set[str]()
    for name, key in keys.items():
        if name in loaded and name not in doubtful:
            continue
        loaded.pop(name, None)
        group, words = _mended_group(key.type, values.get(name), name, shape)
        if group is not None:
            loaded[name] = group
            mended |= {name}
            doubtful_inside |= words
            continue
        if not key.required:
            continue
        placeholder = _placeholder(key.type) if name in doubtful else None
        if placeholder is None:
            return None, set()
        loaded[name] = placeholder
    return cls(**loaded), doubtful - mended | doubtful_inside


def _mended_group(hint: Any, given: object, name: str, shape: list[Diagnostic]) -> tuple[object, set[str]]:
    """The same for the group in the field `name`; None where it is no group, or is wrong as a whole."""
    group = group_in(hint)
    own = [problem for problem in shape if re.split(r"[.\[]", problem.path)[0] == name]
    if group is None or not own or not all(problem.path.startswith(f"{name}.") for problem in own):
        return None, set()
    return _mended(group, given, [dataclasses.replace(one, path=one.path[len(name) + 1 :]) for one in own])


def _placeholder(hint: Any) -> object:
    """A value of a plain type, for a field that has no default; None for any other type."""
    if isinstance(hint, type) and issubclass(hint, Enum):
        return next(iter(hint))
    plain: dict[Any, object] = {str: "", int: 1, float: 1.0, bool: False, list: list[Any](), dict: dict[str, Any]()}
    return plain.get(get_origin(hint) or hint)
