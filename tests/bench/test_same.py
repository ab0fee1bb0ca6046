"""The benchmark compares like with like: both programs make the same resources."""

from collections import Counter
from pathlib import Path

import pytest

from bench import handwritten, ours
from bench.__main__ import PER_SHOP, SHARED
from tests.support import Recorder, run_program

pytestmark = pytest.mark.graph


@pytest.fixture(scope="module")
def made() -> dict[str, Recorder]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RENDER", "out")
        patch.setenv("SHOPS", "2")
        return {"ours": run_program(ours.program), "by hand": run_program(handwritten.program)}


def test_kinds_and_numbers(made: dict[str, Recorder]) -> None:
    def kinds(program: str) -> Counter[str]:
        grouping = ("tierstack:", "bench:")
        return Counter("group" if one.type.startswith(grouping) else one.type for one in made[program].made)

    assert kinds("ours") == kinds("by hand")
    assert kinds("ours").total() == 2 * PER_SHOP + SHARED


def test_the_page_says_how_large_a_shop_is(made: dict[str, Recorder]) -> None:
    groups = sum(one.type.startswith("tierstack:") for one in made["ours"].made) // 2
    said = f"One shop is {PER_SHOP} resources: {PER_SHOP - groups} Kubernetes objects and {groups} components."
    assert said in " ".join((Path(__file__).parents[2] / "docs/measurements.md").read_text().split())


def test_their_inputs_are_of_the_same_size(made: dict[str, Recorder]) -> None:
    """Not equal to the letter: the components go on changing, and the other program need not follow each word."""
    sizes = {name: sum(len(str(one.inputs)) for one in program.made) for name, program in made.items()}
    assert sizes["by hand"] == pytest.approx(sizes["ours"], rel=0.05)
