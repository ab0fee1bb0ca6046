"""tests/conftest.py: a level that is required here cannot be skipped silently."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LEVELS = ("pure", "graph", "engine", "servers", "docker", "cluster")
CONFTEST = Path(__file__).resolve().parents[1] / "conftest.py"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with this conftest and one test of each kind."""
    (tmp_path / "tests" / "engine").mkdir(parents=True)
    shutil.copy(CONFTEST, tmp_path / "tests" / "conftest.py")
    markers = "".join(f'"{name}: x",' for name in (*LEVELS, "needs"))
    (tmp_path / "pyproject.toml").write_text(f"[tool.pytest.ini_options]\nmarkers = [{markers}]\n")
    (tmp_path / "tests" / "test_plain.py").write_text("def test_plain(): pass\n")
    (tmp_path / "tests" / "engine" / "test_up.py").write_text(
        "import pytest\ndef test_up(): pytest.skip('no engine here')\n"
    )
    return tmp_path


def run(project: Path, required: str, *args: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args, "tests"],
        cwd=project, env={"PATH": "/usr/bin:/bin", "TIERSTACK_REQUIRE": required},
        capture_output=True, text=True,
    )  # fmt: skip
    return done.returncode, re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_skip_fails_only_where_its_level_is_required(project: Path, workers: tuple[str, ...]) -> None:
    code, out = run(project, "pure", *workers)
    assert code == 0, out
    assert "1 passed, 1 skipped" in out
    code, out = run(project, "pure,engine", *workers)
    assert code == 1, out
    assert "level engine is required here" in out
    assert "no engine here" in out


@pytest.fixture
def servers(project: Path) -> Path:
    """The project with a test whose program is there, and one whose program is not."""
    (project / "tests" / "engine" / "test_up.py").write_text(
        "import pytest\n@pytest.mark.needs('sh', 'no-such-server')\ndef test_up(): pass\n"
        "@pytest.mark.needs('sh')\n@pytest.mark.engine\ndef test_other(): pass\n"
    )
    return project


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_program_that_is_absent_leaves_its_tests_out_and_says_so(servers: Path, workers: tuple[str, ...]) -> None:
    code, out = run(servers, "pure,servers", *workers)
    assert code == 0, out
    assert "2 passed" in out
    assert "skipped" not in out
    assert "Tests run by level: pure 1, servers 1" in out
    assert "Not run: 1 tests that need no-such-server (not installed" in out


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_program_that_is_absent_fails_where_programs_are_required(servers: Path, workers: tuple[str, ...]) -> None:
    code, out = run(servers, "pure,servers,programs", *workers)
    assert code == 1, out
    assert "no-such-server: not installed, but required here" in out
    assert "Not run" not in out


def test_only_what_was_selected_is_said_to_be_left_out(servers: Path) -> None:
    code, out = run(servers, "pure", "-m", "pure")
    assert code == 0, out
    assert "Not run" not in out
    code, out = run(servers, "", "-m", "engine or pure")
    assert "1 passed" in out  # a test with a server of the system is no test of level engine


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_required_level_without_tests_fails(project: Path, workers: tuple[str, ...]) -> None:
    code, out = run(project, "pure,docker", *workers)
    assert code == 1, out
    assert "level docker is required here and no test of it ran" in out


def test_a_module_that_skips_itself_counts_as_skipped(project: Path) -> None:
    (project / "tests" / "engine" / "test_up.py").write_text(
        "import pytest\npytest.importorskip('module_that_is_absent')\n"
    )
    assert run(project, "pure")[0] == 0
    code, out = run(project, "engine")
    assert code != 0
    assert "its level is required here" in out


def test_an_expected_failure_is_not_a_skip(project: Path) -> None:
    (project / "tests" / "engine" / "test_up.py").write_text(
        "import pytest\n@pytest.mark.xfail\ndef test_up(): assert False\n"
    )
    code, out = run(project, "engine")
    assert code == 0, out


def test_an_unknown_level_is_refused(project: Path) -> None:
    code, out = run(project, "pure,dokcer")
    assert code != 0
    assert "TIERSTACK_REQUIRE: dokcer: use pure, graph, engine, servers, docker, cluster, programs" in out


def test_pure_tests_cannot_reach_the_network(project: Path) -> None:
    (project / "tests" / "test_plain.py").write_text(
        "import socket\ndef test_out():\n    socket.create_connection(('192.0.2.1', 80), timeout=0.1)\n"
    )
    code, out = run(project, "")
    assert code == 1
    assert "a test of this level tried to reach ('192.0.2.1', 80)" in out
