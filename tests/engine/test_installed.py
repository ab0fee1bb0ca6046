"""The package as its users have it: a wheel in an environment of their own, beside their own Pulumi and providers."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parent.parent.parent
ENDS = {
    "oldest": {
        "pulumi": "3.200.0",
        "pulumi-docker": "4.5.8",
        "pulumi-kubernetes": "4.20.0",
        "pulumi-random": "4.16.0",
        "pulumi-tls": "5.1.0",
        "click": "8.1.7",
        "pyyaml": "6.0.1",
    },
    "newest": {
        "pulumi": "3.272.0",
        "pulumi-docker": "5.2.0",
        "pulumi-kubernetes": "4.34.2",
        "pulumi-random": "4.21.4",
        "pulumi-tls": "5.6.2",
        "click": "8.5.1",
        "pyyaml": "6.0.4",
    },
}
"""Both ends of the ranges of pyproject.toml, as docs/decisions/0017 has them."""
MYPY = "mypy==2.4.1"
MISTAKES = """
import tierstack as ts

shop = ts.Kubernetes(name="shop")
queue = ts.RedisCluster("queue", ts.RedisClusterArgs(platform=shop, image="valkey:8", memry_mb=512))
ts.BackupSchedule("backups", ts.BackupScheduleArgs(platform=shop, database=queue.connection))
reveal_type(queue.connection.host)
reveal_type(ts.__version__)
"""
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
    """The Pythons of this machine that the package is for, by version: on PATH, or kept by pyenv."""
    found = {"{}.{}".format(*sys.version_info): Path(sys.executable)}
    kept = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for version in ("3.11", "3.12", "3.13", "3.14"):
        for program in (shutil.which(f"python{version}") or "false", *kept.glob(f"{version}.*/bin/python")):
            ask = [program, "-c", "import sys; print(sys.executable)"]
            done = subprocess.run(ask, capture_output=True, text=True)
            if done.returncode == 0 and done.stdout:
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


def test_a_repository_of_git(tmp_path: Path) -> None:
    """`pip install "git+…@REVISION"`: of a clone, because the wheel must hold all that is committed and nothing else."""
    revision = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    python = environment(tmp_path / "env", f"git+file://{ROOT}@{revision}")
    assert run(python, "-c", "import tierstack; print(tierstack.TLS.__name__)", cwd=tmp_path) == "TLS\n"


def test_the_readme_s_command(tmp_path: Path) -> None:
    ((constraints, extra),) = re.findall(
        r'pip install --constraint \.\./tierstack/(\S+) "\.\./tierstack(.*)"', (ROOT / "README.md").read_text()
    )
    python = environment(tmp_path / "env", f"--constraint {ROOT / constraints} {ROOT}{extra}")
    run(python, "-c", "import octodns, tierstack; tierstack.DNSRecords", cwd=tmp_path)


@pytest.fixture(scope="module")
def consumer(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the programs of examples/ and one with mistakes, beside it an environment with the wheel and mypy."""
    folder = tmp_path_factory.mktemp("consumer")
    environment(folder / "env", wheel, MYPY)
    for program in (ROOT / "examples").glob("*/__main__.py"):
        shutil.copy(program, folder / f"{program.parent.name.replace('-', '_')}.py")
    (folder / "bad.py").write_text(MISTAKES)
    (folder / "pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": "strict", "exclude": ["env"]}))
    return folder


class TestTypes:
    """What type checkers and editors of a consumer know of the installed package. Each reads all programs at once,
    because most of its time goes into the packages that they import."""

    def test_pyright_passes_the_examples_and_finds_wrong_arguments(self, consumer: Path) -> None:
        program = Path(sys.executable).parent / "pyright"
        python = consumer / "env" / "bin" / "python"
        told = json.loads(run(program, "--pythonpath", python, "--outputjson", cwd=consumer, code=1))
        assert told["summary"]["filesAnalyzed"] == len(list(consumer.glob("*.py"))) > 7
        found = [(Path(one["file"]).name, one["message"]) for one in told["generalDiagnostics"]]
        assert {name for name, _ in found} == {"bad.py"}
        errors = [message for _, message in found]
        assert errors[0] == 'No parameter named "memry_mb"'
        assert '"RedisConnection" is not assignable to "DatabaseConnection"' in errors[1]
        assert 'Type of "queue.connection.host" is "str | Awaitable[str] | Output[str]"' in errors
        assert 'Type of "ts.__version__" is "str"' in errors

    def test_mypy_passes_the_examples_and_finds_wrong_arguments(self, consumer: Path) -> None:
        programs = sorted(one.name for one in consumer.glob("*.py"))
        said = run(consumer / "env" / "bin" / "mypy", "--strict", *programs, cwd=consumer, code=1)
        *lines, summary = said.splitlines()
        assert {line.partition(":")[0] for line in lines} == {"bad.py"}
        assert f"(checked {len(programs)} source files)" in summary
        assert 'Unexpected keyword argument "memry_mb" for "RedisClusterArgs"' in said
        assert 'incompatible type "RedisConnection"; expected "DatabaseConnection"' in said


@pytest.mark.parametrize(("tool", "end"), [("pip", max), ("uv", min)])
def test_a_project_of_its_own(tool: str, end: Callable[[Iterable[str]], str], wheel: Path, tmp_path: Path) -> None:
    """From an empty directory: an environment, the wheel, a program; `virtualenv` instead of an activated environment."""
    found = interpreters()
    interpreter = found[end(found)]
    wanted = ["--constraint", str(ROOT / "constraints.txt"), str(wheel)]
    if tool == "pip":
        run(interpreter, "-m", "venv", ".venv", cwd=tmp_path)
        # Python compiles what it imports, which is little of the 26 MB of Kubernetes SDK.
        run(tmp_path / ".venv" / "bin" / "pip", "install", "-q", "--no-compile", *wanted, cwd=tmp_path)
    else:
        uv("venv", "-q", "--seed", "--python", interpreter, tmp_path / ".venv")
        uv("pip", "install", "-q", "--python", tmp_path / ".venv" / "bin" / "python", *wanted)
    shutil.copy(ROOT / "examples" / "redis-by-purpose" / "__main__.py", tmp_path)
    runtime = {"name": "python", "options": {"virtualenv": ".venv"}}
    (tmp_path / "Pulumi.yaml").write_text(json.dumps({"name": "mine", "runtime": runtime}))
    digest = f"17.6@sha256:{64 * '0'}"
    images = {f"image:{name}": f"registry.example/{name}:{digest}" for name in ("app", "valkey")}
    (tmp_path / "Pulumi.dev.yaml").write_text(json.dumps({"config": images}))
    (tmp_path / "state").mkdir()
    own = {"PULUMI_BACKEND_URL": f"file://{tmp_path}/state", "PULUMI_CONFIG_PASSPHRASE": "x", "PYTHONPATH": ""}
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for words in (
        "stack init dev",
        "up -s dev --yes --skip-preview",
        "preview -s dev --expect-no-changes",
        "destroy -s dev --yes --skip-preview",
    ):
        command = ["pulumi", "--non-interactive", "--color=never", *words.split()]
        done = subprocess.run(command, cwd=tmp_path, env={**kept, **own}, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        if words.startswith("up"):
            assert len(list((tmp_path / "rendered").rglob("*.yaml"))) > 20


def registered(python: Path, where: str) -> object:
    """What whole shops on each platform register, by the package that is in `where`."""
    source = str(ROOT / "components") + os.pathsep if where == "components" else ""
    env = {**os.environ, "PYTHONPATH": f"{source}{ROOT}"}
    done = subprocess.run([python, "-c", REGISTER, where], cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def of_this_checkout() -> object:
    return registered(Path(sys.executable), "components")


class TestVersions:
    def test_the_oldest_are_the_lower_bounds(self) -> None:
        needs = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
        bounds = dict(re.findall(r"^([\w-]+)>=([\d.]+),<", "\n".join(sorted(needs)), re.MULTILINE))
        for name, version in ENDS["oldest"].items():
            assert (version + ".").startswith(f"{bounds[name]}."), name

    @pytest.mark.parametrize("end", ENDS)
    def test_they_stay_and_register_the_same(
        self, end: str, wheel: Path, of_this_checkout: object, tmp_path: Path
    ) -> None:
        given = ENDS[end]
        theirs = " ".join(f"{name}=={version}" for name, version in given.items())
        python = environment(tmp_path / "env", theirs, wheel, f"pytest=={importlib.metadata.version('pytest')}")
        listed = json.loads(uv("pip", "list", "-q", "--format=json", "--python", python))
        assert given.items() <= {one["name"]: one["version"] for one in listed}.items()
        assert registered(python, "site-packages") == of_this_checkout
        self.run_the_command(python.parent / "tierstack", tmp_path)

    def run_the_command(self, program: Path, folder: Path) -> None:
        """Each verb is loaded, with its options; one reads files and has an option with a choice."""
        verbs = re.findall(r"^  ([a-z]+)  ", run(program, "--help", cwd=folder), re.MULTILINE)
        assert {"check", "restore", "topology"} <= set(verbs)
        for verb in verbs:
            assert "Usage: tierstack" in run(program, verb, "--help", cwd=folder)
        for name, data in (("old", {"a": "1"}), ("new", {"a": "2"})):
            (folder / name).mkdir()
            manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "it"}, "data": data}
            (folder / name / "it.yaml").write_text(json.dumps(manifest))
        said = run(program, "diff", "--rendered", "old", "new", "--format", "JSON", cwd=folder)
        assert json.loads(said)["changes"]["update"] == 1
        problem = run(program, "diff", "--rendered", "old", "new", "--format", "pdf", cwd=folder, code=2)
        assert problem == ""
