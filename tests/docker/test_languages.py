"""A program in TypeScript on a real daemon: a Redis comes up, stays, answers and goes."""

from pathlib import Path

import pytest

from tests.languages import compiled, node, project_of_node
from tests.support import docker_client, image

PLATFORM = "t-typescript"
PROGRAM = """
import * as pulumi from "@pulumi/pulumi";
import * as tierstack from "tierstack";

const platform = { kind: "docker", name: "%s", dataProtection: "none" } as const;
const image = new pulumi.Config().require("image");
const queue = new tierstack.RedisCluster("queue", { platform, image, memoryMb: 64 });

export const url = queue.connection.host;
"""


def left() -> list[str]:
    """What the daemon has of the platform."""
    api, named = docker_client().api, {"filters": {"name": PLATFORM}}
    volumes = [one["Name"] for one in api.volumes(**named)["Volumes"] or []]
    return volumes + [str(one["Names"]) for one in api.containers(all=True, **named)]


@pytest.mark.node
def test_it_comes_up_stays_and_goes(tmp_path: Path) -> None:
    folder = project_of_node(tmp_path / "shop")
    (folder / "index.ts").write_text(PROGRAM % PLATFORM)
    done = compiled(folder)
    assert done.returncode == 0, done.stdout
    setting = f"image={image('valkey:8.1')}"
    try:
        for verb in ("preview", "up", "again"):
            done = node(folder, "run.cjs", "bin/index.js", verb, setting)
            assert done.returncode == 0, done.stdout + done.stderr
        (container,) = docker_client().containers.list(filters={"name": f"{PLATFORM}-queue"})
        assert container.attrs["State"]["Health"]["Status"] == "healthy"
    finally:
        done = node(folder, "run.cjs", "bin/index.js", "destroy", setting)
    assert done.returncode == 0, done.stdout + done.stderr
    assert left() == []
