"""Levels of proof, what a required level means, and a clean environment for every test.

A test's level is its marker (`@pytest.mark.graph`), else the folder it is in (`tests/engine/`), else `pure`; with name
servers of the operating system (`@pytest.mark.needs("named")`) it is `servers` instead of one of the first three.
With TIERSTACK_REQUIRE=pure,engine a skipped test of those levels fails, and so does a level without any test.
Where a program of `needs` is not installed, the test is deselected and the last lines of the run say so; it fails
instead where TIERSTACK_REQUIRE also names `programs`.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from toolchain import npm_packages

# Property tests without a clock: a loaded machine is no failure.
settings.register_profile("tierstack", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tierstack")

ROOT = Path(__file__).resolve().parent.parent
LEVELS = ("pure", "graph", "engine", "servers", "docker", "cluster")
PROGRAMS = "programs"
"""In TIERSTACK_REQUIRE: no test may be left out because a program is not installed."""

ran: Counter[str] = Counter()
left_out: dict[str, int] = {}
"""Tests that this run leaves out, by the programs that are not installed."""


LEVEL = pytest.StashKey[str]()


def required() -> set[str]:
    named = {name.strip() for name in os.environ.get("TIERSTACK_REQUIRE", "").split(",") if name.strip()}
    if unknown := named - {*LEVELS, PROGRAMS}:
        raise pytest.UsageError(f"TIERSTACK_REQUIRE: {', '.join(unknown)}: use {', '.join([*LEVELS, PROGRAMS])}")
    return named


def required_levels() -> set[str]:
    return required() - {PROGRAMS}


def level_of_path(path: Path) -> str:
    return next((part for part in path.relative_to(ROOT / "tests").parts if part in LEVELS), "pure")


def pytest_configure(config: pytest.Config) -> None:
    """The environment of the set-up, but no way to reach anybody's real state by accident."""
    required()
    # A shell's background job ignores both, and so would every command that a test interrupts.
    for number, how in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, how)
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
        marked = next((level for level in LEVELS if item.get_closest_marker(level)), None)
        level = marked or level_of_path(item.path)
        if item.get_closest_marker("needs") and level in ("pure", "graph", "engine"):
            level = "servers"
            item.own_markers = [mark for mark in item.own_markers if mark.name not in LEVELS]
        item.stash[LEVEL] = level
        if level != marked:
            item.add_marker(level)
    # What takes long begins first, so that two processes (`-n 2 --dist worksteal`) end together: the short ones fill up.
    items.sort(key=lambda item: LEVELS.index(item.stash[LEVEL]), reverse=True)


@pytest.hookimpl(specname="pytest_collection_modifyitems", trylast=True)
def pytest_leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """After -m and -k have selected: only what would have run is left out, and counted."""
    has_to = PROGRAMS in required()
    absent = {item: ", ".join([*([] if has_to else lacking(item)), *unreachable(item)]) for item in items}
    if deselected := [item for item in items if absent[item]]:
        items[:] = [item for item in items if not absent[item]]
        config.hook.pytest_deselected(items=deselected)
        left_out.update(Counter(absent[item] for item in deselected))
        if hasattr(config, "workeroutput"):
            config.workeroutput["left_out"] = dict(left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    left_out.update(getattr(node, "workeroutput", {}).get("left_out", {}))


def lacking(item: pytest.Item) -> list[str]:
    """The system programs that `@pytest.mark.needs(…)` names and this machine lacks. Only root may install them."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    named = [str(program) for mark in item.iter_markers("needs") for program in mark.args]
    return sorted({program for program in named if shutil.which(program, path=path) is None})


def unreachable(item: pytest.Item) -> list[str]:
    """What `@pytest.mark.node` asks for and npm's registry, which the set-up asked, did not give."""
    return ["Node.js packages"] if item.get_closest_marker("node") and not npm_packages.folder().is_dir() else []


def pytest_runtest_setup(item: pytest.Item) -> None:
    if absent := lacking(item):
        pytest.fail(
            f"{', '.join(absent)}: not installed, but required here; get it with: python3 toolchain/setup.py test dns"
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    level = item.stash[LEVEL]
    report.user_properties.append(("level", level))  # its keywords hold ids of parameters too, such as `docker`
    if report.skipped and not hasattr(report, "wasxfail") and level in required_levels():
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
    for programs, count in sorted(left_out.items()):
        how = f"python3 toolchain/setup.py test{'' if programs == 'Node.js packages' else ' dns'}"
        terminalreporter.write_line(f"Not run: {count} tests that need {programs} (not installed; install with: {how})")


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
