"""Pictures of a topology."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tierstack.core.section import Edge, Node
from tierstack.stack.picture import Topology, svg

PICTURES = Path(__file__).parent.parent.parent / "docs" / "pictures"


@pytest.mark.parametrize("stack", ["local", "prod"])
def test_the_pictures_of_the_pages_are_current(tierstack: Command, stack: str) -> None:
    drawn = tierstack("topology", "-s", stack).stdout
    again = f"tierstack topology -s {stack} -o docs/pictures/{stack}.svg"
    assert (PICTURES / f"{stack}.svg").read_text() == drawn, f"out of date; draw it again: {again}"
    assert ElementTree.fromstring(drawn).tag == "{http://www.w3.org/2000/svg}svg"


def test_every_arrow_has_both_ends(tierstack: Command) -> None:
    for stack in ("local", "staging", "prod"):
        found = json.loads(tierstack("topology", "-s", stack, "--format", "json").stdout)
        known = {one["id"] for one in found["nodes"]}
        assert {end for edge in found["edges"] for end in (edge["source"], edge["target"])} == known


def test_mermaid_into_a_file(tierstack: Command, tmp_path: Path) -> None:
    tierstack("topology", "-s", "prod", "--format", "mermaid", "-o", str(tmp_path / "prod.mmd"))
    text = (tmp_path / "prod.mmd").read_text()
    assert text.startswith("flowchart LR\n")
    assert '3 × Redis<br><small>2048 MiB, Sentinel</small>"' in text
    assert "primary -- WAL --> standby" in text


def test_names_are_escaped() -> None:
    nodes = (Node("a", "<b>", "x & y", "app", 0), Node("c", "d", "'e'", "data", 0, 2))
    drawn = svg(Topology("<script>", nodes, (Edge("c", "a", "<i>"),)))
    assert ElementTree.fromstring(drawn) is not None
    assert "<script>" not in drawn
