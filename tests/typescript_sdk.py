"""A TypeScript package `tierstack` from the schema, such as `pulumi package add` makes.

The generator of Pulumi is part of the engine's host for Node.js, which cannot be built here (docs/toolchain.md). This
one follows the same schema: optional arguments, plain ones and those that take outputs, enumerations as strings.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tierstack.component_host import ComponentHost, public_components

_PREFIX = "#/types/tierstack:index:"
_RUNTIME = """
const pulumi = require("@pulumi/pulumi");
for (const [name, outputs] of Object.entries(%s)) {
  exports[name] = class extends pulumi.ComponentResource {
    constructor(called, args, options) {
      const declared = Object.fromEntries(outputs.map((output) => [output, undefined]));
      super(`tierstack:index:${name}`, called, { ...args, ...declared }, { version: %s, ...options }, true);
    }
  };
}
"""


def write(folder: Path) -> None:
    """Write the package into `folder`: what Node.js runs, and the declarations that TypeScript compiles against."""
    schema = json.loads(ComponentHost([*public_components()]).schema or "")
    name, version = schema["language"]["nodejs"]["packageName"], schema["version"]
    folder = folder / name
    folder.mkdir(parents=True)
    about = {"name": name, "version": version, "main": "index.js", "types": "index.d.ts"}
    (folder / "package.json").write_text(json.dumps(about))
    resources = {token.rpartition(":")[2]: one for token, one in schema["resources"].items()}
    outputs = {name: sorted(one["properties"]) for name, one in resources.items()}
    (folder / "index.js").write_text(_RUNTIME % (json.dumps(outputs), json.dumps(version)))
    (folder / "index.d.ts").write_text("\n".join(_declarations(resources, schema["types"])))


def _declarations(resources: dict[str, Any], types: dict[str, Any]) -> Iterator[str]:
    yield 'import * as pulumi from "@pulumi/pulumi";'
    for token, one in types.items():
        name = token.rpartition(":")[2]
        if "enum" in one:
            choices = " | ".join(json.dumps(choice["value"]) for choice in one["enum"])
            yield f"type In{name} = {choices};\ntype Out{name} = {choices};"
            continue
        required = set(one.get("required", []))
        for side in ("In", "Out"):
            yield f"interface {side}{name} {{ {_fields(one.get('properties', {}), required, side)} }}"
    for name, one in resources.items():
        yield f"export interface {name}Args {{ {_fields(one['inputProperties'], set(one['requiredInputs']), 'In')} }}"
        outputs = [f"readonly {key}: pulumi.Output<{_type(value, 'Out')}>;" for key, value in one["properties"].items()]
        made = f"constructor(name: string, args: {name}Args, opts?: pulumi.ComponentResourceOptions);"
        yield f"export declare class {name} extends pulumi.ComponentResource {{ {made} {' '.join(outputs)} }}"


def _fields(properties: dict[str, Any], required: set[str], side: str) -> str:
    def field(name: str, one: dict[str, Any]) -> str:
        return f"{name}{'' if name in required else '?'}: {_type(one, side)};"

    return " ".join(field(name, one) for name, one in properties.items())


def _type(one: dict[str, Any], side: str) -> str:
    """The type of a property; on the side of inputs it may be an output unless the schema says that it is plain."""
    if reference := one.get("$ref"):
        known = reference.startswith(_PREFIX)
        name = side + reference.removeprefix(_PREFIX) if known else "any"
    elif one["type"] == "array":
        name = f"{_type(one['items'], side)}[]" if side == "Out" else f"Array<{_type(one['items'], side)}>"
    elif one["type"] == "object":
        name = f"{{ [key: string]: {_type(one['additionalProperties'], side)} }}"
    else:
        name = {"integer": "number"}.get(one["type"], one["type"])
    return name if side == "Out" or one.get("plain") else f"pulumi.Input<{name}>"
