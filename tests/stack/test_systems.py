"""Five systems as settings, each with a note of what no setting can say yet: what there is must express them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tierstack.engine.project import masked
from tierstack.stack.check import judge

FILES = sorted((Path(__file__).parents[1] / "cases/systems").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_system_has_no_problems(file: Path) -> None:
    given: dict[str, Any] = yaml.safe_load(file.read_text())["config"]
    parts = {key.removeprefix(f"{file.stem}:"): masked(value) for key, value in given.items()}
    config = {key: value for key, (value, _) in parts.items()}
    secret = frozenset(key for key, (_, hides) in parts.items() if hides)
    report = judge(config, secret, "prod", file.stem)
    assert [str(one) for one in report.problems] == []
    assert not {one.code for one in report.findings()[0]} & {"backups-absent", "component-unused"}
    assert report.capacity[0].requests_per_second > 0
    assert report.topology().nodes


def test_there_are_five() -> None:
    assert len(FILES) == 5
