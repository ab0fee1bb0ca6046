"""Configurations in which what is wrong has been mended in some way, so that the rest of them can be judged. Pure.

Nobody knows what a missing or unreadable value should be. What is said of the rest counts only where it is the same
whatever stands there: then it does not follow from what is wrong.
"""

import copy
import functools
import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, cast, get_args, get_origin

from tierstack.core.diagnostics import Diagnostic
from tierstack.core.keys import Key, Secret, group_in, keys_of, plain_in
from tierstack.core.places import path_text, steps
from tierstack.stack.sections import SECTIONS
from tierstack.stack.settings import OVERLAYS, holds, settings

Place = tuple[str | int, ...]
_LEFT_OUT = object()
_MOST_VARIANTS = 6
_IMAGES = [f"registry.example/placeholder:{version}@sha256:{digit * 64}" for version, digit in ((17, "0"), (18, "1"))]
_TEXTS = ["one.example", "two.example"]
_DIRECTLY = frozenset({"plaintext-secret", "unknown-namespace"})
"""Rules whose findings make nothing else unreadable: nothing is mended."""
_SUMS = frozenset({"host-memory"})
"""Rules about sums over every section."""
_ABSENT = frozenset({"missing-key", "required-on-platform", "store-unused"})
"""Rules about what is not there."""
_PLATFORMS = [
    {"kind": "docker"},
    {"kind": "kubernetes"},
    {"kind": "kubernetes", "render_to": "placeholder"},
]


def beside(
    config: Mapping[str, Any], found: Sequence[Diagnostic], judged: Callable[[Mapping[str, Any]], list[Diagnostic]]
) -> list[Diagnostic]:
    """What `judged` says of `config` beside what is `found` wrong, and does not follow from it."""
    wrong = [one for one in found if one.code not in _DIRECTLY]
    places = sorted({steps(one.path) for one in wrong}, key=str)
    common: list[Diagnostic] | None = None
    for rest in _variants(config, places):
        try:
            said = judged(rest)
        except Exception:  # a rule has met a placeholder that it cannot read
            said = []
        common = said if common is None else [one for one in common if one in said]
        if not common:
            return []
    around = {place[:end] for place in places for end in range(len(place))}  # what lost a key may miss it
    words = {word for one in wrong for word in _words(one)}
    lost = any(len(place) == 1 and place[0] in OVERLAYS and config.get(str(place[0])) is not None for place in places)
    unknown = any(_is_whole(place) for place in places) or any(one.code == "unknown-key" for one in wrong)
    return [
        one
        for one in common or []
        if (place := steps(one.path)) not in around
        and not any(place[:end] in places for end in range(1, len(place) + 1))
        and not words & _mentioned(one)
        and not any(_names(one, place) for place in places)
        and not (unknown and one.code in _SUMS)
        and not (lost and one.code in _ABSENT)  # what is missing may stand there
        and one not in found
    ]


def _words(problem: Diagnostic) -> set[str]:
    """The keys that a misspelt or doubled one may have meant: what names them cannot be judged."""
    if problem.code not in ("unknown-key", "given-twice"):
        return set()
    words = {word.rpartition(".")[2] for word in re.findall(r"`([\w.]+)[`:]", problem.hint)}
    return words | {str(steps(problem.path)[-1])}


def _mentioned(one: Diagnostic) -> set[str]:
    """The words of a diagnostic that may be keys."""
    return set(re.findall(r"\w+", " ".join([one.path, one.message, *re.findall(r"`[^`]+`", one.hint)])))


def _names(one: Diagnostic, place: Place) -> bool:
    """Whether a diagnostic names what stands at a place: in full, or by what stands inside the same section. It names a
    list by any of its elements, and what is wrong as a whole by what it is in."""
    place = _within_settings(place)
    end = next((index for index, step in enumerate(place) if isinstance(step, int)), len(place))
    section = 2 if place[0] in {one.several for one in SECTIONS} else 1
    own = steps(one.path)[:section] == place[:section]
    paths = {path_text(place[:end])} | ({path_text(place[section:end])} if own else set[str]())
    if end < len(place) or _is_whole(place):
        paths |= {path_text(place[:length]) for length in range(1, end)}
    named = {token.partition("[")[0] for token in re.findall(r"`([\w.\[\]-]+)", f"{one.message} {one.hint}")}
    return bool(paths & named)


def _is_whole(place: Place) -> bool:
    """Whether a section, a list or a map stands at a place: nobody knows what is in it."""
    key = key_at(place)
    return key is None or bool(group_in(key.type)) or get_origin(plain_in(key.type)) in (list, dict)


def _within_settings(place: Place) -> Place:
    """A place without the key of a platform before it."""
    return place[1:] if len(place) > 1 and place[0] in OVERLAYS else place


def _variants(config: Mapping[str, Any], places: Sequence[Place]) -> Iterator[dict[str, Any]]:
    """Configurations with something else at each place."""
    choices = {place: _choices(place, missing=not holds(config, place)) for place in places}
    whole = {place: found for place, found in choices.items() if _is_choice(place)}
    most = max((len(one) for one in choices.values()), default=0)
    number = min(_MOST_VARIANTS, max(most, math.prod(len(one) for one in whole.values())))
    products = itertools.islice(itertools.cycle(itertools.product(*whole.values())), number)
    for index, product in enumerate(products):
        values = {place: found[index % len(found)] for place, found in choices.items() if found}
        values |= dict(zip(whole, product, strict=True))
        rest = copy.deepcopy(dict(config))
        for place, value in values.items():
            _put(rest, place, value)
        yield rest


def _is_choice(place: Place) -> bool:
    key = key_at(place)
    if place == ("platform",):
        return True
    hint = plain_in(key.type) if key else None
    return isinstance(hint, type) and (issubclass(hint, Enum) or hint is bool)


def _choices(place: Place, *, missing: bool) -> list[Any]:
    """What may stand at a place, each as different from the others as can be. Empty: nothing is known."""
    key = key_at(place)
    likely = _values(key, place) if key else []
    # An element of a list stays, so that no other one moves.
    if missing or isinstance(place[-1], int) or (key and (key.required or _is_named(place))):
        return likely
    return [_LEFT_OUT, *(one for one in likely if not isinstance(one, dict | list))]


def _is_named(place: Place) -> bool:
    """Whether a name stands there that others may use: `databases.orders`."""
    place = _within_settings(place)
    return len(place) == 2 and place[0] in {one.several for one in SECTIONS}


def _values(key: Key, place: Place) -> list[Any]:
    hint = plain_in(key.type)
    if place == ("platform",):
        return list(_PLATFORMS)
    origin = get_origin(hint)
    if group_in(hint):
        return [{}]
    if origin in (list, dict):
        inner = _values(Key(type=get_args(hint)[-1], bounds=key.bounds), place)
        return [[one] if origin is list else {"placeholder": one} for one in inner]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return [one.value for one in hint]
    if hint is bool:
        return [True, False]
    if hint in (int, float):
        return [key.bounds.low, key.bounds.high] if key.bounds else [1, 2]
    if hint in (str, Secret):
        return _IMAGES if place[0] == "images" or str(place[-1]).endswith("image") else _TEXTS
    return []


def key_at(place: Place) -> Key | None:
    """The key at a place, or what an element of a list or map has in its place. None: there is none."""
    return _key_at(_within_settings(place))


@functools.cache
def _key_at(place: Place) -> Key | None:
    at = Key(type=settings())
    for step in place:
        hint = plain_in(at.type)
        group = group_in(hint)
        if group:
            inside = keys_of(group).get(str(step))
        elif get_origin(hint) in (list, dict):
            inside = Key(type=get_args(hint)[-1], bounds=at.bounds)
        else:
            return None
        if inside is None:
            return None
        at = inside
    return at


def _put(config: dict[str, Any], place: Place, value: object) -> None:
    """Put `value` at a place, or remove the key."""
    inside: Any = config
    try:
        for step in place[:-1]:
            if isinstance(inside, dict) and value is not _LEFT_OUT:
                cast(Any, inside).setdefault(step, {})
            inside = cast(Any, inside)[step]
        if value is _LEFT_OUT:
            del inside[place[-1]]
        else:
            inside[place[-1]] = copy.deepcopy(value)
    except (KeyError, IndexError, TypeError):
        pass  # within something that is wrong as a whole
