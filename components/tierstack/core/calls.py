"""Args classes as callers meet them: all wrong keywords are told at once, and a default makes a field optional in every
language."""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any

from tierstack.core.arguments import load, unknown_keys
from tierstack.core.checked import problems_with_rules
from tierstack.core.errors import ArgumentError, Diagnostic
from tierstack.core.keys import classes_in, hints, keys_of


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
    optional = {name for name, key in keys_of(cls).items() if not key.required}
    cls.__annotations__ = {name: given[name] | None if name in optional else given[name] for name in given}
    for hint in types_of.values():
        for inner in classes_in(hint):
            prepare(inner)
    for subclass in cls.__subclasses__():
        prepare(subclass)


def _with_keyword_errors(cls: type[Any]) -> None:
    original: Callable[..., None] = cls.__init__
    keys = keys_of(cls)
    required = {name for name, key in keys.items() if key.required}

    @functools.wraps(original)
    def init(self: object, *given: object, **named: object) -> None:
        if not given and required <= named.keys() <= keys.keys():
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
        problems += unknown_keys(cls, named, "")
        known = {key: value for key, value in named.items() if key in keys}
        loaded, shape = load(cls, known)
        raise ArgumentError(cls.__name__, problems + problems_with_rules(cls, known, loaded, shape))

    cls.__init__ = init
