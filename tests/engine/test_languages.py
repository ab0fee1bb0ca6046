"""Programs in YAML and JavaScript under the real engine: the whole shop, made by the plugin that the wheel installs.

The YAML program is the one of docs/languages.md. Both render what the same program in Python renders.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from toolchain import npm_packages

ROOT = Path(__file__).resolve().parent.parent.parent
CASES = ROOT / "tests" / "cases" / "languages"
PLUGINS = Path(sys.executable).parent
PYTHON = """
import pulumi, tierstack as ts

platform = ts.Kubernetes(name="shop", render_to="rendered", secret_store="vault")
image, hostnames = "registry.example/shop:17@sha256:" + "a" * 64, ["shop.example.org"]
size = {"platform": platform, "tier": ts.Tier.USERS_100K, "image": image}
tls = ts.TLS("tls", ts.TLSArgs(platform=platform, hostnames=hostnames))
gateway = ts.Gateway("gateway", ts.GatewayArgs(platform=platform, certificate=tls.certificate))
bucket = ts.ObjectStorageArgs(platform=platform, bucket="shop-backups", region="eu-central-1")
archive = ts.DatabaseArchiveArgs(store=ts.ObjectStorage("storage", bucket).store)
db = ts.DatabaseWithReplicas("db", ts.DatabaseWithReplicasArgs(**size, archive=archive))
queue = ts.RedisCluster("queue", ts.RedisClusterArgs(platform=platform, image=image))
web = ts.AppCluster("web", ts.AppClusterArgs(**size, hostnames=hostnames,
                    php=ts.PhpFpmArgs(document_root="/srv/shop/public"),
                    gateway=gateway.endpoint, database=db.connection, redis=queue.connection))
ts.BackupSchedule("backups", ts.BackupScheduleArgs(platform=platform, database=db.connection))
pulumi.export("url", web.url)
"""


def shop_in_yaml() -> dict[str, Any]:
    found = re.search(r"```yaml\n(.*?)```", (ROOT / "docs" / "languages.md").read_text(), re.DOTALL)
    assert found
    program = yaml.safe_load(found[1])
    program["plugins"]["providers"][0]["path"] = str(PLUGINS)
    return program


def run(folder: Path, *command: str | Path, **more: str) -> "subprocess.CompletedProcess[str]":
    (folder / "state").mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "PULUMI_BACKEND_URL": f"file://{folder}/state",
        "PULUMI_CONFIG_PASSPHRASE": "x",
        **more,
    }
    return subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def pulumi(folder: Path, *arguments: str) -> str:
    done = run(folder, "pulumi", "--non-interactive", "--color=never", *arguments, "--stack=dev")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def in_yaml(folder: Path, program: dict[str, Any]) -> None:
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(program, sort_keys=False))
    assert run(folder, "pulumi", "stack", "init", "dev").returncode == 0


def in_javascript(folder: Path, verb: str, **queue: Any) -> "subprocess.CompletedProcess[str]":
    if not folder.exists():
        folder.mkdir()
        (folder / "node_modules").symlink_to(npm_packages.make() / "node_modules")
        shutil.copy(CASES / "shop.mjs", folder)
    return run(folder, npm_packages.node(), "shop.mjs", verb, SHOP=json.dumps(queue))


def manifests(folder: Path) -> dict[str, str]:
    found = {str(file.relative_to(folder)): file.read_text() for file in (folder / "rendered").rglob("*.yaml")}
    assert len(found) > 40
    return found


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a program in Python renders."""
    folder = tmp_path_factory.mktemp("python") / "shop"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (folder / "__main__.py").write_text(PYTHON)
    assert run(folder, "pulumi", "stack", "init", "dev").returncode == 0
    pulumi(folder, "up", "--yes", "--skip-preview")
    return manifests(folder)


def test_a_program_in_yaml(tmp_path: Path, python: dict[str, str]) -> None:
    folder = tmp_path / "shop"
    in_yaml(folder, shop_in_yaml())
    assert '"https://shop.example.org"' in pulumi(folder, "preview")
    pulumi(folder, "up", "--yes", "--skip-preview")
    assert manifests(folder) == python
    pulumi(folder, "preview", "--expect-no-changes")


@pytest.mark.node
def test_a_program_in_javascript(tmp_path: Path, python: dict[str, str]) -> None:
    folder = tmp_path / "shop"
    for verb in ("preview", "up"):
        done = in_javascript(folder, verb)
        assert done.returncode == 0, done.stdout + done.stderr
        assert '"https://shop.example.org"' in done.stdout
    assert manifests(folder) == python


@pytest.mark.node
def test_wrong_arguments_in_javascript(tmp_path: Path) -> None:
    done = in_javascript(tmp_path / "shop", "preview", memoryMb=3.5, failoverAfterMs=1, purpos="cache", tls="of course")
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert 'RedisCluster "queue": 4 problems' in said
    assert "property memoryMb with value '{3.5}' has a problem: is a number; write a whole number" in said
    assert "property failoverAfterMs with value '{1}' has a problem: must be at least 1000" in said
    assert "property purpos with value '{cache}' has a problem: is not a known key; did you mean `purpose`?" in said
    assert "property tls with value '{of course}' has a problem: is not a choice; write one of `require`" in said
    assert "Traceback" not in said
    assert "Exception" not in said
    assert 'File "' not in said


def test_a_wrong_name_in_yaml(tmp_path: Path) -> None:
    program = shop_in_yaml()
    program["resources"] = {"Redis_Main": program["resources"]["queue"]}
    del program["outputs"]
    in_yaml(tmp_path / "shop", program)
    done = run(tmp_path / "shop", "pulumi", "preview", "--non-interactive", "--color=never", "--stack=dev")
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "property name has a problem: 'Redis_Main': is not a DNS label (RFC 1123)" in said
    assert "Traceback" not in said


def test_the_engine_reads_the_plugins_schema(tmp_path: Path) -> None:
    """What `pulumi package add` generates an SDK from."""
    done = run(tmp_path, "pulumi", "package", "get-schema", PLUGINS / "pulumi-resource-tierstack")
    assert done.returncode == 0, done.stderr
    schema = json.loads(done.stdout)
    assert "connection" in schema["resources"]["tierstack:index:RedisCluster"]["properties"]
