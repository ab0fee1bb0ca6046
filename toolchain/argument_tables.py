"""The tables in docs/components, made from the docstrings: `python -m toolchain.argument_tables`.

A page has a pair of marker lines for the arguments of a class, the outputs of a component and the fields of a link;
what stands between them is written here.
"""

import dataclasses
import importlib
import pkgutil
import re
import sys
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin

from toolchain import place

PAGES = place.ROOT / "docs" / "components"
_TABLE = re.compile(
    r"(?P<head><!-- (?P<kind>arguments|outputs|fields) of (?P<name>\w+)(?: without (?P<without>[\w, ]+))?"
    r": made by .*? -->\n)"
    r".*?(?P<end><!-- end of (?P=kind) -->)",
    re.DOTALL,
)
WORDS = {str: "text", int: "number", bool: "yes or no", list: "list", dict: "map"}
"""Types of outputs in the words of the pages."""


def marked(name: str, kind: str = "arguments") -> str:
    """The marker lines of a class, with nothing between them. `kind`: arguments, outputs or fields."""
    return f"<!-- {kind} of {name}: made by `python -m toolchain.argument_tables` -->\n<!-- end of {kind} -->\n"


def arguments(name: str) -> type[Any]:
    """The dataclass `name` of the package. Raises ValueError if there is none."""
    package = importlib.import_module("tierstack")
    for module in pkgutil.walk_packages(package.__path__, "tierstack."):
        if re.split(r"[._]", module.name)[-1] in ("args", "options", "switch") or module.name == "tierstack.platform":
            found = getattr(importlib.import_module(module.name), name, None)
            if dataclasses.is_dataclass(found) and isinstance(found, type):
                return found
    raise ValueError(
        f"{name}: no class of arguments has this name; see args.py, options.py and switch.py of the components"
    )


def default(field: "dataclasses.Field[Any]") -> str:
    """The default of a field as one writes it: `required`, a value, or – where it is left to the component."""
    if field.default is not dataclasses.MISSING:
        value = field.default
    elif field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    else:
        return "required"
    if value is None or value == [] or value == {} or value == "":
        return "–"
    if isinstance(value, Enum):
        return f"`{value.value}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if dataclasses.is_dataclass(value):
        return f"`{type(value).__name__}()`"
    return f"`{value}`"


SIZES = {
    "AppClusterArgs": "app",
    "PhpFpmArgs": "app",
    "DatabaseWithReplicasArgs": "database",
    "RedisClusterArgs": "redis",
}
"""Classes whose sizes a tier gives, and where it has them."""


def tier_default(cls: type[Any], name: str) -> str:
    """What each tier gives for an argument that is left out, or ""."""
    from tierstack.core.tier import TIERS

    sizes = {
        tier.value: getattr(getattr(size, SIZES.get(cls.__name__, ""), None), name, None)
        for tier, size in TIERS.items()
    }
    return ", ".join(f"{tier}: {value}" for tier, value in sizes.items() if value is not None)


def table(cls: type[Any], without: tuple[str, ...] = ()) -> str:
    """One row for each argument, in the order of the class, those that the caller must give first.

    Raises ValueError for an argument without a docstring.
    """
    from tierstack.core.documentation import attribute_documentation

    texts: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if dataclasses.is_dataclass(base):
            texts |= attribute_documentation(base)
    fields = [field for field in dataclasses.fields(cls) if field.init and field.name not in without]
    rows = [(field.name, default(field)) for field in fields]
    rows = [(name, tier_default(cls, name) or value if value == "–" else value) for name, value in rows]
    if missing := [name for name, _ in rows if not texts.get(name)]:
        raise ValueError(f"{cls.__name__}: no docstring below {', '.join(missing)}")
    ordered = sorted(rows, key=lambda row: row[1] != "required")
    lines = ["| argument | default | meaning |", "|---|---|---|"]
    lines += ["| `{}` | {} | {} |".format(name, value, texts[name].replace("|", "\\|")) for name, value in ordered]
    return "\n".join(lines) + "\n"


def word(kind: Any) -> str:
    """What an output is: a word, or a link to what is handed to another component."""
    if getattr(get_origin(kind), "__name__", "") == "Output":
        (kind,) = get_args(kind)
    if type(None) in get_args(kind):
        kind = get_args(kind)[0]
    kind = get_origin(kind) or kind
    return WORDS.get(kind) or f"[{kind.__name__}](links.md#{kind.__name__.lower()})"


def outputs(name: str) -> str:
    """One row for each output of a component. Raises ValueError for one without a docstring."""
    from tierstack.core.documentation import attribute_documentation

    component = getattr(importlib.import_module("tierstack"), name)
    texts = attribute_documentation(component)
    if missing := [one for one in component.__annotations__ if one not in texts | {"names": "", "changes": ""}]:
        raise ValueError(f"{name}: no docstring below {', '.join(missing)}")
    kinds = component.__annotations__
    lines = ["| output | type | meaning |", "|---|---|---|"]
    for one, text in texts.items():
        lines.append("| `{}` | {} | {} |".format(one, word(kinds[one]), text.replace("|", "\\|")))
    return "\n".join(lines) + "\n"


def fields(name: str) -> str:
    """One row for each field of what one component hands to another."""
    link = getattr(importlib.import_module("tierstack.links"), name)
    return table(link).replace("| argument |", "| field |", 1)


def filled(page: str) -> str:
    """A page with its tables made anew."""

    def fill(match: re.Match[str]) -> str:
        without = tuple((match["without"] or "").replace(",", " ").split())
        if match["kind"] == "outputs":
            made = outputs(match["name"])
        elif match["kind"] == "fields":
            made = fields(match["name"])
        else:
            made = table(arguments(match["name"]), without)
        return match["head"] + made + match["end"]

    return _TABLE.sub(fill, page)


def main(folder: Path = PAGES) -> int:
    for file in sorted(folder.glob("*.md")):
        before = file.read_text()
        if (after := filled(before)) != before:
            file.write_text(after)
            place.say(f"{file.name}: tables written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
