"""Platforms as data: their rules, labels and names."""

import dataclasses
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.support import run_program
from tierstack import DockerHost, Kubernetes, Platform
from tierstack.core.arguments import load
from tierstack.core.diagnostics import NO_RULE
from tierstack.platform import name_problems
from tierstack.platform.shared import once_per_run

CASES = yaml.safe_load((Path(__file__).parents[1] / "cases" / "core" / "platforms.yaml").read_text())


def platform_of(args: dict[str, Any]) -> Platform:
    platform, problems = load(Platform, args)
    assert problems == []
    assert isinstance(platform, Platform)
    return platform


@pytest.mark.parametrize("case", CASES["wrong"], ids=lambda case: str(case["args"]))
def test_wrong_platforms(case: dict[str, Any]) -> None:
    found = platform_of(case["args"]).problems()
    assert [str(one) for one in found] == case["says"]
    assert NO_RULE not in [one.code for one in found]


@pytest.mark.parametrize("args", CASES["right"], ids=str)
def test_right_platforms(args: dict[str, Any]) -> None:
    assert platform_of(args).problems() == []


def test_the_path_is_the_caller_s() -> None:
    assert DockerHost(name="X").problems("stack.platform")[0].path == "stack.platform.name"


def test_labels() -> None:
    assert Kubernetes(name="shop", environment="prod").labels == {
        "app.kubernetes.io/part-of": "shop",
        "app.kubernetes.io/managed-by": "tierstack",
        "tierstack.dev/environment": "prod",
    }


def test_rendering_is_known_from_the_directory() -> None:
    assert Kubernetes(name="shop", render_to="out").renders
    assert not Kubernetes(name="shop").renders


def test_a_platform_cannot_change_under_the_components_that_share_it() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        DockerHost(name="shop").name = "other"  # type: ignore[misc]


LABEL = "abcdefghijklmnopqrstuvwxyz0123456789-"


@given(st.text(alphabet=LABEL + "A_. \n", max_size=70))
def test_names_are_dns_labels(value: str) -> None:
    right = 0 < len(value) <= 63 and set(value) <= set(LABEL) and value[0] != "-" and value[-1] != "-"
    assert (name_problems("x", value) == []) == right


@pytest.mark.graph
def test_what_is_shared_is_made_once_in_a_run_and_anew_in_the_next() -> None:
    made: list[Platform] = []

    def make(platform: Platform) -> int:
        made.append(platform)
        return len(made)

    found: list[int] = []

    def program() -> None:
        pulumi.ComponentResource("test:index:Some", "some")
        found.extend(once_per_run(make, DockerHost(name=name)) for name in ("a", "a", "b", "a"))

    run_program(program)
    assert found == [1, 1, 2, 1]
    run_program(program)
    assert found[4:] == [3, 3, 4, 3]
