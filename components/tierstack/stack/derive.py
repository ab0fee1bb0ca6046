"""Parts of the settings made from the arguments of components, so that a key is named, typed and documented once.

A component's arguments are dataclasses with a documentation text below each field. The part of the settings has the
same keys, less those that the program wires (platform, connections).
"""

import dataclasses
import types
from collections.abc import Callable, Collection, Mapping
from typing import Any, Union, cast, get_args, get_origin

from tierstack.core.keys import Group, Key, Secret, hints, is_late, key_of


class Settings(Group):
    """A part of the settings, as the user wrote it."""

    def written(self, protect: Callable[[str], Any] = str) -> dict[str, Any]:
        """The keys that the user wrote, each secret as `protect` makes it: what a component's arguments are made of."""
        return {name: _plain(getattr(self, name), protect) for name in self.KEYS if name in self.keys_given}


def settings_class(
    name: str, keys: Mapping[str, Key], text: str | None = None, documented_by: tuple[type[Any], ...] = ()
) -> type[Settings]:
    """The class of a part of the settings."""
    if clash := {"keys_given", *dir(Settings)} & keys.keys():
        raise TypeError(f"{name}: {', '.join(clash)} means something else on every part of the settings")
    return type(name, (Settings,), {"__doc__": text, "KEYS": keys, "DOCUMENTED_BY": documented_by})


def settings_of(
    args: type[Any],
    without: Collection[str] = (),
    own: type[Any] | None = None,
    texts: Mapping[str, str] | None = None,
) -> type[Settings]:
    """The settings of `args` (a dataclass) without what the program gives: fields, or `field.field` within one.

    `own`: a dataclass of further keys, which come first. `texts`: what is said of keys in the place of their docstring.
    """
    keys = _keys(own, (), texts or {}) if own else {}
    keys |= {name: key for name, key in _keys(args, without, texts or {}).items() if name not in keys}
    name = f"{args.__name__.removesuffix('Args')}Settings"
    return settings_class(name, keys, args.__doc__, (args,) if own is None else (args, own))


def _keys(args: type[Any], without: Collection[str], texts: Mapping[str, str]) -> dict[str, Key]:
    found: dict[str, Key] = {}
    types_of = hints(args)
    for field in dataclasses.fields(args):
        if field.name in without or not field.init:
            continue
        inside = [path.removeprefix(f"{field.name}.") for path in without if path.startswith(f"{field.name}.")]
        key = key_of(field, types_of[field.name])
        hint = _type(key.type, inside, secret=key.secret)
        # A group of arguments is a part of the settings here, also where nobody gives it.
        factory = hint if key.factory and isinstance(hint, type) and issubclass(hint, Settings) else key.factory
        found[field.name] = key._replace(type=hint, factory=factory, text=texts.get(field.name))
    return found


def _type(hint: Any, without: Collection[str], *, secret: bool) -> Any:
    """The type that a configuration file can hold for an argument of type `hint`."""
    origin, arguments = get_origin(hint), get_args(hint)

    def inner(one: Any) -> Any:
        return _type(one, without, secret=secret)

    if origin is list:
        return list[inner(arguments[0])]
    if origin is dict:
        return dict[str, inner(arguments[1])]
    if origin in (Union, types.UnionType):
        plain = [one for one in arguments if not is_late(one)]
        return Union[tuple(one if one is type(None) else inner(one) for one in plain)]  # noqa: UP007
    if hint is str and secret:
        return Secret
    if dataclasses.is_dataclass(hint):
        return settings_of(cast(type[Any], hint), without)
    return hint


def _plain(value: Any, protect: Callable[[str], Any]) -> Any:
    if isinstance(value, Settings):
        return value.written(protect)
    if isinstance(value, Secret):
        return protect(value.reveal())
    if isinstance(value, list):
        return [_plain(one, protect) for one in cast(list[Any], value)]
    if isinstance(value, dict):
        return {key: _plain(one, protect) for key, one in cast(dict[str, Any], value).items()}
    return value
