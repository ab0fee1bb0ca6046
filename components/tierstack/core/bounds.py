"""The ranges of numbers, as they are declared beside their fields (`keys.within`)."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from tierstack.core.errors import Diagnostic, out_of_range
from tierstack.core.keys import Bounds, is_group, keys_of


def bound_problems(group: Any, path: str = "") -> list[Diagnostic]:
    """The problems of all numbers outside their ranges in `group`, arguments or settings, and in the groups inside it.
    What a component is handed by another one is judged there."""
    found: list[Diagnostic] = []
    for name, key in keys_of(cast(type[Any], type(group))).items():
        for place, value in _within(f"{path}.{name}" if path else name, getattr(group, name)):
            if key.bounds and not key.bounds.told_by:
                found += _judged(place, value, key.bounds)
            elif is_group(type(value)) and not hasattr(type(value), "source"):
                found += bound_problems(value, place)
    return found


def _within(path: str, value: object) -> Iterable[tuple[str, object]]:
    """The elements of a list or map with their places; anything else as it is."""
    if isinstance(value, list):
        return [(f"{path}[{index}]", one) for index, one in enumerate(cast(list[object], value))]
    if isinstance(value, Mapping):
        return [(f"{path}.{name}", one) for name, one in cast(Mapping[str, object], value).items()]
    return [(path, value)]


def _judged(path: str, value: object, bounds: Bounds) -> list[Diagnostic]:
    # Another type is told as such.
    number = value if isinstance(value, int | float) else None
    return out_of_range(path, number, bounds.low, bounds.high, bounds.unit)
