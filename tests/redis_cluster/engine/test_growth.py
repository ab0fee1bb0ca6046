"""From one node to three by the real engine: what would be replaced, and whether the manifests are valid."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import Stack

PROGRAM = """
from tierstack.platform.internal_ca import TLSMode
from tierstack.platform import Kubernetes
from tierstack.redis_cluster import RedisCluster, RedisClusterArgs
from tierstack.core.tier import Tier

digest = "@sha256:" + "a" * 64
RedisCluster("redis", RedisClusterArgs(
    platform=Kubernetes(name="shop", render_to="{folder}/rendered"),
    tier=Tier.{tier},
    image="valkey" + digest,
    proxy_image="haproxy" + digest,
    tls=TLSMode("{tls}"),
))
"""


def valid(folder: Path) -> None:
    schemas = os.environ.get("TIERSTACK_SCHEMAS")
    if not schemas or not shutil.which("kubeconform"):
        pytest.skip("no kubeconform with schemas: run `make setup`")
    command = ["kubeconform", "-strict", "-schema-location", schemas, str(folder / "rendered")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_growing_is_an_update_in_place(tmp_path: Path) -> None:
    stack = Stack(tmp_path, "t-redis-growth")
    stack.write(PROGRAM.format(folder=tmp_path, tier="USERS_100K", tls="disable"))
    stack.up()
    valid(tmp_path)
    stack.write(PROGRAM.format(folder=tmp_path, tier="USERS_1M", tls="disable"))
    planned = json.loads(stack.run("preview", "--json", "--stack=t-redis-growth").stdout)
    steps = {step["urn"].split("::")[-1]: step["op"] for step in planned["steps"]}
    assert {name for name, op in steps.items() if "replace" in op or "delete" in op} == {"redis-node-config"}
    assert {name: steps[name] for name in ("redis-node", "redis-data-0", "redis")} == {
        "redis-node": "update",
        "redis-data-0": "update",
        "redis": "update",
    }
    stack.up()
    valid(tmp_path)
    stack.preview("--expect-no-changes")


def test_encrypting_clients_is_an_update_in_place(tmp_path: Path) -> None:
    stack = Stack(tmp_path, "t-redis-growth")
    stack.write(PROGRAM.format(folder=tmp_path, tier="USERS_1M", tls="disable"))
    stack.up()
    stack.write(PROGRAM.format(folder=tmp_path, tier="USERS_1M", tls="allow"))
    planned = json.loads(stack.run("preview", "--json", "--stack=t-redis-growth").stdout)
    steps = {step["urn"].split("::")[-1]: step["op"] for step in planned["steps"]}
    replaced = {name for name, op in steps.items() if "replace" in op or "delete" in op}
    assert replaced == {"redis-node-config", "redis-proxy-config"}
    assert steps["redis-node"] == "update"
    assert "redis-data-0" not in steps
    stack.up()
    valid(tmp_path)
    stack.write(PROGRAM.format(folder=tmp_path, tier="USERS_1M", tls="require"))
    stack.up()
    valid(tmp_path)
    stack.preview("--expect-no-changes")
