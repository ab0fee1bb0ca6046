"""Levels of proof, what a required level means, and a clean environment for every test.

A test's level is its marker (`@pytest.mark.graph`), else the folder it is in (`tests/engine/`), else `pure`.
With TIERSTACK_REQUIRE=pure,engine a skipped test of those levels fails, and so does a level without any test.
"""

import os
import shutil
import socket
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Property tests without a clock: a loaded machine is no failure.
settings.register_profile("tierstack", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tierstack")

ROOT = Path(__file__).resolve().parent.parent
LEVELS = ("pure", "graph", "engine", "docker", "cluster")

ran: Counter[str] = Counter()


def required_levels() -> set[str]:
    named = {name.strip() for name in os.environ.get("TIERSTACK_REQUIRE", "").split(",") if name.strip()}
    if unknown := named - set(LEVELS):
        raise pytest.UsageError(f"TIERSTACK_REQUIRE: {', '.join(unknown)}: use {', '.join(LEVELS)}")
    return named


def level_of_path(path: Path) -> str:
    return next((part for part in path.relative_to(ROOT / "tests").parts if part in LEVELS), "pure")


def pytest_configure(config: pytest.Config) -> None:
    """The environment of the set-up, but no way to reach anybody's real state by accident."""
    required_levels()
    script = ROOT / ".state" / "env.sh"
    if script.exists():
        shell = ["/bin/sh", "-c", '. "$0" && env -0', str(script)]
        entries = subprocess.run(shell, capture_output=True, text=True, check=True).stdout.split("\0")
        os.environ.update(entry.split("=", 1) for entry in entries if "=" in entry)
    for name in ("PULUMI_ACCESS_TOKEN", "PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_STACK"):
        os.environ.pop(name, None)
    os.environ["PULUMI_BACKEND_URL"] = f"file://{ROOT}/tests/a-test-sets-its-own-backend"
    os.environ["PULUMI_CONFIG_PASSPHRASE"] = "tests"
    os.environ["PULUMI_SKIP_UPDATE_CHECK"] = "true"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not any(item.get_closest_marker(level) for level in LEVELS):
            item.add_marker(level_of_path(item.path))


def lacking(item: pytest.Item) -> list[str]:
    """The system programs that `@pytest.mark.needs(…)` names and this machine lacks: not everyone may install them,
    so these tests may be skipped where their level is required."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    named = [str(program) for mark in item.iter_markers("needs") for program in mark.args]
    return [program for program in named if shutil.which(program, path=path) is None]


def pytest_runtest_setup(item: pytest.Item) -> None:
    if absent := lacking(item):
        pytest.skip(f"{', '.join(absent)}: not installed; `make doctor` says how")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    level = next((name for name in LEVELS if item.get_closest_marker(name)), "pure")
    report.user_properties.append(("level", level))  # its keywords hold ids of parameters too, such as `docker`
    if report.skipped and not hasattr(report, "wasxfail") and level in required_levels() and not lacking(item):
        report.outcome = "failed"
        report.longrepr = f"skipped, but level {level} is required here: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    report = yield
    if report.skipped and level_of_path(collector.path) in required_levels():
        report.outcome = "failed"
        report.longrepr = f"skipped, but its level is required here: {report.longrepr}"
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call":
        ran.update(value for name, value in report.user_properties if name == "level")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A required level that did not run is a failure (only the process that collects results can tell)."""
    if hasattr(session.config, "workerinput") or session.config.option.collectonly:
        return
    if session.exitstatus == 0 and any(not ran[level] for level in required_levels()):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts = ", ".join(f"{level} {ran[level]}" for level in LEVELS if ran[level])
    terminalreporter.write_line(f"Tests run by level: {counts or 'none'}")
    for level in sorted(required_levels()):
        if not ran[level]:
            terminalreporter.write_line(f"ERROR: level {level} is required here and no test of it ran", red=True)


@pytest.fixture(autouse=True)
def no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pure and graph tests may speak to this machine only."""
    if any(request.node.get_closest_marker(level) for level in ("engine", "docker", "cluster")):
        return
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        host = str(address[0]) if isinstance(address, tuple) else ""
        if self.family != socket.AF_UNIX and host not in ("127.0.0.1", "::1", "localhost"):
            raise RuntimeError(f"a test of this level tried to reach {address}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def pulumi_backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty file backend of the test's own, named by PULUMI_BACKEND_URL."""
    with tempfile.TemporaryDirectory(prefix="tierstack-state-") as folder:
        monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{folder}")
        yield Path(folder)
