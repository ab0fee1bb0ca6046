"""Configuration that Pulumi.yaml gives to all stacks of a project, as the engine lays a stack's file over it."""

from dataclasses import dataclass
from typing import Any, cast

from tierstack.engine.usage import ConfigurationError

_ATTRIBUTES = frozenset({"type", "description", "secret", "default", "value", "items"})
"""What the engine takes in a map below `config` of Pulumi.yaml."""


@dataclass(frozen=True)
class Given:
    """A value for all stacks that have none of their own."""

    value: Any
    secret: bool
    place: tuple[str, ...]
    """Where it stands in the file."""


def given_to_all(document: dict[str, Any], file: str) -> dict[str, Given]:
    """What Pulumi.yaml gives, by its keys as they are written. A key that only has a type is not among them.

    Raises ConfigurationError with all that the engine would refuse.
    """
    config = document.get("config")
    if not isinstance(config, dict):  # a text is a directory of files of stacks, in old projects
        return {}
    found: dict[str, Given] = {}
    wrong: list[str] = []
    for full, given in cast(dict[Any, Any], config).items():
        key = str(full)
        if given is None or isinstance(given, float):
            wrong.append(f"`{key}` is {'empty' if given is None else 'a fraction'}; write `{key}: {{value: …}}`")
        elif not isinstance(given, dict):
            found[key] = Given(given, False, ("config", key))
        elif other := [str(one) for one in cast(dict[Any, Any], given) if one not in _ATTRIBUTES]:
            shown = ", ".join(f"`{one}`" for one in other[:3])
            wrong.append(f"`{key}` is a map with {shown}; write the map below `value`: `{key}: {{value: {{…}}}}`")
        else:
            attributes = cast(dict[str, Any], given)
            if "value" in attributes and "default" in attributes:
                wrong.append(f"`{key}` has a `value` and a `default`; remove one of them")
            for name in ("value", "default"):
                if attributes.get(name) is not None:
                    found[key] = Given(attributes[name], attributes.get("secret") is True, ("config", key, name))
    if wrong:
        raise ConfigurationError(*(f"{file}: {one} (the engine takes nothing else below `config:`)" for one in wrong))
    return found
