"""Programs in YAML and TypeScript under the real engine: examples/yaml and examples/typescript, made by the plugin that
the wheel installs. Both render what the same program in Python renders.
"""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.languages import compiled, node, project_for_the_engine, project_of_node, run

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "examples"
PLUGINS = Path(sys.executable).parent
IMAGE = "registry.example/shop:17@sha256:" + "a" * 64
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
WRONG = """
const tierstack = require("tierstack");
const platform = { kind: "kubernetes", name: "shop", renderTo: "rendered", secretStore: "vault" };
new tierstack.RedisCluster("queue", {
  platform, image: "valkey:8", memoryMb: 3.5, failoverAfterMs: 1, purpos: "cache", tls: "of course",
});
"""


def example() -> dict[str, Any]:
    """The example in YAML, with the plugin where it is here."""
    program = yaml.safe_load((EXAMPLES / "yaml" / "Pulumi.yaml").read_text())
    program["plugins"]["providers"][0]["path"] = str(PLUGINS)
    program["runtime"]["options"]["virtualenv"] = str(PLUGINS.parent)
    return program


def pulumi(folder: Path, *arguments: str, path: str = "", **more: str) -> str:
    done = run(folder, "pulumi", "--non-interactive", "--color=never", *arguments, "--stack=dev", path=path, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def path_of_another_python() -> str:
    """PATH without the environment of the plugin: it brings its own Python, whatever is first there."""
    other = os.pathsep.join(one for one in os.environ["PATH"].split(os.pathsep) if Path(one) != PLUGINS)
    assert not str(shutil.which("python3", path=other)).startswith(str(PLUGINS))
    return other


def in_yaml(folder: Path, program: dict[str, Any]) -> None:
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(program, sort_keys=False))
    assert run(folder, "pulumi", "stack", "init", "dev").returncode == 0


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


def test_the_page_shows_the_examples() -> None:
    page = (ROOT / "docs" / "languages.md").read_text()
    assert f"```yaml\n{(EXAMPLES / 'yaml' / 'Pulumi.yaml').read_text()}```" in page
    assert f"```typescript\n{(EXAMPLES / 'typescript' / 'index.ts').read_text()}```" in page


class TestYaml:
    def test_it_comes_up_stays_and_goes(self, tmp_path: Path, python: dict[str, str]) -> None:
        folder = tmp_path / "shop"
        in_yaml(folder, example())
        other = path_of_another_python()
        assert '"https://shop.example.org"' in pulumi(folder, "preview", path=other)
        pulumi(folder, "up", "--yes", "--skip-preview", path=other)
        assert manifests(folder) == python
        pulumi(folder, "preview", "--expect-no-changes", path=other)
        pulumi(folder, "destroy", "--yes", "--skip-preview", path=other)
        assert not list((folder / "rendered").rglob("*.yaml"))

    def test_resources_that_are_python_run_in_the_named_environment(self, tmp_path: Path) -> None:
        """With another Python on PATH: without the name of the environment the engine would take that one."""
        folder, other = tmp_path / "shop", path_of_another_python()
        zone = {"domain": "shop.example", "zoneFilePath": "shop.zone", "web": [{"ipv4": ["203.0.113.10"]}]}
        program = example() | {"resources": {"dns": {"type": "tierstack:DNSRecords", "properties": zone}}}
        del program["outputs"], program["variables"]
        in_yaml(folder, program)
        pulumi(folder, "up", "--yes", "--skip-preview", path=other)
        assert "203.0.113.10" in (folder / "shop.zone").read_text()
        pulumi(folder, "preview", "--expect-no-changes", path=other)
        (folder / "Pulumi.yaml").write_text(yaml.safe_dump(program | {"runtime": "yaml"}, sort_keys=False))
        done = run(folder, "pulumi", "preview", "--non-interactive", "--color=never", "--stack=dev", path=other)
        said = done.stdout + done.stderr
        assert done.returncode != 0
        assert 'DNSRecords "dns" cannot be made: some of its resources are Python code' in said
        assert "runtime: {name: nodejs, options: {virtualenv: .venv}}" in said
        assert "Traceback" not in said

    def test_the_package_is_added_twice_without_a_path_of_the_machine(self, tmp_path: Path) -> None:
        folder = tmp_path / "shop"
        program = example()
        program["resources"] = {"queue": program["resources"]["queue"]}
        del program["plugins"], program["outputs"]
        program["runtime"] = "yaml"
        in_yaml(folder, program)
        for _ in range(2):
            done = run(folder, "pulumi", "package", "add", PLUGINS / "pulumi-resource-tierstack")
            assert done.returncode == 0, done.stdout + done.stderr
        written = [file for file in folder.rglob("*") if file.is_file() and folder / "state" not in file.parents]
        assert [
            file.name for file in written if str(PLUGINS) in file.read_text() or str(ROOT) in file.read_text()
        ] == []
        assert yaml.safe_load((folder / "Pulumi.yaml").read_text())["packages"].keys() == {"tierstack"}
        pulumi(folder, "preview")

    def test_a_wrong_name(self, tmp_path: Path) -> None:
        program = example()
        program["resources"] = {"Redis_Main": program["resources"]["queue"]}
        del program["outputs"]
        in_yaml(tmp_path / "shop", program)
        done = run(tmp_path / "shop", "pulumi", "preview", "--non-interactive", "--color=never", "--stack=dev")
        said = done.stdout + done.stderr
        assert done.returncode != 0
        assert "property name has a problem: 'Redis_Main': is not a DNS label (RFC 1123)" in said
        assert "Traceback" not in said


@pytest.mark.node
class TestTypeScript:
    def test_it_compiles_comes_up_stays_and_goes(self, tmp_path: Path, python: dict[str, str]) -> None:
        folder = project_of_node(tmp_path / "shop")
        done = compiled(folder)
        assert done.returncode == 0, done.stdout
        for verb in ("preview", "up", "again"):
            done = node(folder, "run.cjs", "bin/index.js", verb, f"image={IMAGE}")
            assert done.returncode == 0, done.stdout + done.stderr
            assert verb == "again" or '"https://shop.example.org"' in done.stdout
        assert manifests(folder) == python
        done = node(folder, "run.cjs", "bin/index.js", "destroy")
        assert done.returncode == 0, done.stdout + done.stderr
        assert not list((folder / "rendered").rglob("*.yaml"))

    def test_the_compiler_finds_wrong_arguments(self, tmp_path: Path) -> None:
        folder = project_of_node(tmp_path / "shop")
        program = (folder / "index.ts").read_text()
        slips = {
            'tier: "100k"': 'tier: "100"',
            "documentRoot": "documentroot",
            'RedisCluster("queue", { platform, image })': 'RedisCluster("queue", {})',
            "database: db.connection,\n  redis": "database: gateway.endpoint,\n  redis",
        }
        for right, wrong in slips.items():
            assert right in program
            program = program.replace(right, wrong)
        (folder / "index.ts").write_text(program)
        said = compiled(folder).stdout
        assert "Did you mean '\"100k\"'?" in said
        assert "Did you mean to write 'documentRoot'?" in said
        assert "missing the following properties from type 'RedisClusterArgs': platform, image" in said
        # The compiler stops at the first slip inside one object.
        (folder / "index.ts").write_text(program.replace("documentroot", "documentRoot"))
        assert "'OutGatewayEndpoint' is missing the following properties" in compiled(folder).stdout

    def test_the_engine_tells_wrong_arguments(self, tmp_path: Path) -> None:
        folder = project_of_node(tmp_path / "shop")
        (folder / "wrong.js").write_text(WRONG)
        done = node(folder, "run.cjs", "wrong.js", "preview")
        said = done.stdout + done.stderr
        assert done.returncode == 1
        assert 'RedisCluster "queue": 5 problems' in said
        assert "property memoryMb with value '{3.5}' has a problem: is a number; write a whole number" in said
        assert "property failoverAfterMs with value '{1}' has a problem: must be at least 1000" in said
        assert "property purpos with value '{cache}' has a problem: is not a known key; did you mean `purpose`?" in said
        assert "property tls with value '{of course}' has a problem: is not a choice; write one of `require`" in said
        assert "Traceback" not in said
        assert "Exception" not in said
        assert 'File "' not in said


@pytest.mark.node
def test_a_typescript_project_adds_the_package(tmp_path: Path, python: dict[str, str]) -> None:
    """By the words of docs/languages.md, with the engine's own generator."""
    folder = tmp_path / "shop"
    found = project_for_the_engine(folder, PLUGINS / "pulumi-resource-tierstack")
    for _ in range(2):
        done = run(folder, "pulumi", "package", "add", ".venv/bin/pulumi-resource-tierstack", **found)
        assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((folder / "package.json").read_text())["dependencies"]["tierstack"] == "file:sdks/tierstack"
    made = {"node_modules", "state", "bin", ".venv"}
    committed = [one for one in folder.rglob("*") if one.is_file() and not made & set(one.relative_to(folder).parts)]
    here = (str(folder), str(PLUGINS), str(ROOT))
    assert [one.name for one in committed if any(path in one.read_text() for path in here)] == []
    done = compiled(folder)
    assert done.returncode == 0, done.stdout
    assert run(folder, "pulumi", "stack", "init", "dev").returncode == 0
    pulumi(folder, "config", "set", "image", IMAGE)
    assert '"https://shop.example.org"' in pulumi(folder, "preview", **found)
    pulumi(folder, "up", "--yes", "--skip-preview", **found)
    assert manifests(folder) == python
    pulumi(folder, "preview", "--expect-no-changes", **found)


def test_the_engine_reads_the_plugins_schema(tmp_path: Path) -> None:
    """What `pulumi package add` generates an SDK from."""
    done = run(tmp_path, "pulumi", "package", "get-schema", PLUGINS / "pulumi-resource-tierstack")
    assert done.returncode == 0, done.stderr
    schema = json.loads(done.stdout)
    assert "connection" in schema["resources"]["tierstack:index:RedisCluster"]["properties"]
