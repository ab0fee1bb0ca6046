"""JSON schemas that kubeconform checks manifests against, made from the sources that pins.toml names.

Layout: `{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json`, group `v1` for the core API. Strict: an
object with declared properties refuses undeclared ones, unless its schema says that they are kept
(`x-kubernetes-preserve-unknown-fields`) or typed (`additionalProperties`). Needs PyYAML: runs in `.venv`.
"""

import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toolchain import build, pins, place

Schema = dict[str, Any]

# Types whose OpenAPI description is narrower or wider than what the API server takes:
# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/
SCALARS: dict[str, Schema] = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": ["string", "integer"]},
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": ["string", "number"]},
    # Serializers write `creationTimestamp: null` for an object that was never stored.
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": {"type": ["string", "null"], "format": "date-time"},
}
TEMPLATE = "{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json"


def folder(all_pins: pins.Pins) -> Path:
    """Where the schemas of these pins are, or will be."""
    text = repr(sorted(all_pins.schemas.items())) + Path(__file__).read_text()
    return place.cache() / "schemas" / hashlib.sha256(text.encode()).hexdigest()[:12]


def location(all_pins: pins.Pins) -> str:
    """Value for kubeconform's -schema-location."""
    return f"{folder(all_pins)}/{TEMPLATE}"


def strict(node: Any, *, optional: bool = False) -> Any:
    """`node` with undeclared properties refused, and null taken where a value may be left out."""
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    schema: Schema = {k: v for k, v in node.items() if not k.startswith("x-kubernetes-") and k != "description"}
    if node.get("x-kubernetes-int-or-string"):
        schema.pop("anyOf", None)
        schema["type"] = ["string", "integer"]
    schema.pop("default", None)
    schema.pop("nullable", None)
    required = set(schema.get("required", ()))
    if "properties" in schema:
        schema["properties"] = {
            name: strict(child, optional=name not in required) for name, child in schema["properties"].items()
        }
        # An embedded resource always has these three, whether or not the CRD lists them.
        if node.get("x-kubernetes-embedded-resource"):
            for name in ("apiVersion", "kind", "metadata"):
                schema["properties"].setdefault(name, {})
    for name in ("items", "additionalProperties", "not"):
        if name in schema:
            schema[name] = strict(schema[name])
    for name in ("allOf", "anyOf", "oneOf"):
        # Alternatives only add conditions; the strictness belongs to the schema around them.
        if name in schema:
            schema[name] = [condition(item) for item in schema[name]]
    keeps = node.get("x-kubernetes-preserve-unknown-fields")
    if "properties" in schema and "additionalProperties" not in schema and not keeps:
        schema["additionalProperties"] = False
    if (optional or node.get("nullable")) and isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema and None not in schema["enum"]:
            schema["enum"] = [*schema["enum"], None]
    return schema


def condition(node: Any) -> Any:
    """A sub-schema inside allOf, anyOf, oneOf: cleaned, but not closed."""
    if not isinstance(node, dict):
        return node
    return {k: v for k, v in node.items() if not k.startswith("x-kubernetes-") and k != "description"}


def top_level(schema: Schema, group: str, version: str, kind: str) -> Schema:
    """A resource's schema: apiVersion and kind are required and are these."""
    properties = dict(schema.get("properties", {}))
    properties["apiVersion"] = {"type": "string", "enum": [f"{group}/{version}" if group else version]}
    properties["kind"] = {"type": "string", "enum": [kind]}
    if "metadata" in properties and "$ref" not in properties["metadata"]:
        properties["metadata"] = {"type": "object"}
    required = sorted({*schema.get("required", ()), "apiVersion", "kind"})
    return schema | {"properties": properties, "required": required}


def from_crd(crd: Schema) -> Iterator[tuple[str, Schema]]:
    """File name and schema of every served version of a CustomResourceDefinition."""
    spec = crd["spec"]
    group, kind = spec["group"], spec["names"]["kind"]
    for version in spec["versions"]:
        schema = version.get("schema", {}).get("openAPIV3Schema")
        if schema and version.get("served", True):
            name = f"{group}/{kind.lower()}_{version['name']}.json"
            yield name, top_level(strict(schema), group, version["name"], kind)


def references(node: Any) -> Iterator[str]:
    """Names of the definitions that `node` refers to."""
    if isinstance(node, dict):
        if isinstance(ref := node.get("$ref"), str):
            yield ref.rsplit("/", 1)[1]
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


def closure(name: str, definitions: dict[str, Schema]) -> dict[str, Schema]:
    """The definitions that `name` needs, itself left out unless it refers to itself."""
    needed: dict[str, Schema] = {}
    waiting = list(references(definitions[name]))
    while waiting:
        current = waiting.pop()
        if current not in needed:
            needed[current] = definitions[current]
            waiting.extend(references(definitions[current]))
    return needed


def from_swagger(document: Schema) -> Iterator[tuple[str, Schema]]:
    """File name and self-contained schema of every kind in Kubernetes' OpenAPI 2 document."""
    definitions = {
        name: SCALARS.get(name) or strict(definition) for name, definition in document["definitions"].items()
    }
    for name, definition in document["definitions"].items():
        kinds = definition.get("x-kubernetes-group-version-kind", ())
        if "properties" not in definition:
            continue
        for gvk in kinds:
            group, version, kind = gvk["group"], gvk["version"], gvk["kind"]
            schema = top_level(definitions[name], group, version, kind)
            schema["definitions"] = closure(name, definitions)
            yield f"{group or 'v1'}/{kind.lower()}_{version}.json", schema


def documents(text: str) -> Iterator[Schema]:
    """The CustomResourceDefinitions in a YAML stream."""
    import yaml  # only here, so that the rest can be imported before the environment exists

    class Loader(yaml.CSafeLoader):
        """YAML 1.1 gives a lone `=` a meaning that no CRD intends."""

    Loader.add_constructor("tag:yaml.org,2002:value", Loader.construct_yaml_str)
    for document in yaml.load_all(text, Loader=Loader):
        if isinstance(document, dict) and document.get("kind") == "CustomResourceDefinition":
            yield document


def write(target: Path, schemas: Iterator[tuple[str, Schema]]) -> int:
    count = 0
    for name, schema in schemas:
        file = target / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(schema, separators=(",", ":")))
        count += 1
    return count


def make(all_pins: pins.Pins) -> Path:
    """Write all schemas into the cache if they are not there. Raises build.SetupError."""
    home = folder(all_pins)
    if home.is_dir():
        return home
    place.say("Making the JSON schemas that manifests are checked against (a few seconds) ...")
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{home.name}.tmp-", dir=home.parent) as scratch:
        result = Path(scratch) / "schemas"
        for source in all_pins.schemas.values():
            upstream = build.module_dir(source.module, source.sum)
            count = 0
            if source.swagger:
                count += write(result, from_swagger(json.loads((upstream / source.swagger).read_text())))
            for pattern in source.crds:
                for file in sorted(upstream.glob(pattern)):
                    for crd in documents(file.read_text()):
                        count += write(result, from_crd(crd))
            if not count:
                raise build.SetupError(f"{source.module}: no schema found; check schemas.{source.name} in pins.toml")
            place.say(f"  {source.name}: {count} kinds from {source.module}")
        shutil.rmtree(home, ignore_errors=True)
        result.rename(home)
    return home


if __name__ == "__main__":
    try:
        print(make(pins.load()))
    except build.SetupError as problem:
        sys.exit(str(problem))
