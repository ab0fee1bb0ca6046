"""What components write for Kubernetes: objects by the functions of the kit, as a list of steps with their order."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tierstack.cli.deferred import PACKAGES

PACKAGE = Path(__file__).parents[3] / "components" / "tierstack"
ONE_BY_ONE = {
    ("cluster_addons/kubernetes.py", "register_raw"),
    ("app_cluster/kubernetes.py", "object"),
}
"""Calls that register an object outside of a plan. Addons register whole manifests of vendors, in namespaces of their
own. The list may only get shorter."""

pytestmark = pytest.mark.pure


def trees() -> Iterator[tuple[str, ast.AST]]:
    for package in PACKAGES:
        for file in sorted((PACKAGE / package.removeprefix("tierstack.")).rglob("*.py")):
            yield file.relative_to(PACKAGE).as_posix(), ast.parse(file.read_text())


def test_a_component_registers_what_its_plan_lists() -> None:
    calls = {
        (name, node.func.attr)
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("object", "register_raw")
    }
    assert calls == ONE_BY_ONE


def test_a_component_writes_objects_by_the_kit() -> None:
    raw = [
        f"{name}:{node.lineno}"
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        and {"apiVersion", "metadata"} <= {key.value for key in node.keys if isinstance(key, ast.Constant)}
    ]
    assert raw == [], "write it with `manifest` of platform/kubernetes, or a function of its neighbours"
