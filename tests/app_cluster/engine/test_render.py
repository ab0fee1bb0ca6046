"""The real engine on the render target: valid manifests without secrets, and a tier that grows in place."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support import Stack

PROGRAM = """\
from tierstack.app_cluster import (
    AppCluster, AppClusterArgs, HttpServerArgs, MigrationArgs, PhpFpmArgs, QueueScaling, RoleArgs, SecretDelivery,
    UploadsArgs)
from tierstack.gateway import Gateway, GatewayArgs
from tierstack.platform import Kubernetes
from tierstack.core.tier import Tier
from tierstack.links import Certificate
from tierstack.redis_cluster import RedisCluster, RedisClusterArgs

platform = Kubernetes(name="shop", render_to="rendered", secret_store="vault")
image = "registry.example/shop:{image}@sha256:" + "{image}" * 64
gateway = Gateway("gateway", GatewayArgs(
    platform=platform,
    certificate=Certificate(hostnames=["shop.example.org", "api.example.org"], secret_name="tls")))
redis = RedisCluster("redis", RedisClusterArgs(platform=platform, image="registry.example/valkey@sha256:" + "3" * 64))
common = dict(
    platform=platform, tier=Tier("{tier}"), image=image, gateway=gateway.endpoint, secrets={{"APP_KEY": "sesame"}},
    redis=redis.connection,
    roles={{"worker": RoleArgs(command=["w"], max_count=40, queue=QueueScaling(list_name="queues:default")),
           "mail": RoleArgs(command=["m"], max_count=4),
           "scheduler": RoleArgs(command=["s"], single=True)}},
    migration=MigrationArgs(command=["m"]), uploads=UploadsArgs(path="/srv/uploads"))
AppCluster("web", AppClusterArgs(
    **common, hostnames=["shop.example.org"], php=PhpFpmArgs(document_root="/srv/shop/public"), nginx_image=image))
AppCluster("api", AppClusterArgs(
    **common, hostnames=["api.example.org"], http_server=HttpServerArgs(command=["serve"], memory_mb=256),
    secret_delivery=SecretDelivery.FILE, writable_paths=["/srv/cache"]))
"""


def test_rendered(tmp_path: Path) -> None:
    stack = Stack(tmp_path, "render")
    stack.write(PROGRAM.format(tier="100k", image="1"))
    stack.up()
    stack.preview("--expect-no-changes")
    text = "".join(file.read_text() for file in (tmp_path / "rendered").rglob("*.yaml"))
    assert "sesame" not in text
    assert "\nkind: Secret\n" not in text
    # Resources of every operator that an application has to do with, so that each schema is asked.
    assert {"ExternalSecret", "ScaledObject", "TriggerAuthentication"} <= set(re.findall(r"^kind: (\w+)$", text, re.M))
    if schemas := os.environ.get("TIERSTACK_SCHEMAS"):
        command = ["kubeconform", "-strict", "-schema-location", schemas, str(tmp_path / "rendered")]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
    else:
        pytest.fail("TIERSTACK_SCHEMAS is not set: run `make setup`")

    # A larger tier is an update; another image is an update too, with migrations and configuration of its own.
    stack.write(PROGRAM.format(tier="1M", image="1"))
    replaced = [line for line in stack.preview().splitlines() if "(replace)" in line or "(delete)" in line]
    assert all("ConfigMap" in line or "Job" in line for line in replaced), replaced
    stack.write(PROGRAM.format(tier="100k", image="2"))
    replaced = [line for line in stack.preview().splitlines() if "(replace)" in line or "(delete)" in line]
    assert replaced
    assert all("Job" in line for line in replaced), replaced
