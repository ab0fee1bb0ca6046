"""The launcher in front of the SDK's: a program runs in the environment that its Pulumi.yaml names."""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

NAME = "pulumi-language-python-exec"
LAUNCHER = Path(__file__).resolve().parents[2] / "toolchain" / "modules" / "langhost" / "launchers" / NAME
SDK = "import __main__, sys\nprint(sys.prefix, __file__ == sys.argv[0] == __main__.__file__, *sys.argv[1:], sep='|')\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose program is in a folder of its own, beside a launcher whose SDK only tells where it runs."""
    (tmp_path / "bin").mkdir()
    shutil.copy(LAUNCHER, tmp_path / "bin" / NAME)
    (tmp_path / "bin" / f"{NAME}.sdk").write_text(SDK)
    (tmp_path / "project" / "stacks").mkdir(parents=True)
    return tmp_path / "project"


def run(project: Path, runtime: str) -> subprocess.CompletedProcess[str]:
    (project / "Pulumi.yaml").write_text(f"name: probe\n{runtime}\ndescription: virtualenv is explained here\n")
    command = [sys.executable, "-u", project.parent / "bin" / NAME, "--pwd", str(project / "stacks"), "--x", "1", "."]
    return subprocess.run(command, capture_output=True, text=True, cwd=project.parent)


@pytest.mark.parametrize(
    "runtime",
    [
        "runtime: python",
        "runtime:\n  name: python",
        "runtime:\n  name: python\n  options:\n    toolchain: pip\n    # virtualenv: elsewhere",
        "runtime: {name: python, options: {toolchain: pip}}",
        "main: stacks\nconfig:\n  virtualenv: elsewhere",
    ],
)
def test_without_an_environment_of_its_own_it_runs_where_the_host_starts_it(project: Path, runtime: str) -> None:
    done = run(project, runtime)
    assert done.stdout == f"{sys.prefix}|True|--pwd|{project}/stacks|--x|1|.\n", done.stderr


@pytest.mark.parametrize(
    "runtime",
    [
        "runtime:\n  name: python\n  options:\n    toolchain: pip\n    virtualenv: my-env\nmain: stacks",
        "runtime: {name: python, options: {virtualenv: my-env}}",
        "runtime:\n  options:\n    'virtualenv': 'my-env'  # beside the project\n\n  name: python",
        'runtime: {\n  name: "python",\n  "options": {"virtualenv": "my-env"}\n}',
    ],
)
def test_the_environment_of_the_project_is_used(project: Path, runtime: str) -> None:
    venv.create(project / "my-env", with_pip=False, symlinks=True)
    done = run(project, runtime)
    assert done.stdout == f"{project}/my-env|True|--pwd|{project}/stacks|--x|1|.\n", done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("virtualenv: gone", "runtime.options.virtualenv = 'gone': has no bin/python; make it: python3 -m venv"),
        ("toolchain: uv", "runtime.options.toolchain = 'uv': is not known to the Python host that was built here"),
        ("toolchain: poetry", "write `virtualenv: .venv` instead, or install Pulumi itself"),
        ("typechecker: mypy", "runtime.options.typechecker = 'mypy': is not known"),
    ],
)
def test_what_the_host_cannot_do_is_refused(project: Path, options: str, said: str) -> None:
    done = run(project, f"runtime: {{name: python, options: {{{options}}}}}")
    assert done.returncode == 32
    assert f"{project}/Pulumi.yaml: " in done.stderr
    assert said in done.stderr
    assert done.stdout == ""
