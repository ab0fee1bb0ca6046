"""The page has a table for every group of arguments; another test compares the tables with the docstrings."""

import dataclasses
import inspect
from pathlib import Path

import pytest

from tierstack.app_cluster import options

PAGE = (Path(__file__).parents[2] / "docs/components/app-cluster.md").read_text()
GROUPS = [
    name for name, cls in inspect.getmembers(options, dataclasses.is_dataclass) if cls.__module__ == options.__name__
]


@pytest.mark.parametrize("name", GROUPS)
def test_every_group_is_on_the_page(name: str) -> None:
    assert f"<!-- arguments of {name}: made by" in PAGE
