"""The package as its users have it: a wheel in an environment of their own, beside their own Pulumi and providers."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
ENDS = {
    "oldest": {"pulumi": "3.200.0", "docker": "4.5.8", "kubernetes": "4.20.0", "random": "4.16.0", "tls": "5.1.0"},
    "newest": {"pulumi": "3.272.0", "docker": "5.2.0", "kubernetes": "4.34.2", "random": "4.21.4", "tls": "5.6.2"},
}
"""Both ends of the ranges of pyproject.toml, as docs/decisions/0017 has them."""
REGISTER = """
import json, sys
import tierstack
from tests.names.whole import PLATFORMS, shop
from tests.support import run_program
assert sys.argv[1] in tierstack.__file__, tierstack.__file__
made = {f"{name} {tier.value}": run_program(lambda: shop(platform, tier)).summary()
        for name, platform in PLATFORMS.items() for tier in tierstack.Tier}
for one in (one for program in made.values() for one in program.values()):
    one.get("options", {}).pop("version", None)  # of the provider, which is the installed one
    if one["type"].startswith("tls:"):
        one.get("options", {}).pop("additionalSecretOutputs", None)  # the SDK's own list of what is secret
print(json.dumps(made, sort_keys=True, default=str))
"""


def uv(*arguments: str | Path) -> str:
    program = Path(sys.executable).parent / "uv"
    done = subprocess.run([program, *arguments], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def interpreters() -> dict[str, Path]:
    """The Pythons of this machine that the package is for, by version."""
    found = {"{}.{}".format(*sys.version_info): Path(sys.executable)}
    for version in ("3.11", "3.12", "3.13"):
        program = shutil.which(f"python{version}")
        ask = [program or "false", "-c", "import sys; print(sys.executable)"]
        done = subprocess.run(ask, capture_output=True, text=True)
        if done.returncode == 0:
            found.setdefault(version, Path(done.stdout.strip()))
    return found


def environment(folder: Path, *packages: str | Path, python: Path | None = None) -> Path:
    """The Python of a new environment with these packages."""
    uv("venv", "-q", "--python", python or Path(sys.executable), folder)
    program = folder / "bin" / "python"
    for one in packages:
        uv("pip", "install", "-q", "--python", program, *str(one).split())
    return program


def run(*command: str | Path, cwd: Path, code: int = 0) -> str:
    kept = {name: os.environ[name] for name in ("HOME", "PATH", "LANG") if name in os.environ}
    done = subprocess.run(command, cwd=cwd, env={**kept, "PYTHONPATH": ""}, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    uv("build", "-q", "--wheel", "--no-build-isolation", "--python", sys.executable, "-o", folder, ROOT)
    return next(folder.glob("tierstack-*.whl"))


@pytest.mark.parametrize("version", interpreters())
def test_an_empty_environment(version: str, wheel: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "env", wheel, python=interpreters()[version])
    said = run(python, "-c", "from tierstack import *; import tierstack; print(tierstack.__version__)", cwd=tmp_path)
    current = importlib.metadata.version("tierstack")
    assert said == f"{current}\n"
    assert run(python.parent / "tierstack", "--version", cwd=tmp_path) == f"tierstack {current}\n"
    assert (python.parent / "pulumi-resource-tierstack").exists()


def test_the_readme_s_command(tmp_path: Path) -> None:
    ((constraints, extra),) = re.findall(
        r'pip install --constraint \.\./tierstack/(\S+) "\.\./tierstack(.*)"', (ROOT / "README.md").read_text()
    )
    python = environment(tmp_path / "env", f"--constraint {ROOT / constraints} {ROOT}{extra}")
    run(python, "-c", "import octodns, tierstack; tierstack.DNSRecords", cwd=tmp_path)


def test_types_reach_a_consumer(wheel: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "env", wheel)
    program = """
import tierstack as ts

queue = ts.RedisCluster("queue", ts.RedisClusterArgs(platform=ts.Kubernetes(name="shop"), image="valkey:8", {more}))
reveal_type(queue.connection.host)
reveal_type(ts.__version__)
"""
    (tmp_path / "good.py").write_text(program.format(more="memory_mb=512"))
    (tmp_path / "bad.py").write_text(program.format(more='memry_mb="512"'))
    pyright = Path(sys.executable).parent / "pyright"
    said = run(pyright, "--pythonpath", python, "--outputjson", "good.py", "bad.py", cwd=tmp_path, code=1)
    told = [(Path(one["file"]).name, one["severity"], one["message"]) for one in json.loads(said)["generalDiagnostics"]]
    assert [message for file, severity, message in told if (file, severity) == ("bad.py", "error")] == [
        'No parameter named "memry_mb"'
    ]
    assert [message for file, _, message in told if file == "good.py"] == [
        'Type of "queue.connection.host" is "str | Awaitable[str] | Output[str]"',
        'Type of "ts.__version__" is "str"',
    ]


class TestVersions:
    def test_the_oldest_are_the_lower_bounds(self) -> None:
        needs = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
        bounds = dict(re.findall(r"^(?:pulumi-)?(\w+)>=([\d.]+),<", "\n".join(sorted(needs)), re.MULTILINE))
        for name, version in ENDS["oldest"].items():
            assert (version + ".").startswith(f"{bounds[name]}."), name

    @pytest.mark.parametrize("end", ENDS)
    def test_they_stay_and_register_the_same(self, end: str, wheel: Path, tmp_path: Path) -> None:
        given = {"pulumi" if name == "pulumi" else f"pulumi-{name}": version for name, version in ENDS[end].items()}
        theirs = " ".join(f"{name}=={version}" for name, version in given.items())
        python = environment(tmp_path / "env", theirs, wheel, f"pytest=={importlib.metadata.version('pytest')}")
        listed = json.loads(uv("pip", "list", "-q", "--format=json", "--python", python))
        assert given.items() <= {one["name"]: one["version"] for one in listed}.items()
        assert self.registered(python, "site-packages") == self.registered(Path(sys.executable), "components")

    def registered(self, python: Path, where: str) -> object:
        source = str(ROOT / "components") + os.pathsep if where == "components" else ""
        env = {**os.environ, "PYTHONPATH": f"{source}{ROOT}"}
        done = subprocess.run([python, "-c", REGISTER, where], cwd=ROOT, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
