"""Components inside programs of others, under the real engine: moved, renamed, and spread over two stacks."""

import json
import shutil
from pathlib import Path
from typing import Any

from tests.projects import Checkout

RENAMED = """
import os, pulumi, tierstack as ts

platform = ts.Kubernetes(name="shop", render_to="rendered", secret_store="vault")
image = "registry.example/image:17@sha256:" + "a" * 64
size = {"platform": platform, "tier": ts.Tier.USERS_100K, "image": image}

class DataTier(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("company:index:DataTier", name, {})

if os.environ["STEP"] == "before":
    options, names, more = [None, None], ("db", "redis"), [{}, {}]
else:
    parent, root = DataTier("orders"), pulumi.ROOT_STACK_RESOURCE
    aliases = [pulumi.Alias(name=name, parent=root) for name in ("db", "redis")]
    options = [pulumi.ResourceOptions(parent=parent, aliases=[one]) for one in aliases]
    names, more = ("orders-db", "orders-queue"), [{"physical_name": "db"}, {"physical_name": "redis"}]

ts.DatabaseWithReplicas(names[0], ts.DatabaseWithReplicasArgs(**size, **more[0]), options[0])
ts.RedisCluster(names[1], ts.RedisClusterArgs(**size, **more[1]), options[1])
"""
DATA = """
import pulumi, tierstack as ts

platform = ts.Kubernetes(name="shop", render_to="rendered", secret_store="vault")
image = "registry.example/valkey:8@sha256:" + "a" * 64
queue = ts.RedisCluster("queue", ts.RedisClusterArgs(platform=platform, image=image))
pulumi.export("image", image)
pulumi.export("queue", queue.connection)
"""
APP = """
import pulumi, tierstack as ts

platform = ts.Kubernetes(name="shop", render_to="rendered", secret_store="vault", create_namespace=False)
data = pulumi.StackReference("organization/data/dev")
hostnames = ["shop.example"]

async def program():
    queue = (await data.get_output_details("queue")).value
    certificate = ts.TLS("tls", ts.TLSArgs(platform=platform, hostnames=hostnames)).certificate
    gateway = ts.Gateway("gateway", ts.GatewayArgs(platform=platform, certificate=certificate))
    ts.AppCluster("web", ts.AppClusterArgs(
        platform=platform, tier=ts.Tier.USERS_100K, image=data.require_output("image"), hostnames=hostnames,
        php=ts.PhpFpmArgs(document_root="/srv/shop/public"), gateway=gateway.endpoint, redis=queue))

pulumi.export("done", pulumi.Output.from_input(program()))
"""


def project(folder: Path, name: str, program: str, state: Path | None = None) -> Checkout:
    """A project in a folder of its own; `state`: the backend of another one."""
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(f"name: {name}\nruntime: python\n")
    (folder / "__main__.py").write_text(program)
    if state:
        (folder / "state").symlink_to(state)
    else:
        (folder / "state").mkdir()
    made = Checkout(folder)
    made.pulumi("stack", "init", "dev", STEP="before")
    return made


def manifests(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in (folder / "rendered").rglob("*.yaml")}


def test_components_move_into_another_and_take_other_names(tmp_path: Path) -> None:
    """With aliases and `physical_name`: no object is replaced, and every manifest stays as it was."""
    checkout = project(tmp_path / "shop", "shop", RENAMED)
    checkout.pulumi("up", "--yes", "--skip-preview", "-s", "dev", STEP="before")
    before = manifests(tmp_path / "shop")
    planned: dict[str, Any] = json.loads(checkout.pulumi("preview", "--json", "-s", "dev", STEP="after").stdout)
    assert {one["op"] for one in planned["steps"]} == {"same", "create"}
    assert [one["urn"].rpartition("::")[2] for one in planned["steps"] if one["op"] == "create"] == ["orders"]
    checkout.pulumi("up", "--yes", "--skip-preview", "-s", "dev", STEP="after")
    assert manifests(tmp_path / "shop") == before


def test_an_application_uses_what_another_stack_made(tmp_path: Path) -> None:
    data = project(tmp_path / "data", "data", DATA)
    data.pulumi("up", "--yes", "--skip-preview", "-s", "dev")
    app = project(tmp_path / "app", "app", APP, state=tmp_path / "data" / "state")
    app.pulumi("up", "--yes", "--skip-preview", "-s", "dev")
    written = "".join(manifests(tmp_path / "app").values())
    assert "tierstack.dev/redis-client.queue" in written
    assert "queue-app" in written
    app.pulumi("preview", "--expect-no-changes", "-s", "dev")


def test_an_update_without_the_folder_that_the_state_wrote_is_refused(tmp_path: Path) -> None:
    """As in a fresh checkout whose state is kept elsewhere."""
    checkout = project(tmp_path / "data", "data", DATA)
    checkout.pulumi("up", "--yes", "--skip-preview", "-s", "dev")
    before = manifests(tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / "rendered")
    assert "the folder has none" in checkout.pulumi("preview", "-s", "dev").stdout
    done = checkout.pulumi("up", "--yes", "--skip-preview", "-s", "dev", code=None)
    assert done.returncode != 0
    assert "platform.render_to = 'rendered': the state has" in done.stdout
    assert "Traceback" not in done.stdout
    checkout.pulumi("destroy", "--yes", "--skip-preview", "-s", "dev")
    checkout.pulumi("up", "--yes", "--skip-preview", "-s", "dev")
    assert manifests(tmp_path / "data") == before
