"""The table of fixed fields: `tierstack render` and `tierstack diff` both say whatever it holds, and nothing else."""

from pathlib import Path
from typing import Any

import pytest

from tierstack.core.fixed_fields import FIXED_FIELDS, FixedFields, shrinks
from tierstack.diff.manifests import compared
from tierstack.diff.risk import Risk, findings
from tierstack.diff.rules import RULES
from tierstack.engine.manifests import Rendered, advice, identity, refused

FIXED = [(one, path) for one in FIXED_FIELDS for path in one.fixed]
GROWING = [(one, path) for one in FIXED_FIELDS for path in one.growing.values()]


def manifest(of: FixedFields, path: tuple[str, ...], value: object) -> dict[str, Any]:
    """An object with `value` at a path of its spec; None: with nothing there."""
    spec: dict[str, Any] = {"other": "field"}
    inside = spec
    for step in path[:-1]:
        inside = inside.setdefault(step, {})
    if value is not None:
        inside[path[-1]] = value
    version = f"{of.group}/v1" if of.group else "v1"
    return {"apiVersion": version, "kind": of.kind, "metadata": {"name": "it", "namespace": "shop"}, "spec": spec}


def both(before: dict[str, Any], after: dict[str, Any]) -> tuple[list[str], list[str]]:
    """What `render` and `diff` say of a change."""
    old, new = ({identity(one): Rendered(Path("it.yaml"), one)} for one in (before, after))
    found = findings(compared([before], [after]), RULES)
    return list(advice(refused(old, new))), [one.rule for one in found if one.risk is Risk.REFUSED]


def named(pair: tuple[FixedFields, tuple[str, ...]]) -> str:
    return f"{pair[0].kind} {'.'.join(pair[1])}"


@pytest.mark.parametrize("pair", FIXED, ids=named)
@pytest.mark.parametrize(
    ("was", "would_be"), [("a", "b"), ({"in": "a"}, {"in": "b"}), (["a"], ["b"]), ("a", None), (None, "b")]
)
def test_both_say_that_a_fixed_field_changes(
    pair: tuple[FixedFields, tuple[str, ...]], was: object, would_be: object
) -> None:
    of, path = pair
    (said,), rules = both(manifest(of, path, was), manifest(of, path, would_be))
    assert rules == [f"{of.rule}-fixed"]
    assert said.startswith(f"{of.kind} it: spec.{'.'.join(path)}")
    assert of.instead in said
    assert ("kubectl -n shop delete" in said) is bool(of.delete)


@pytest.mark.parametrize("pair", FIXED, ids=named)
def test_what_the_server_writes_by_itself_is_no_change(pair: tuple[FixedFields, tuple[str, ...]]) -> None:
    of, path = pair
    same = of.defaults.get(path, "a")
    absent = None if path in of.defaults else "a"
    assert both(manifest(of, path, absent), manifest(of, path, same)) == ([], [])
    assert both(manifest(of, path, same), manifest(of, path, absent)) == ([], [])


@pytest.mark.parametrize("pair", GROWING, ids=named)
def test_both_say_that_a_volume_shrinks(pair: tuple[FixedFields, tuple[str, ...]]) -> None:
    of, path = pair
    (said,), (rule,) = both(manifest(of, path, "50Gi"), manifest(of, path, "20Gi"))
    assert rule.startswith(of.rule)
    assert rule.endswith("-shrinks")
    assert of.keep_size in said
    assert both(manifest(of, path, "20Gi"), manifest(of, path, "50Gi")) == ([], [])
    assert both(manifest(of, path, "1Gi"), manifest(of, path, "1024Mi")) == ([], [])


def test_a_kind_of_another_group_is_another_kind() -> None:
    """`Cluster` is a kind of several operators, whose fields have their own rules."""
    (of,) = [one for one in FIXED_FIELDS if one.kind == "Cluster"]
    foreign = [{**manifest(of, of.fixed[0], value), "apiVersion": "cluster.x-k8s.io/v1"} for value in ("a", "b")]
    assert both(*foreign) == ([], [])


def test_the_command_names_the_object() -> None:
    (of,) = [one for one in FIXED_FIELDS if one.kind == "StatefulSet"]
    (said,), _ = both(manifest(of, ("serviceName",), "a"), manifest(of, ("serviceName",), "b"))
    assert said.endswith("Run: kubectl -n shop delete statefulset it --cascade=orphan")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("50Gi", "20Gi", True),
        ("50Gi", "51200Mi", False),
        ("50Gi", None, True),
        (None, "50Gi", False),
        ("big", "20Gi", False),
        ("50Gi", "big", False),
    ],
)
def test_amounts_that_shrink(old: object, new: object, expected: bool) -> None:
    assert shrinks(old, new) is expected
