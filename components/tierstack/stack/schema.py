"""The JSON Schema of `Pulumi.<stack>.yaml`, by which editors complete and check it: made from the settings.

`python -m tierstack.stack.schema PROJECT > pulumi-stack.schema.json`. It says what a key may hold, not what a stack
must have: a key that is missing in one place may stand below `docker` or `kubernetes`.
"""

import json
import re
import sys
import types
from enum import Enum
from typing import Any, Union, cast, get_args, get_origin

from tierstack.core.documentation import documentation
from tierstack.core.keys import Bounds, Key, Secret
from tierstack.stack.derive import Settings
from tierstack.stack.sections import SECTIONS
from tierstack.stack.settings import OVERLAYS, settings

_PLAIN: dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}
_SECRET = {
    "description": "A secret. Write it with `pulumi config set --secret --path`.",
    "type": "object",
    "properties": {"secure": {"type": "string"}},
    "required": ["secure"],
    "additionalProperties": False,
}


def schema(project: str) -> dict[str, Any]:
    """The schema of the configuration files of a project."""
    made = _Definitions()
    whole = made.of(settings(), in_list=False)
    keys: dict[str, Any] = dict(made.groups[_name(whole)]["properties"])
    for overlay in OVERLAYS:
        text = f"What holds only where `platform.kind` is `{overlay}`: the same keys, laid over the others."
        keys[overlay] = {"description": text, "allOf": [whole]}
    prefix = re.escape(f"{project}:")
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"Configuration of a stack of {project}",
        "type": "object",
        "properties": {
            "config": {
                "type": "object",
                "properties": {f"{project}:{key}": value for key, value in keys.items()},
                "patternProperties": {f"^{prefix}(?!({'|'.join(keys)})$)": {"not": {}}},
                "allOf": [
                    {"not": {"required": [f"{project}:{one.key}", f"{project}:{one.several}"]}}
                    for one in SECTIONS
                    if one.several
                ],
            }
        },
        "definitions": {"secret": _SECRET, **made.groups},
    }


class _Definitions:
    """The schemas of groups of keys, each once."""

    def __init__(self) -> None:
        self.groups: dict[str, dict[str, Any]] = {}

    def of(self, hint: Any, *, in_list: bool) -> dict[str, Any]:
        """The schema of a type. In a list, which is replaced as a whole, a group has all that it requires."""
        origin, arguments = get_origin(hint), get_args(hint)
        if origin in (Union, types.UnionType):
            # An empty key is refused: who wants the default leaves the key out.
            options = [one for one in arguments if one is not type(None)]
            made = [self.of(one, in_list=in_list) for one in options]
            return made[0] if len(made) == 1 else {"anyOf": made}
        if origin is list:
            return {"type": "array", "items": self.of(arguments[0], in_list=True)}
        if origin is dict:
            return {"type": "object", "additionalProperties": self.of(arguments[1], in_list=in_list)}
        if hint is Secret:
            return {"$ref": "#/definitions/secret"}
        if isinstance(hint, type) and issubclass(hint, Enum):
            return {"enum": [member.value for member in hint]}
        if isinstance(hint, type) and issubclass(hint, Settings):
            return self._group(hint, in_list=in_list)
        return {"type": _PLAIN[hint]}

    def _group(self, group: type[Settings], *, in_list: bool) -> dict[str, Any]:
        made: dict[str, Any] = {"type": "object"}
        if group.__doc__:
            made["description"] = " ".join(group.__doc__.split())
        texts = documentation(group)
        made["properties"] = {name: self._key(key, texts[name], in_list=in_list) for name, key in group.KEYS.items()}
        required = [name for name, key in group.KEYS.items() if key.required]
        if in_list and required:
            made["required"] = required
        made["additionalProperties"] = False
        # One class gives groups that differ by what the program wires, so a name may be taken.
        name, number = group.__name__, 1
        while self.groups.setdefault(name, made) != made:
            number += 1
            name = f"{group.__name__}{number}"
        return {"$ref": f"#/definitions/{name}"}

    def _key(self, key: Key, text: str, *, in_list: bool) -> dict[str, Any]:
        found = self.of(key.type, in_list=in_list)
        if key.bounds:
            found = _bounded(found, key.bounds)
        if "$ref" in found:
            found = {"allOf": [found]}  # draft 7 ignores what stands beside a reference
        default = key.default.value if isinstance(key.default, Enum) else key.default
        if default is None:
            return {"description": text, **found}
        return {"description": text, "default": cast(object, default), **found}


def _bounded(made: dict[str, Any], bounds: Bounds) -> dict[str, Any]:
    """The schema of numbers with their range: of one, and of a list of them."""
    if made["type"] == "array":
        return {**made, "items": _bounded(made["items"], bounds)}
    return {**made, "minimum": bounds.low, "maximum": bounds.high}


def _name(reference: dict[str, Any]) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def text(project: str) -> str:
    """The schema as it stands in a file."""
    return json.dumps(schema(project), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tierstack.stack.schema PROJECT")
    print(text(sys.argv[1]), end="")
