"""The settings of a stack: every key that `Pulumi.<stack>.yaml` may hold, and how a wrong one is reported.

Each component has one structured key in the project's namespace (`shop:app: {…}`). What holds only on one kind of
platform stands below `shop:docker` or `shop:kubernetes` and is laid over the rest: one configuration serves both.
"""

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast, get_args

from tierstack.core.arguments import load
from tierstack.core.errors import MISSING, ArgumentError, Diagnostic, folded
from tierstack.core.keys import Bounds, Key, group_in, keys_of
from tierstack.core.places import path_text, steps
from tierstack.core.section import Presence, Section
from tierstack.core.suggestions import did_you_mean, unknown_key
from tierstack.core.tier import Tier
from tierstack.platform import Platform, PlatformKind
from tierstack.stack.derive import Settings, settings_class, settings_of
from tierstack.stack.forms import mistaken_forms
from tierstack.stack.sections import SECTIONS

_IMAGES = """Container images. Each is written by digest (`repository:tag@sha256:…`), on Docker also as the id of an
image on the host (`sha256:…`), or as `local:NAME:TAG`: an image that `images/build.py` made. On Docker that becomes
the id of `tierstack.local/NAME:TAG`; on Kubernetes the image must be loaded into the node (`kind load docker-image
tierstack.local/NAME:TAG`), because no registry has it."""

_IGNORE = """Findings that are accepted: the code of a rule, or `CODE@PLACE` for one place
(`single-web-container@apps.admin`, `address-private@vpn`), and the reason. `tierstack rule CODE` says whether a rule
can be accepted: warnings and advice can, and errors about records that may be meant. None: every finding is shown."""
_NAME = """Prefix of every name on a Docker host; the namespace on Kubernetes. A DNS label of at most 40 characters.
None: project and stack, `shop-local`."""
_MEMORY = """MiB of memory of the Docker host that the stack may use; the limits of all containers must fit into it,
also during a release, while web containers and most roles run twice. 1 to 16777216. None: not checked."""
_HOST_MEMORY = Bounds(1, 16777216, "MiB")


def settings() -> type[Settings]:
    """All settings of a stack: made from the sections of its components."""
    return _settings(tuple(SECTIONS))


def names() -> frozenset[str]:
    """Every key of the project's namespace."""
    return frozenset({*settings().KEYS, *OVERLAYS})


@functools.cache
def _settings(sections: tuple[Section[Any], ...]) -> type[Settings]:
    images = _images(sections)
    keys = {
        "tier": Key(type=Tier, required=True, text="The size that counts are taken from where a section gives none."),
        "platform": Key(type=_platform(), required=True, text="Where the stack runs."),
        "ignore": Key(type=dict[str, str] | None, text=_IGNORE),
        "images": Key(type=images, factory=images, text="What its containers run."),
    }
    for one in sections:
        keys |= _keys(one)
    made = settings_class("Settings", keys)
    made.BESIDE = frozenset(OVERLAYS)
    return made


def _platform() -> type[Settings]:
    made = settings_of(Platform, without={"environment", "name"})
    own = {
        "name": Key(type=str | None, text=_NAME),
        "memory_mb": Key(type=int | None, text=_MEMORY, bounds=_HOST_MEMORY),
    }
    return settings_class(made.__name__, {**made.KEYS, **own}, "Where the stack runs.", made.DOCUMENTED_BY)


def _keys(one: Section[Any]) -> dict[str, Key]:
    """The keys of a component; what the program gives is no key of them."""
    images: dict[str, list[str]] = {}
    for image in one.images:
        for name in dict.fromkeys(name for name in (image.docker, image.kubernetes) if name):
            images.setdefault(name, []).append(f"`images.{image.key}`")
    part = settings_of(one.args, {"platform", "tier", "physical_name", *images, *one.wired}, one.own, one.texts)
    if one.several is None:
        if one.presence is Presence.OPTIONAL:
            return {one.key: Key(type=part | None, text=one.text, only=one.only)}
        required = one.presence is Presence.REQUIRED
        absent = None if required else part
        return {one.key: Key(type=part, required=required, factory=absent, text=one.text, only=one.only)}
    overrides = {
        name: Key(type=str | None, text=f"Overrides {' or '.join(keys)}. None: the image there.")
        for name, keys in images.items()
    }
    part = settings_class(part.__name__, {**part.KEYS, **overrides}, part.__doc__, part.DOCUMENTED_BY)
    text = f"Several of `{one.key}`: a map from their names (lower-case letters, digits, hyphens), each with its keys."
    # Neither may be null: it would not say whether there is one, or none.
    return {
        one.key: Key(
            type=part,
            factory=part if one.presence is Presence.DEFAULT else None,
            text=f"{one.text} For several: `{one.several}`.",
        ),
        one.several: Key(type=dict[str, part], text=text),
    }


def _images(sections: tuple[Section[Any], ...]) -> type[Settings]:
    keys = sorted((image for one in sections for image in one.images), key=lambda image: not image.required)
    texts: dict[str, list[str]] = {}  # one image may serve several components, or several engines of a database
    for image in keys:
        texts.setdefault(image.key, []).append(image.text)
    made = {key: Key(type=str | None, text=" ".join(said)) for key, said in texts.items()}
    return settings_class("Images", made, _IMAGES)


MASKED = "(secret)"
"""What stands for an encrypted value where nothing decrypts it: in a check without an engine, and when rendering."""
OVERLAYS = {kind.value: kind for kind in PlatformKind}
"""The keys whose content holds on one kind of platform only."""


def read(config: Mapping[str, Any]) -> Any:
    """The settings in `config` (the keys of the project's namespace) for the platform that it names.

    Raises ArgumentError with every problem of shape, also of the part for the other kind of platform.
    """
    # As the engine hands it over: a date, which YAML knows, is a text there.
    config = json.loads(json.dumps(dict(config), default=str))
    problems = [
        Diagnostic(name, config[name], "is not a section", "write a map of settings", "wrong-type")
        for name in OVERLAYS
        if not isinstance(config.get(name, {}), dict)
    ]
    if problems:
        raise ArgumentError("configuration", problems)
    chosen = _kind_of(config)
    found, problems = _read_for(chosen, config)
    if not config.keys().isdisjoint(OVERLAYS):  # else the other kind has the same keys
        for name in OVERLAYS.keys() - {chosen}:
            problems += [one for one in _read_for(name, config)[1] if one not in problems]
    if problems:
        raise ArgumentError("configuration", problems)
    return found


def _read_for(kind: str, config: Mapping[str, Any]) -> tuple[Any, list[Diagnostic]]:
    """The settings for a kind of platform, with the problems of their shape, each where its key stands."""
    laid, overlay = _laid(config, kind), config.get(kind, {})
    mistaken = mistaken_forms(_keys_of_several(), laid, overlay, kind)
    laid = {key: value for key, value in laid.items() if key not in mistaken}
    found, problems = load(settings(), laid)
    problems += _empty(laid, problems)
    over = {path_text(place) for place in _places(overlay)} if problems else set[str]()
    problems = [_meant_elsewhere(one, laid, kind if one.path in over else None) for one in problems]
    problems = [_below(kind, one) if one.path in over or _lacks(one, over, config) else one for one in problems]
    forms = [
        problem
        for one in SECTIONS
        if one.several and mistaken.keys().isdisjoint((one.key, one.several))
        for problem in _forms(one, one.several, laid, overlay, kind)
    ]
    # Where both forms are there, the one that is not meant lacks keys.
    both = {steps(one.path)[-1] for one in forms if one.code == "given-twice"}
    meant_once = {one.key for one in SECTIONS if one.several in both}
    problems = [one for one in problems if one.code != "missing-key" or not meant_once & set(steps(one.path)[:2])]
    return found, problems + forms + [*mistaken.values()]


def _keys_of_several() -> dict[str, frozenset[str]]:
    """The keys of each component that may be there several times, by the key of its section."""
    keys = settings().KEYS
    return {one.key: frozenset(keys_of(get_args(keys[one.several].type)[1])) for one in SECTIONS if one.several}


def _empty(laid: Mapping[str, Any], found: list[Diagnostic]) -> list[Diagnostic]:
    """The problems of keys without a value of which the loader says nothing, because their default is None.

    To arguments of a program None says "the default"; in a file an empty key is most likely a value that got lost.
    """
    told = {one.path for one in found}
    empty = (path_text(place) for place in _places(laid) if _value_at_place(laid, place) is None)
    hint = "write a value, or remove the key"
    return [Diagnostic(path, MISSING, "is empty", hint, "wrong-type") for path in empty if path not in told]


def _value_at_place(laid: object, place: tuple[str | int, ...]) -> object:
    for step in place:
        laid = cast(Any, laid)[step]
    return laid


def _lacks(one: Diagnostic, over: set[str], config: Mapping[str, Any]) -> bool:
    """Whether a key is missing in a part that stands below the key of a platform alone."""
    *parents, _ = steps(one.path)
    return one.code == "missing-key" and path_text(tuple(parents)) in over and not holds(config, tuple(parents))


def _below(kind: str, one: Diagnostic) -> Diagnostic:
    """The problem of a key that stands below the key of a platform; so does what it is told to be."""
    hint = one.hint
    if one.code == "unknown-key":
        hint = re.sub(r"`([\w-]+\.[\w.-]+(?:: [^`]*)?)`", rf"`{kind}.\1`", hint)
    return replace(one, path=f"{kind}.{one.path}", hint=hint)


def _meant_elsewhere(one: Diagnostic, laid: Mapping[str, Any], kind: str | None) -> Diagnostic:
    """The problem of an unknown key, with the other section that has a key of that very name. What is only like it, in
    its own section, is less likely meant. `kind`: it stands below the key of that platform."""
    section, _, key = one.path.rpartition(".")
    whole, names = settings().KEYS, {folded(key)}
    if one.code != "unknown-key":
        return one
    if kind and not section:
        names.add(folded(f"{kind}{key}"))  # `docker_host` is what `host` means below `docker`
    elif "." in one.hint.partition("`")[2].partition("`")[0]:
        return one
    if section and key in (*whole, *OVERLAYS):
        return replace(one, hint=f"did you mean `{key}` at the top level?")
    # A short name such as `kind` says little by itself, and means something else in each section.
    places = [
        f"{name}.{inner}"
        for name, part in whole.items()
        if (group := group_in(part.type)) and name != section.partition(".")[0]
        for inner in keys_of(group)
        if "_" in inner and folded(inner) in names
    ]
    if places:
        return replace(one, hint=did_you_mean(places[:4], _value_at(laid, one.path)))
    if kind and not section and "." not in one.hint:
        return unknown_key("", key, whole)  # below the key of a platform there is none of another one
    return one


def _value_at(laid: object, path: str) -> object:
    return _value_at_place(laid, tuple(steps(path)))


def as_placed(config: Mapping[str, Any], one: Diagnostic) -> Diagnostic:
    """The diagnostic at the place where its value stands: below the key of the platform, or where its path says."""
    place = steps(one.path)
    where = key_of(config, *place)
    return one if where == place else replace(one, path=path_text(where))


def key_of(config: Mapping[str, Any], *path: str | int) -> tuple[str | int, ...]:
    """Where the value at `path` of the settings stands in `config`: below the key of the platform, or at its own."""
    kind = _kind_of(config)
    overlay = config.get(kind, {})
    return (kind, *path) if isinstance(overlay, dict) and holds(cast(dict[str, Any], overlay), path) else path


def _kind_of(config: Mapping[str, Any]) -> str:
    platform = config.get("platform")
    kind = cast(dict[str, Any], platform).get("kind") if isinstance(platform, dict) else None
    return kind if isinstance(kind, str) and kind in OVERLAYS else PlatformKind.DOCKER.value


def _laid(config: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """`config` with the part for `kind` laid over it."""
    base = {key: value for key, value in config.items() if key not in OVERLAYS}
    laid = _merge(base, cast(dict[str, Any], config.get(kind, {})))
    if isinstance(laid.get("platform"), dict) and _kind_of(config) != kind:
        laid["platform"] = {**laid["platform"], "kind": kind}
    return laid


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[key] = _merge(cast(dict[str, Any], below), cast(dict[str, Any], value)) if both else value
    return merged


def _forms(
    section: Section[Any], several: str, config: Mapping[str, Any], overlay: Mapping[str, Any], kind: str
) -> list[Diagnostic]:
    """Whether a component that may be there several times is written in one of its two forms."""

    def place(key: str) -> str:
        return f"{kind}.{key}" if key in overlay else key

    if several in config and section.key in config:
        one, all_of_them = place(section.key), place(several)
        instead = f"write one component at `{section.key}`, or all of them at `{several}`"
        if one != section.key and all_of_them == several:
            instead = f"move what is in `{one}` to `{kind}.{several}.NAME`, with the name of one from `{several}`"
        return [Diagnostic(all_of_them, MISSING, f"is given, and `{one}` too", instead, "given-twice")]
    if section.presence is not Presence.REQUIRED:
        return []
    if section.key not in config and several not in config:
        instead = f"write a section, or `{several}` for several"
        return [Diagnostic(section.key, MISSING, "is required", instead, "missing-key")]
    if config.get(several) == {}:
        return [
            Diagnostic(place(several), MISSING, "is empty", f"write at least one, or `{section.key}`", "missing-key")
        ]
    return []


def holds(config: object, path: tuple[str | int, ...]) -> bool:
    """Whether there is something at `path` in a configuration, or in a part of one."""
    inside: Any = config
    for step in path:
        if isinstance(inside, list):
            if not isinstance(step, int) or step >= len(cast(list[Any], inside)):
                return False
        elif not isinstance(inside, dict) or step not in inside:
            return False
        inside = cast(Any, inside)[step]
    return True


def _places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place below `value`."""
    inside: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        inside = list(cast(dict[str | int, object], value).items())
    elif isinstance(value, list):
        inside = list(enumerate(cast(list[object], value)))
    for step, one in inside:
        yield (*path, step)
        yield from _places(one, (*path, step))
