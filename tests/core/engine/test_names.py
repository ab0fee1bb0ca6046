"""The real engine registers nothing where a name cannot be had or a later component is wrong, `--skip-preview` too."""

import json
from pathlib import Path

import pytest

from tests.support import Stack

PROGRAM = """
import pulumi
import tierstack as ts

IMAGE = "registry.example/valkey:8@sha256:" + "a" * 64
platform = ts.Kubernetes(name="shop", render_to="out", secret_store="vault")


def redis(name, **more):
    return ts.RedisCluster(name, ts.RedisClusterArgs(platform=platform, image=IMAGE, **more))


redis("queue")
"""
CLASH = 'RedisCluster "queue" and RedisCluster "cache" use the same names: '


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        ('redis("cache", physical_name="queue")', CLASH),
        ('redis("cache", memory_mb=1)', "memory_mb = 1: must be at least"),
        # What is made in an `apply` waits for its own names.
        ('pulumi.Output.from_input(1).apply(lambda _: redis("cache", physical_name="queue") and None)', CLASH),
    ],
)
def test_nothing_is_registered(tmp_path: Path, rest: str, told: str) -> None:
    stack = Stack(tmp_path)
    stack.write(PROGRAM + rest)
    for verb in (["preview"], ["up", "--yes", "--skip-preview"]):
        done = stack.run(*verb, "--stack=test", check=False)
        assert done.returncode != 0
        assert (
            done.stdout.partition("Diagnostics:")[2].count(told) == 1
        )  # the engine shows the first line above it, too
        assert "Traceback" not in done.stdout + done.stderr
    if "apply" not in rest:
        assert not (tmp_path / "out").exists()
        made = json.loads(stack.run("stack", "export", "--stack=test").stdout)["deployment"].get("resources", [])
        # The engine's own provider answers what the state has, which rules about changes ask first; it stands for nothing.
        assert {one["type"] for one in made} <= {"pulumi:pulumi:Stack", "pulumi:providers:pulumi"}


def test_an_error_that_the_program_handles_stops_nothing(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    stack.write(
        PROGRAM + 'try:\n    redis("cache", memory_mb=1)\nexcept ts.ArgumentError:\n    pulumi.export("a", 1)\n'
    )
    stack.up()
    assert stack.outputs() == {"a": 1}
    assert (tmp_path / "out").exists()
    stack.preview("--expect-no-changes")
