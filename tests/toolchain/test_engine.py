"""The set-up's engine, Python host and providers work together: up, no changes, destroy."""

import json
import os
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

from toolchain import find
from toolchain.pins import load

pytestmark = pytest.mark.engine

PROGRAM = """
import pulumi
from pulumi import dynamic
import pulumi_random as random
import pulumi_tls as tls

class Provider(dynamic.ResourceProvider):
    def create(self, inputs):
        return dynamic.CreateResult("id-1", {**inputs, "doubled": inputs["number"] * 2})
    def diff(self, id, old, new):
        return dynamic.DiffResult(changes=old["number"] != new["number"])
    def update(self, id, old, new):
        return dynamic.UpdateResult({**new, "doubled": new["number"] * 2})

class Doubled(dynamic.Resource):
    doubled: pulumi.Output[int]
    def __init__(self, name, number):
        super().__init__(Provider(), name, {"number": number, "doubled": None})

number = pulumi.Config().require_int("number")
password = random.RandomPassword("password", length=24)
key = tls.PrivateKey("key", algorithm="ED25519")
pulumi.export("doubled", Doubled("doubled", number).doubled)
pulumi.export("password", password.result)
pulumi.export("public", key.public_key_openssh)
"""


WHERE = """
import sys
import pulumi
from pulumi import dynamic

class Provider(dynamic.ResourceProvider):
    def create(self, inputs):
        import sys
        return dynamic.CreateResult("id-1", {"prefix": sys.prefix})

class Where(dynamic.Resource):
    prefix: pulumi.Output[str]
    def __init__(self, name):
        super().__init__(Provider(), name, {"prefix": None})

pulumi.export("program", sys.prefix)
pulumi.export("resource", Where("where").prefix)
"""


@pytest.fixture
def project(tmp_path: Path, pulumi_backend: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: probe\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(PROGRAM)
    return tmp_path


def pulumi(project: Path, *args: str) -> str:
    done = subprocess.run(
        ["pulumi", *args, "--non-interactive"],
        cwd=project,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"pulumi {' '.join(args)}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_dynamic_and_bridged_resources_live_a_whole_life(project: Path, pulumi_backend: Path) -> None:
    pulumi(project, "stack", "init", "dev")
    pulumi(project, "config", "set", "number", "21")
    pulumi(project, "up", "--yes", "--skip-preview")
    outputs = json.loads(pulumi(project, "stack", "output", "--json", "--show-secrets"))
    assert outputs["doubled"] == 42
    assert len(outputs["password"]) == 24
    assert outputs["public"].startswith("ssh-ed25519 ")
    pulumi(project, "preview", "--expect-no-changes")

    state = "".join(file.read_text() for file in pulumi_backend.rglob("*.json"))
    assert "ssh-ed25519" in state
    assert outputs["password"] not in state

    pulumi(project, "config", "set", "number", "4")
    pulumi(project, "up", "--yes", "--skip-preview")
    assert json.loads(pulumi(project, "stack", "output", "--json"))["doubled"] == 8
    pulumi(project, "destroy", "--yes", "--skip-preview")
    pulumi(project, "stack", "rm", "dev", "--yes")  # refuses while a resource is left


def test_a_program_and_its_dynamic_resources_run_in_the_project_s_own_environment(project: Path) -> None:
    """`sys.prefix` of both; the environment finds the SDK where the tests do."""
    environment = project / "my-env"
    venv.create(environment, with_pip=False, symlinks=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib"))
    runtime = "{name: python, options: {toolchain: pip, virtualenv: my-env}}"
    (project / "Pulumi.yaml").write_text(f"name: probe\nruntime: {runtime}\n")
    (project / "__main__.py").write_text(WHERE)
    pulumi(project, "stack", "init", "dev")
    said = pulumi(project, "up", "--yes", "--skip-preview")
    assert "warning" not in said.lower()
    outputs = json.loads(pulumi(project, "stack", "output", "--json"))
    assert outputs == {"program": str(environment), "resource": str(environment)}


def test_kubernetes_and_docker_providers_start(tmp_path: Path) -> None:
    """Each prints its port when the engine starts it; a provider that cannot start never does."""
    pins = load()
    for name in ("docker", "kubernetes", "random", "tls"):
        process = subprocess.Popen(
            [find.find(pins.tools[f"pulumi-resource-{name}"], pins).path, "127.0.0.1:1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert process.stdout is not None
            assert int(process.stdout.readline()) in range(1, 65536), name
        finally:
            process.kill()
            process.wait()


def test_kubeconform_refuses_what_the_schemas_refuse(tmp_path: Path) -> None:
    good = {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": "pg"},
            "spec": {"instances": 3, "storage": {"size": "1Gi"}}}  # fmt: skip
    bad = {**good, "spec": {"instances": 0, "storag": {}}}
    for name, manifest, code in (("good", good, 0), ("bad", bad, 1)):
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(manifest))
        done = subprocess.run(
            ["kubeconform", "-strict", "-schema-location", os.environ["TIERSTACK_SCHEMAS"], file],
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
    assert "minimum: got 0, want 1" in done.stdout
    assert "'storag' not allowed" in done.stdout
