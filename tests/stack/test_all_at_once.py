"""One error names every problem: what is wrong in one section hides nothing in another, and causes nothing there."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stack.changes import put
from tests.stack.test_systems import FILES
from tierstack.core.places import path_text, steps
from tierstack.engine.project import masked
from tierstack.stack.check import judge
from tierstack.stack.mending import key_at

CASES = Path(__file__).parent.parent / "cases" / "settings"
TOGETHER: list[dict[str, Any]] = yaml.safe_load((CASES / "together.yaml").read_text())
Place = tuple[str | int, ...]


@pytest.mark.parametrize("case", TOGETHER, ids=lambda case: case["name"].replace(" ", "-"))
def test_all_problems_are_told_at_once(case: dict[str, Any]) -> None:
    config = yaml.safe_load((CASES / "base.yaml").read_text())
    for path, value in case["set"].items():
        put(config, path, value)
    assert [str(one) for one in judge(config, frozenset(), "test", "shop").problems] == case["says"]


def places(value: object, path: Place = ()) -> list[Place]:
    """Every place below `value`."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for step, one in items for found in ((*path, step), *places(one, (*path, step)))]


def required(config: dict[str, Any]) -> list[Place]:
    """The places of keys that must be there, in a configuration that has them."""
    return [place for place in places(config) if (key := key_at(place)) and key.required and place != ("platform",)]


SMALL = [file for file in FILES if file.stem in ("booking", "sibali")]
"""One on a Docker host and one on Kubernetes; each key of them is a run of its own."""


@pytest.mark.parametrize("file", SMALL, ids=lambda file: file.stem)
def test_what_cannot_be_read_hides_nothing_and_causes_nothing(file: Path) -> None:
    given: dict[str, Any] = yaml.safe_load(file.read_text())["config"]
    parts = {key.removeprefix(f"{file.stem}:"): masked(value) for key, value in given.items()}
    right = {key: value for key, (value, _) in parts.items()}
    secret = frozenset(key for key, (_, hides) in parts.items() if hides)

    def said(place: Place, change: Any, *, beside: bool) -> set[str]:
        config = copy.deepcopy(right)
        inside: Any = config
        for step in place[:-1]:
            inside = inside[step]
        change(inside, place[-1])
        if beside:
            config["gateway"] = {**config.get("gateway", {}), "memory_mb": 1}
        return {one.path for one in judge(config, secret, "prod", file.stem).problems}

    def unreadable(inside: Any, key: Any) -> None:
        inside[key] = [{"of another": "shape"}]

    def missing(inside: Any, key: Any) -> None:
        del inside[key]

    tried = [
        *((place, missing) for place in required(right)),
        *((place, unreadable) for place in places(right) if len(place) < 3),
    ]
    wrong: list[str] = []
    for place, change in tried:
        hidden = place[0] == "gateway"
        paths = said(place, change, beside=not hidden)
        own = {path for path in paths if steps(path)[: len(place)] == place}
        if not own or paths - own != (set() if hidden else {"gateway.memory_mb"}):
            wrong.append(f"{change.__name__} {path_text(place)}: {sorted(paths)}")
    assert wrong == []
