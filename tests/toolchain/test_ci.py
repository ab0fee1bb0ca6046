"""Continuous integration tells what passed, what failed, and what it did not run."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from toolchain import ci, proofs, system
from toolchain.build import SetupError
from toolchain.ci import FAILED, NOT_RUN, PASSED, BrokenError, CannotError, Result
from toolchain.pins import Pins

Program = Callable[..., Path]
MINUTES = {"total": 80, "short": 15, "unknown": 5, "coverage": 15, "coverage_until": 60}
NEED = system.Need("docker", "docker.io", ("docker", "cluster"), system.docker, "reason")


@pytest.fixture
def run(home: Path, few: Pins, monkeypatch: pytest.MonkeyPatch) -> ci.Run:
    """A run on an empty machine of Debian where root may do everything."""
    monkeypatch.setattr(system, "NEEDS", (NEED,))
    monkeypatch.setattr(system, "SBIN", "")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(ci, "capabilities", lambda: {"SYS_ADMIN", "NET_ADMIN"})
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("CI", raising=False)
    suites = {name: proofs.Suite(name, (f"tests/{name}/test_a.py",), (), 45) for name in proofs.SUITES}
    (home / "work").mkdir()
    return ci.Run(home, proofs.Plan(MINUTES, suites), few, home / "work")


def outcomes(run: ci.Run) -> dict[str, tuple[str, str]]:
    return {one.name: (one.outcome, one.detail) for one in run.results}


def test_a_client_without_its_daemon_is_no_docker(run: ci.Run, program: Program) -> None:
    program("docker", "exit 1")
    assert not system.docker()
    assert [need.name for need in system.missing({"docker"})] == ["docker"]
    program("dockerd", "exit 0")
    assert system.docker()
    program("docker", 'case "$*" in version*) echo 28.1;; esac')
    (Path(os.environ["PATH"]) / "dockerd").unlink()
    assert system.docker()  # one elsewhere, such as Docker Desktop's


def test_a_daemon_that_could_run_and_does_not_is_a_failure(run: ci.Run, program: Program) -> None:
    program("docker", "exit 1")
    program("dockerd", "echo failed to mount overlay; exit 1")
    assert not run.attempt("docker", run.docker)
    assert outcomes(run) == {"docker": (FAILED, "dockerd did not start: failed to mount overlay")}


def test_packages_that_could_be_installed_and_were_not_are_a_failure(
    run: ci.Run, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("apt-get", "exit 100")
    monkeypatch.setattr(run, "set_up", lambda *groups, minutes: "Set-up failed: no such package")
    assert not run.attempt("docker", run.docker)
    assert outcomes(run) == {"docker": (FAILED, "Set-up failed: no such package")}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda patch: patch.setattr(os, "geteuid", lambda: 1000), "this is not root"),
        (lambda patch: patch.setattr(ci, "capabilities", set), "without CAP_NET_ADMIN, CAP_SYS_ADMIN"),
        (lambda patch: None, "no apt-get that could install it"),
    ],
)
def test_what_the_machine_cannot_run_is_said(
    run: ci.Run, monkeypatch: pytest.MonkeyPatch, change: Callable[[pytest.MonkeyPatch], None], reason: str
) -> None:
    change(monkeypatch)
    with pytest.raises(CannotError, match=reason):
        run.docker()


def test_a_daemon_that_somebody_named_has_to_answer(
    run: ci.Run, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")
    program("docker", "exit 1")
    with pytest.raises(BrokenError, match="no daemon answers at DOCKER_HOST=tcp"):
        run.docker()


def test_name_servers_are_installed_where_that_is_allowed(
    run: ci.Run, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    bind = system.Need("bind", "bind9", ("dns",), lambda: False, "reason")
    monkeypatch.setattr(system, "NEEDS", (bind,))
    with pytest.raises(CannotError, match="bind not installed, and only root on Debian or Ubuntu"):
        run.name_servers()
    program("apt-get", "exit 1")
    monkeypatch.setattr(run, "set_up", lambda *groups, minutes: "it failed")
    with pytest.raises(BrokenError, match="it failed"):
        run.name_servers()


@pytest.mark.parametrize(
    ("script", "outcome", "detail"),
    [
        ("echo '=== 3 passed, 1 deselected in 1.20s ==='", PASSED, "=== 3 passed, 1 deselected in 1.20s ==="),
        ("echo '== 1 failed, 3 passed in 70.00s (0:01:10) =='; exit 2", FAILED, "== 1 failed, 3 passed in 70.00s (0:01:10) =="),
        ("echo '== 4 passed in 1.00s =='; echo TOTAL below 90; exit 2", FAILED, "== 4 passed in 1.00s =="),
        ("echo '== 2 deselected in 0.10s =='", FAILED, "== 2 deselected in 0.10s =="),
        ("echo no rule to make it; exit 2", FAILED, "no rule to make it"),
        ("exit 0", FAILED, "exit code 0"),
        ("echo no space left; echo 'make: *** [Makefile:81: cluster] Error 1'; exit 2", FAILED, "no space left"),
    ],
)  # fmt: skip
def test_a_step_passes_when_tests_passed_and_nothing_else_failed(
    run: ci.Run, script: str, outcome: str, detail: str
) -> None:
    assert run.step("step", "/bin/sh", "-c", script, minutes=1) is (outcome == PASSED)
    assert outcomes(run) == {"step": (outcome, detail)}


@pytest.mark.parametrize(("code", "outcome"), [(0, PASSED), (1, FAILED)])
def test_a_step_without_tests_passes_by_its_exit_code(run: ci.Run, code: int, outcome: str) -> None:
    command = ("/bin/sh", "-c", f"echo index.html: 80 pages; exit {code}")
    assert run.step("docs", *command, minutes=1, tests=False) is (outcome == PASSED)
    assert outcomes(run) == {"docs": (outcome, "index.html: 80 pages")}


def test_a_step_that_takes_too_long_is_ended_with_what_it_started(run: ci.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ci, "POLITE_SECONDS", 0.2)
    script = "echo '== 2 passed in 1.00s =='; sleep 1000 & echo $! > child; wait"
    assert not run.step("step", "/bin/sh", "-c", f"PATH=/usr/bin:/bin; {script}", minutes=0)
    assert outcomes(run)["step"] == (FAILED, "not finished after 0 min; == 2 passed in 1.00s ==")
    child = (run.root / "child").read_text().strip()
    assert not running(child)


def test_a_step_that_takes_too_long_still_says_what_failed(run: ci.Run) -> None:
    """As pytest does after Ctrl-C."""
    said = "FAILED tests/test_a.py::test_a - wrong"
    script = f"trap 'echo {said}; kill $!; exit 2' INT; PATH=/usr/bin:/bin; sleep 1000 & wait"
    assert not run.step("step", "/bin/sh", "-c", script, minutes=0)
    (found,) = run.results
    assert found.lines == (said,)


def test_what_is_deaf_to_a_polite_end_is_ended_too(run: ci.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ci, "POLITE_SECONDS", 0.2)
    monkeypatch.setattr(ci, "END_SECONDS", 0.2)
    child = "(trap '' TERM; echo $$ > child; while :; do sleep 1000; done) & wait"
    assert not run.step("step", "/bin/bash", "-c", f"PATH=/usr/bin:/bin; {child.replace('$$', '$BASHPID')}", minutes=0)
    assert not running((run.root / "child").read_text().strip())


def running(process: str) -> bool:
    """Whether a process lives: one that nobody has waited for yet (Z) does not."""
    state = Path(f"/proc/{process}/stat")
    try:
        return state.read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_program_left_running_does_not_hold_a_step_up(run: ci.Run) -> None:
    script = "PATH=/usr/bin:/bin; setsid sleep 1000 & echo $! > child; echo '== 1 passed in 1.00s =='"
    try:
        assert run.step("step", "/bin/sh", "-c", script, minutes=5)
    finally:
        with suppress(ProcessLookupError):
            os.kill(int((run.root / "child").read_text()), signal.SIGTERM)


def test_a_full_form_that_would_end_too_late_is_not_begun_and_is_said(
    run: ci.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    began: list[str] = []
    monkeypatch.setattr(proofs, "changed", lambda root, files, passes: list(files))
    monkeypatch.setattr(proofs, "key", lambda root, file: "key")
    monkeypatch.setattr(run, "step", lambda name, *command, minutes: began.append(name) or True)
    run.full_form(["docker"])
    assert began == ["tests/docker/test_a.py"]
    run.started -= 41 * 60
    run.full_form(["cluster"])
    assert began == ["tests/docker/test_a.py"]
    detail = "takes about 5 min, and none of these goes on after minute 45"
    assert outcomes(run) == {"tests/cluster/test_a.py": (NOT_RUN, detail)}


def test_coverage_is_measured_where_the_time_is_enough(run: ci.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    began: list[tuple[str, ...]] = []
    monkeypatch.setattr(run, "step", lambda name, *command, minutes: began.append(command))
    run.coverage()
    assert began == [("make", "coverage")]
    run.started -= 46 * 60
    run.coverage()
    assert began == [("make", "coverage")]
    detail = "takes about 15 min, and none of these goes on after minute 60"
    assert outcomes(run) == {"make coverage": (NOT_RUN, detail)}


def test_a_short_form_that_the_time_is_too_short_for_is_said(run: ci.Run) -> None:
    run.started -= 66 * 60
    assert not run.short_form("docker")
    assert outcomes(run) == {"docker, short form": (NOT_RUN, "14 min are left, it takes up to 15")}


def test_the_cluster_is_built_only_where_there_is_time(run: ci.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = {name: replace(tool, group="cluster") for name, tool in run.pins.tools.items()}
    run.pins = Pins({}, tools)  # 3 min to build on two processors
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    run.started -= 63 * 60
    with pytest.raises(CannotError, match="3 programs take about 3 min to build and the tests 15, 17 min are left"):
        run.cluster_programs()


def test_the_last_lines_say_what_was_not_run_and_the_very_last_is_pytest_s() -> None:
    results = [
        Result("cluster", NOT_RUN, "no time"),
        Result("make test", PASSED, "== 5 passed, 2 deselected in 1.00s ==", 61),
        Result("docker, short form", PASSED, "== 3 passed in 1.00s =="),
    ]
    assert ci.summary(results, 125.5).splitlines() == [
        "=== summary: passed in 2 min",
        "passed   make test (1 min): == 5 passed, 2 deselected in 1.00s ==",
        "passed   docker, short form: == 3 passed in 1.00s ==",
        "not run  cluster: no time",
        "===== 8 passed, 2 deselected in 125.50s (0:02:05) =====",
    ]
    failed = ci.summary([Result("docker", FAILED, "dockerd did not start"), *results], 125.5).splitlines()
    assert failed[0] == "=== summary: FAILED in 2 min"
    assert failed[-1] == "===== 8 passed, 2 deselected, 1 error in 125.50s (0:02:05) ====="


def test_the_summary_names_the_tests_that_were_not_green_and_why() -> None:
    said = (
        "\x1b[31mFAILED\x1b[0m tests/a/test_b.py::test_c - AssertionError: 1 != 2\n"
        "ERROR tests/d/test_e.py::test_f - tests.kills.Timeout: 60 s\n"
        "ERROR: a line of a program's own\n"
        "== 1 failed, 5 passed, 1 error in 2.00s =="
    )
    tests = ci.ungreen(said)
    assert tests == (
        "FAILED tests/a/test_b.py::test_c - AssertionError: 1 != 2",
        "ERROR tests/d/test_e.py::test_f - tests.kills.Timeout: 60 s",
    )
    told = str(Result("docker", FAILED, ci.closing_line(said), 61, tests)).splitlines()
    assert told == [
        "FAILED   docker (1 min): == 1 failed, 5 passed, 1 error in 2.00s ==",
        *(f"         {t}" for t in tests),
    ]
    many = str(Result("docker", FAILED, "x", lines=tuple(f"FAILED tests/{n}" for n in range(25)))).splitlines()
    assert len(many) == 22
    assert many[-1].strip() == "and 5 more"


def test_the_summary_has_the_last_output_of_a_step_that_ran_no_test(run: ci.Run) -> None:
    script = "echo 3 nodes; echo; echo 'nodes: not ready after 120 s; the end of its log:'; echo no memory; exit 1"
    run.step("cluster", "/bin/sh", "-c", f"{script} >&2", minutes=1)
    assert str(run.results[0]).splitlines() == [
        "FAILED   cluster: no memory",
        "         3 nodes",
        "         nodes: not ready after 120 s; the end of its log:",
    ]


def test_a_failed_set_up_of_system_packages_names_the_reason(run: ci.Run, program: Program) -> None:
    program("apt-get", "echo unable to locate >&2; exit 100")
    with pytest.raises(SetupError, match="unable to locate"):
        system.ensure({"docker"})
