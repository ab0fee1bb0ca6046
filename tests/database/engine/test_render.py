"""The real engine on the render target: the tier grows, and the database is updated in place."""

from pathlib import Path

from tests.support import Stack

PROGRAM = """\
from tierstack import DatabaseWithReplicas, DatabaseWithReplicasArgs, Kubernetes, Tier

DatabaseWithReplicas("db", DatabaseWithReplicasArgs(
    platform=Kubernetes(name="shop", render_to="rendered"), tier=Tier("{tier}"),
    image="registry.example/postgresql:17.6@sha256:{digest}",
))
"""


def test_a_larger_tier_is_an_update(tmp_path: Path) -> None:
    stack = Stack(tmp_path, "render")
    stack.write(PROGRAM.format(tier="100k", digest="0" * 64))
    stack.up()
    stack.preview("--expect-no-changes")
    manifests = {file.name: file.read_text() for file in (tmp_path / "rendered").rglob("*.yaml")}
    assert any("instances: 1" in text and "kind: Cluster" in text for text in manifests.values())
    assert not any("kind: Secret\n" in text for text in manifests.values())

    stack.write(PROGRAM.format(tier="1M", digest="0" * 64))
    preview = stack.preview()
    assert "(replace)" not in preview
    assert "(delete)" not in preview
    assert "instances : 1 => 3" in preview
