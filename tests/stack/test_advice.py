"""What is allowed in a stack and rarely meant: told where it is, and nowhere else."""

import copy
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stack.changes import put
from tests.stack.test_settings import BASE, CASES
from tests.stack.test_systems import FILES as SYSTEMS
from tierstack.core.documentation import attribute_documentation
from tierstack.core.keys import classes_in, keys_of
from tierstack.engine.project import masked
from tierstack.platform import Platform
from tierstack.stack.check import judge
from tierstack.stack.sections import SECTIONS

ROOT = Path(__file__).parents[2]
ADVICE: list[dict[str, Any]] = yaml.safe_load((CASES / "advice.yaml").read_text())
CODES = {"scheduler-twice", "queue-in-cache", "secret-in-environment", "no-effect"}
STACKS = [*sorted(ROOT.glob("Pulumi.*.yaml")), *SYSTEMS]


@pytest.mark.parametrize("case", ADVICE, ids=lambda case: case["name"].replace(" ", "-"))
def test_advice(case: dict[str, Any]) -> None:
    config = copy.deepcopy(BASE)
    put(config, "platform.kind", case.get("kind", "docker"))
    for path, value in case["set"].items():
        put(config, path, value)
    report = judge(config, frozenset(), "test", "shop")
    assert [str(one) for one in report.problems] == []
    found, _ = report.findings()
    assert [f"{one.code} {one.path}" for one in found if one.code in CODES] == case["says"]
    assert not any("hunter2" in one.line for one in found)


def test_advice_can_be_accepted() -> None:
    config = copy.deepcopy(BASE) | {"ignore": {"no-effect@app": "moves to a cluster next week"}}
    put(config, "app.max_replicas", 9)
    shown, ignored = judge(config, frozenset(), "test", "shop").findings()
    assert [one.diagnostic.path for one in ignored] == ["app.max_replicas"]
    assert not {one.code for one in shown} & (CODES | {"ignore-unused"})


@pytest.mark.parametrize("file", STACKS, ids=lambda file: file.name)
def test_no_stack_of_ours_is_advised(file: Path) -> None:
    given: dict[str, Any] = yaml.safe_load(file.read_text())["config"]
    project = next(iter(given)).partition(":")[0]
    parts = {key.removeprefix(f"{project}:"): masked(value) for key, value in given.items()}
    secret = frozenset(key for key, (_, hides) in parts.items() if hides)
    report = judge({key: value for key, (value, _) in parts.items()}, secret, "prod", project)
    assert [one.line for one in report.findings()[0] if one.code in CODES] == []


def test_what_is_for_one_platform_says_so_first() -> None:
    """The declared data, and the first word of the docstring."""

    def differing(cls: type[Any], seen: set[type[Any]]) -> Iterator[str]:
        seen.add(cls)
        texts = attribute_documentation(cls)
        for name, key in keys_of(cls).items():
            first = texts.get(name, "").replace(":", " ").split(" ")[0].lower()
            if (first if first in ("docker", "kubernetes") else None) != key.only:
                yield f"{cls.__name__}.{name}: {key.only}, {first}"
            inner = (one for one in classes_in(key.type) if dataclasses.is_dataclass(one) and one not in seen)
            for one in inner:
                if not hasattr(one, "source"):
                    yield from differing(one, seen)

    seen: set[type[Any]] = set()
    classes = [Platform, *(one.args for one in SECTIONS), *(one.own for one in SECTIONS if one.own)]
    assert [line for cls in classes for line in differing(cls, seen)] == []
    assert {one.key: one.only for one in SECTIONS if one.only} == {"addons": "kubernetes"}
