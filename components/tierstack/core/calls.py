"""Args classes as callers meet them: all wrong keywords are told at once, and a default makes a field optional in every
language."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, cast, get_origin

from tierstack.core.arguments import WRONG_KEYWORDS, load, unknown_keys, wrong_keywords
from tierstack.core.checked import problems_with_rules
from tierstack.core.errors import ArgumentError, Diagnostic
from tierstack.core.keys import classes_in, hints, keys_of, plain_in


def prepare(cls: type[Any], *, one_of_several: bool = False) -> None:
    """Make an args class, and those inside it, ready for their callers.

    Wrong keywords raise ArgumentError with everything that is wrong: Python's own TypeError names one keyword, with a
    traceback, and none that was meant. `one_of_several`: its objects stand in a list or a map of another args class,
    which raises the error in their place, because it knows which of them is wrong (`roles.worker`). And a field with a
    default is optional for other languages, too: the component host requires whatever its annotation does not call
    optional, so the class gets such annotations.
    """
    if not dataclasses.is_dataclass(cls) or "_prepared" in cls.__dict__:
        return
    cls._prepared = True  # pyright: ignore[reportAttributeAccessIssue]
    types_of = hints(cls)
    _with_keyword_errors(cls, one_of_several=one_of_several)
    given = inspect.get_annotations(cls)
    optional = {name for name, key in keys_of(cls).items() if not key.required}
    cls.__annotations__ = {name: given[name] | None if name in optional else given[name] for name in given}
    for hint in types_of.values():
        # A link is made by its component, and not by the program.
        several = get_origin(plain_in(hint)) in (list, dict)
        for inner in classes_in(hint):
            prepare(inner, one_of_several=several and not hasattr(inner, "source"))
    for subclass in cls.__subclasses__():
        prepare(subclass)


def _with_keyword_errors(cls: type[Any], *, one_of_several: bool) -> None:
    original: Callable[..., None] = cls.__init__
    keys = keys_of(cls)
    required = {name for name, key in keys.items() if key.required}

    @functools.wraps(original)
    def init(self: object, *given: object, **named: object) -> None:
        if not given and required <= named.keys() <= keys.keys() and not any(map(_is_wrong, named.values())):
            original(self, **named)
            return
        problems = [
            Diagnostic(
                "" if one_of_several else cls.__name__,
                value,
                "is given without its keyword",
                "write each argument as `keyword=value`",
                "no-keyword",
            )
            for value in given
        ]
        problems += unknown_keys(cls, named, "")
        known = {key: value for key, value in named.items() if key in keys}
        loaded, shape = load(cls, known)
        problems += problems_with_rules(cls, known, loaded, shape)
        if not one_of_several:
            raise ArgumentError(cls.__name__, problems)
        vars(self).update({name: named.get(name, key.absent()) for name, key in keys.items()})
        vars(self)[WRONG_KEYWORDS] = problems

    cls.__init__ = init


def _is_wrong(value: object) -> bool:
    """Whether an object inside was made with wrong keywords."""
    inside: Iterable[object] = (value,)
    if isinstance(value, dict):
        inside = cast(dict[str, object], value).values()
    elif isinstance(value, list):
        inside = cast(list[object], value)
    return any(wrong_keywords(one) for one in inside)
