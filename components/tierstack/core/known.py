"""Values that come in outputs and are known all the same.

The engine gives a component host whatever another component has put out as an output, with what it depends on. Some
of it names objects, which must be known at preview; and it is.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import pulumi

T = TypeVar("T")


@dataclass(frozen=True)
class Known:
    """A known value, with the output that it came in."""

    value: object
    source: pulumi.Output[Any]

    def inside(self) -> object:
        """The value itself. The entries of a list or a map are Known in turn."""
        value = self.value
        if isinstance(value, dict):
            return {key: self._entry(entry) for key, entry in cast(dict[str, object], value).items()}
        if isinstance(value, list):
            return [self._entry(entry) for entry in cast(list[object], value)]
        return value

    def output(self) -> pulumi.Output[Any]:
        """The value as an output, which depends on the same resources."""
        value = self.value
        return self.source.apply(lambda _: value)

    def _entry(self, value: object) -> object:
        return None if value is None else Known(value, self.source)


def opened(value: object) -> object:
    """`value`, where each output that is known without waiting is Known. A secret stays an output."""
    if isinstance(value, pulumi.Output):
        return _known(cast(pulumi.Output[Any], value)) or cast(object, value)
    if isinstance(value, dict):
        return {key: opened(entry) for key, entry in cast(dict[str, object], value).items()}
    if isinstance(value, list):
        return [opened(entry) for entry in cast(list[object], value)]
    return value


class _WouldWaitError(Exception):
    """What is asked for is not there yet."""


def _known(output: pulumi.Output[Any]) -> Known | None:
    try:
        if not _now(output.is_known()) or _now(output.is_secret()):
            return None
        return Known(_now(output.future()), output)
    except _WouldWaitError:
        return None


def _now(answer: Awaitable[T]) -> T:
    """What `answer` comes to. Raises _WouldWaitError where it has to be waited for."""
    step = answer.__await__()
    try:
        next(step)
    except StopIteration as done:
        return cast(T, done.value)
    raise _WouldWaitError
