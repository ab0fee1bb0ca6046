"""The command reads a stack's file as the engine does."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.projects import Checkout
from tierstack.engine.project import find

SCALARS: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[1] / "cases" / "settings" / "scalars.yaml").read_text()
)


@pytest.mark.engine
def test_the_engine_makes_the_same_of_each_value(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    lines = "".join(f"    k{index}: {case['text']}\n" for index, case in enumerate(SCALARS))
    keys = "".join(f"    {key}: 1\n" for key in ("no", "on", "yes", "12:30"))
    (tmp_path / "Pulumi.dev.yaml").write_text(f"config:\n  shop:all:\n{lines}{keys}")
    project = Checkout(tmp_path)
    project.pulumi("stack", "init", "dev")
    told = json.loads(project.pulumi("config", "--json", "-s", "dev").stdout)["shop:all"]["objectValue"]
    assert find(tmp_path).config("dev").values["all"] == told
    assert [told[f"k{index}"] for index in range(len(SCALARS))] == [case["value"] for case in SCALARS]
