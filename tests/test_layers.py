"""The layers of the package: what may import what.

core ← diff, migration; posting; core ← links ← platform ← components ← component_host ← stack ← engine ← recovery ← release ← cli. A component imports no other component: what it needs is
handed to it as a link. Modules import each other in no circle. What does not hold yet is listed here; the lists may
only get shorter.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tierstack.cli.deferred import PACKAGES

PACKAGE = Path(__file__).parents[1] / "components" / "tierstack"
LAYERS = (
    "core",
    "diff",
    "posting",
    "migration",
    "links",
    "platform",
    "components",
    "component_host",
    "stack",
    "engine",
    "recovery",
    "release",
    "cli",
)
COMPONENTS = frozenset(package.removeprefix("tierstack.") for package in PACKAGES)
UPWARD: set[tuple[str, str]] = set()
"""Imports of a higher layer."""
SIDEWAYS = {
    ("mta_sts_host.args", "dns_records.zone.check"),
    ("mta_sts_host.args", "dns_records.mail.mta_sts.record"),
    ("mta_sts_host.args", "dns_records.mail.mta_sts.fetch"),
    ("mta_sts_host.kubernetes", "dns_records.mail.mta_sts.fetch"),
    ("mta_sts_host.server", "dns_records.mail.mta_sts.fetch"),
    ("tls.options", "dns_records.publish.args"),
}
"""Imports of another component."""
CIRCLES: set[frozenset[str]] = set()
"""Modules that import each other."""

INSIDE = {
    "database": ("postgresql", "mysql"),
    "dns_records": ("rules", "records", "resolve", "mail", "zone", "publish"),
}
"""Components with inner packages, the lowest first. `options` and `args` stand beside them."""

pytestmark = pytest.mark.pure


def modules() -> dict[str, Path]:
    """Every module by its name below the package; a package by its own."""
    found = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imports(source: str, known: dict[str, Path]) -> Iterator[str]:
    """The modules of the package that `source` imports, wherever in it and for whatever purpose."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tierstack":
            package = (node.module or "").partition(".")[2]
            for name in node.names:
                inner = f"{package}.{name.name}".lstrip(".")
                yield inner if inner in known else package
        elif isinstance(node, ast.Import):
            yield from (n.name.partition(".")[2] for n in node.names if n.name.split(".")[0] == "tierstack")


def graph() -> dict[str, set[str]]:
    known = modules()
    return {name: set(imports(file.read_text(), known)) - {name} for name, file in known.items() if name}


def layer(module: str) -> int:
    package = module.split(".")[0]
    return LAYERS.index("components" if package in COMPONENTS else package) if package else LAYERS.index("components")


def circles(found: dict[str, set[str]]) -> list[frozenset[str]]:
    """The strongly connected parts with more than one module (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    parts: list[frozenset[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(found.get(name, ())):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            part = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(part) > 1:
                parts.append(frozenset(part))

    for name in found:
        if name not in index:
            visit(name)
    return parts


def test_every_package_has_a_layer() -> None:
    packages = {name.split(".")[0] for name in modules() if name}
    assert packages == {*LAYERS, *COMPONENTS} - {"components"}


def test_nothing_imports_a_higher_layer() -> None:
    found = {(a, b) for a, others in graph().items() for b in others if layer(b) > layer(a)}
    assert found == UPWARD


@pytest.mark.parametrize("package", ["diff", "migration"])
def test_a_judge_of_texts_runs_nothing(package: str) -> None:
    """Any project's preview or migrations can be read where no Pulumi is installed."""
    allowed = {
        "collections",
        "dataclasses",
        "typing",
        "enum",
        "re",
        "json",
        "html",
        "base64",
        "difflib",
        "fnmatch",
        "functools",
        "ipaddress",
        "string",
        "itertools",
    }
    for file in sorted((PACKAGE / package).rglob("*.py")):
        found = {
            node.module or "" for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom)
        }
        found |= {
            n.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Import) for n in node.names
        }
        own = {name for name in found if name.split(".")[:2] in (["tierstack", package], ["tierstack", "core"])}
        assert {name.split(".")[0] for name in found - own} <= allowed, file


def test_no_component_imports_another() -> None:
    both = (
        (a, b) for a, others in graph().items() for b in others if layer(a) == layer(b) == LAYERS.index("components")
    )
    found = {(a, b) for a, b in both if a.split(".")[0] != b.split(".")[0]}
    assert found == SIDEWAYS


def test_nothing_imports_in_a_circle() -> None:
    assert set(circles(graph())) == CIRCLES


@pytest.mark.parametrize("component", INSIDE)
def test_inner_packages_import_downwards(component: str) -> None:
    order = INSIDE[component]
    inner = [
        (a, b)
        for a, others in graph().items()
        for b in others
        if a.startswith(f"{component}.") and b.startswith(f"{component}.")
    ]
    packages = [(a.split(".")[1], b.split(".")[1], (a, b)) for a, b in inner]
    assert [pair for a, b, pair in packages if a in order and b in order and order.index(b) > order.index(a)] == []
    assert {path.name for path in (PACKAGE / component).iterdir() if path.is_dir()} - {"__pycache__"} <= set(order)


def test_a_program_imports_nothing_that_only_the_command_or_a_publisher_needs() -> None:
    """Every public name, in a process of its own: what every preview of every consumer waits for."""
    needed_later = {"click", "cryptography", "docker", "octodns", "pulumi_kubernetes"}
    code = f"""
import sys, tierstack
[getattr(tierstack, name) for name in tierstack.__all__]
print(sorted({{name.partition(".")[0] for name in sys.modules}} & {needed_later}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
