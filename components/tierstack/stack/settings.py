"""The settings of a stack: every key that `Pulumi.<stack>.yaml` may hold, and how a wrong one is reported.

Each component has one structured key in the project's namespace (`shop:app: {…}`). What holds only on one kind of
platform stands below `shop:docker` or `shop:kubernetes` and is laid over the rest: one configuration serves both.
"""

import functools
import json
from collections.abc import Mapping
from typing import Any, cast, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_core import ErrorDetails

from tierstack.core.arguments import example_groups
from tierstack.core.errors import HIDDEN, MISSING, ArgumentError, Diagnostic, unknown_key
from tierstack.core.section import Presence, Section
from tierstack.core.tier import Tier
from tierstack.platform import Platform, PlatformKind
from tierstack.stack.derive import SettingsModel, model_of, type_name
from tierstack.stack.sections import SECTIONS

_IMAGES = """Container images. Each is written by digest (`repository:tag@sha256:…`), on Docker also as the id of an
image on the host (`sha256:…`), or as `local:NAME:TAG`: an image that `images/build.py` made. On Docker that becomes
the id of `tierstack.local/NAME:TAG`; on Kubernetes the image must be loaded into the node (`kind load docker-image
tierstack.local/NAME:TAG`), because no registry has it."""


class PlatformSettings(model_of(Platform, without={"environment", "name"})):
    """Where the stack runs."""

    name: str | None = Field(
        default=None,
        description="Prefix of every name on a Docker host; the namespace on Kubernetes. A DNS label of at most 40 "
        "characters. None: project and stack, `shop-local`.",
    )
    memory_mb: int | None = Field(
        default=None,
        description="MiB of memory of the Docker host that the stack may use; the limits of all containers must fit "
        "into it, also during a release, while web containers and most roles run twice. None: not checked.",
    )


class _Base(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    tier: Tier = Field(description="The size that counts are taken from where a section gives none.")
    platform: PlatformSettings = Field(description="Where the stack runs.")


def settings_model() -> type[BaseModel]:
    """All settings of a stack, for one kind of platform: made from the sections of its components."""
    return _settings_model(tuple(SECTIONS))


def names() -> frozenset[str]:
    """Every key of the project's namespace."""
    return frozenset({*settings_model().model_fields, *OVERLAYS})


@functools.cache
def _settings_model(sections: tuple[Section[Any], ...]) -> type[BaseModel]:
    images = _images_model(sections)
    fields: dict[str, Any] = {"images": (images, Field(default_factory=images, description="What its containers run."))}
    for one in sections:
        fields |= _fields(one)
    return create_model("Settings", __base__=_Base, **fields)


def _fields(one: Section[Any]) -> dict[str, Any]:
    """The keys of a component; what the program gives is no key of them."""
    images = {name: image.key for image in one.images for name in (image.docker, image.kubernetes) if name}
    model = model_of(one.args, {"platform", "tier", "physical_name", *images, *one.wired}, one.own, one.texts)
    if one.several is None:
        if one.presence is Presence.OPTIONAL:
            return {one.key: (model | None, Field(default=None, description=one.text))}
        default: dict[str, Any] = {"default_factory": model} if one.presence is Presence.DEFAULT else {}
        return {one.key: (model, Field(**default, description=one.text))}
    overrides: dict[str, Any] = {
        name: (
            str | None,
            Field(default=None, description=f"Overrides `images.{key}`. None: the image there."),
        )
        for name, key in images.items()
    }
    model = create_model(model.__name__, __base__=model, __doc__=model.__doc__, **overrides)
    absent: dict[str, Any] = {"default_factory": model} if one.presence is Presence.DEFAULT else {"default": None}
    text = f"Several of `{one.key}`: a map from their names (lower-case letters, digits, hyphens), each with its keys."
    # Neither may be null: it would not say whether there is one, or none.
    return {
        one.key: (model, Field(**absent, description=f"{one.text} For several: `{one.several}`.")),
        one.several: (dict[str, model], Field(default=None, description=text)),
    }


def _images_model(sections: tuple[Section[Any], ...]) -> type[SettingsModel]:
    keys = sorted((image for one in sections for image in one.images), key=lambda image: not image.required)
    fields: dict[str, Any] = {image.key: (str | None, Field(default=None, description=image.text)) for image in keys}
    return create_model("Images", __base__=SettingsModel, __doc__=_IMAGES, **fields)


MASKED = "(secret)"
"""What stands for an encrypted value where nothing decrypts it: in a check without an engine, and when rendering."""
OVERLAYS = {kind.value: kind for kind in PlatformKind}
"""The keys whose content holds on one kind of platform only."""


def read(config: Mapping[str, Any]) -> Any:
    """The settings in `config` (the keys of the project's namespace) for the platform that it names.

    Raises ArgumentError with every problem of shape, also of the part for the other kind of platform.
    """
    problems = [
        Diagnostic(name, config[name], "is not a section", "write a map of settings", "wrong-type")
        for name in OVERLAYS
        if not isinstance(config.get(name, {}), dict)
    ]
    if problems:
        raise ArgumentError("configuration", problems)
    chosen = _kind_of(config)
    for name in sorted(OVERLAYS, key=lambda name: name != chosen):
        problems += [one for one in _shape(_laid(config, name), config.get(name, {}), name) if one not in problems]
    if problems:
        raise ArgumentError("configuration", problems)
    return settings_model().model_validate_json(json.dumps(_laid(config, chosen)))


def key_of(config: Mapping[str, Any], *path: str | int) -> tuple[str | int, ...]:
    """Where the value at `path` of the settings stands in `config`: below the key of the platform, or at its own."""
    kind = _kind_of(config)
    overlay = config.get(kind, {})
    return (kind, *path) if isinstance(overlay, dict) and _holds(cast(dict[str, Any], overlay), path) else path


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


def _shape(config: dict[str, Any], overlay: Mapping[str, Any], kind: str) -> list[Diagnostic]:
    found = [problem for one in SECTIONS if one.several for problem in _forms(one, one.several, config, overlay, kind)]
    try:
        # As JSON, because strict JSON reads `queue` as a choice but never "3" as a number.
        settings_model().model_validate_json(json.dumps(config, default=str))
    except ValidationError as error:
        return [_problem(detail, overlay, kind) for detail in error.errors()] + found
    return found


def _forms(
    section: Section[Any], several: str, config: Mapping[str, Any], overlay: Mapping[str, Any], kind: str
) -> list[Diagnostic]:
    """Whether a component that may be there several times is written in one of its two forms."""

    def place(key: str) -> str:
        return f"{kind}.{key}" if key in overlay else key

    if several in config and section.key in config:
        one, all_of_them = place(section.key), place(several)
        instead = f"write one component at `{section.key}`, or all of them at `{several}`"
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


def _problem(detail: ErrorDetails, overlay: Mapping[str, Any], kind: str) -> Diagnostic:
    where = detail["loc"]
    path = path_text((kind, *where) if _holds(overlay, where) else where)
    hint = _hint(where)
    if detail["type"] == "extra_forbidden":
        parent = _hint(where[:-1]) if len(where) > 1 else settings_model()
        known = {*parent.model_fields} if len(where) > 1 else names()
        parents, _, last = path.rpartition(".")
        inner = {name: _within(field.annotation) for name, field in parent.model_fields.items()}
        groups = {name: one.model_fields for name, one in inner.items() if hasattr(one, "model_fields")}
        return unknown_key(parents, last, known, groups | _examples(parent), detail["input"])
    noun = type_name(hint)
    article = noun if noun[0] == "`" or noun == "true or false" else f"a {noun}"
    if detail["type"] == "missing":
        return Diagnostic(path, MISSING, "is required", f"write {article}", "missing-key")
    shown = HIDDEN if "secret" in noun else detail["input"]
    if detail["type"] == "enum":
        return Diagnostic(path, shown, "is not a choice", f"write {article}", "not-a-choice")
    return Diagnostic(path, shown, f"is {_kind(detail['input'])}", f"write {article}", "wrong-type")


def _examples(model: type[BaseModel]) -> dict[str, list[str]]:
    """The keys inside the maps of groups of a section, for each name that is an example."""
    sources = model.documented_by if issubclass(model, SettingsModel) else ()
    found = {name: keys for one in sources for name, keys in example_groups(one).items()}
    return {name: keys for name, keys in found.items() if name.partition(".")[0] in model.model_fields}


def _kind(value: object) -> str:
    nouns: dict[type[Any], str] = {
        str: "a text",
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        dict: "a section",
    }
    return "empty" if value is None else nouns.get(type(value)) or f"a {type(value).__name__}"


def _holds(overlay: Mapping[str, Any], where: tuple[str | int, ...]) -> bool:
    """Whether `where`, or what it is missing from, stands in the overlay."""
    inside: Any = overlay
    for step in where:
        if not isinstance(inside, dict) or step not in inside:
            return False
        inside = cast(dict[Any, Any], inside)[step]
    return True


def path_text(where: tuple[str | int, ...]) -> str:
    """A place in the settings as people write it: `dns.web[0].ipv4`."""
    path = ""
    for step in where:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path


def _hint(where: tuple[str | int, ...]) -> Any:
    """The type at a place of the settings: a model, or what a field is annotated with."""
    hint: Any = settings_model()
    for step in where:
        hint = _within(hint)
        if isinstance(hint, type) and issubclass(hint, BaseModel):
            field = hint.model_fields.get(str(step))
            hint = field.annotation if field else None
        else:
            inside = list(get_args(hint))  # a list holds its only argument, a map its last
            hint = inside[-1] if inside else None
    return _within(hint)


def _within(hint: Any) -> Any:
    """`X` of `X | None`."""
    options = list(get_args(hint))
    return next(one for one in options if one is not type(None)) if type(None) in options else hint
