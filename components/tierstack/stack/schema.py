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

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tierstack.stack.derive import documentation
from tierstack.stack.sections import SECTIONS
from tierstack.stack.settings import OVERLAYS, settings_model

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
    settings = made.of(settings_model(), in_list=False)
    keys: dict[str, Any] = dict(made.models[_name(settings)]["properties"])
    for overlay in OVERLAYS:
        text = f"What holds only where `platform.kind` is `{overlay}`: the same keys, laid over the others."
        keys[overlay] = {"description": text, "allOf": [settings]}
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
        "definitions": {"secret": _SECRET, **made.models},
    }


class _Definitions:
    """The schemas of models, each once."""

    def __init__(self) -> None:
        self.models: dict[str, dict[str, Any]] = {}

    def of(self, hint: Any, *, in_list: bool) -> dict[str, Any]:
        """The schema of a type. In a list, which is replaced as a whole, a model has all that it requires."""
        origin, arguments = get_origin(hint), get_args(hint)
        if origin in (Union, types.UnionType):
            return {"anyOf": [self.of(one, in_list=in_list) for one in arguments]}
        if origin is list:
            return {"type": "array", "items": self.of(arguments[0], in_list=True)}
        if origin is dict:
            return {"type": "object", "additionalProperties": self.of(arguments[1], in_list=in_list)}
        if hint is type(None):
            return {"type": "null"}
        if hint is SecretStr:
            return {"$ref": "#/definitions/secret"}
        if isinstance(hint, type) and issubclass(hint, Enum):
            return {"enum": [member.value for member in hint]}
        if isinstance(hint, type) and issubclass(hint, BaseModel):
            return self._model(hint, in_list=in_list)
        return {"type": _PLAIN[hint]}

    def _model(self, model: type[BaseModel], *, in_list: bool) -> dict[str, Any]:
        made: dict[str, Any] = {"type": "object"}
        if model.__doc__:
            made["description"] = " ".join(model.__doc__.split())
        texts = documentation(model)
        made["properties"] = {
            name: self._field(field, texts.get(name), in_list=in_list) for name, field in model.model_fields.items()
        }
        required = [name for name, field in model.model_fields.items() if field.is_required()]
        if in_list and required:
            made["required"] = required
        made["additionalProperties"] = False
        # One class gives models that differ by what the program wires, so a name may be taken.
        name, number = model.__name__, 1
        while self.models.setdefault(name, made) != made:
            number += 1
            name = f"{model.__name__}{number}"
        return {"$ref": f"#/definitions/{name}"}

    def _field(self, field: FieldInfo, text: str | None, *, in_list: bool) -> dict[str, Any]:
        found = self.of(field.annotation, in_list=in_list)
        if "$ref" in found:
            found = {"allOf": [found]}  # draft 7 ignores what stands beside a reference
        described = " ".join((text or "").split())
        default = field.default
        if isinstance(default, Enum):
            default = default.value
        if default is None or default is PydanticUndefined:
            return {"description": described, **found}
        return {"description": described, "default": cast(object, default), **found}


def _name(reference: dict[str, Any]) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def text(project: str) -> str:
    """The schema as it stands in a file."""
    return json.dumps(schema(project), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tierstack.stack.schema PROJECT")
    print(text(sys.argv[1]), end="")
