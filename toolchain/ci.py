"""Continuous integration: everything that this machine can prove, in a time that is known before.

`make test` and the documentation's site, then the short forms of the suites on a real Docker daemon and a real
Kubernetes cluster, then the test files of the full forms that the change touched, those of the engine first. A level
that this machine could run and did not is a failure; what it cannot run, and what the time is too short for, stands in
the last lines with its reason. See docs/toolchain.md.
"""

import contextlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from toolchain import find, place, proofs, system
from toolchain.pins import Pins
from toolchain.pins import load as load_pins

PASSED, FAILED, NOT_RUN = "passed", "FAILED", "not run"
CLOSING = re.compile(r"^=* ?((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s(?: \([\d:]+\))? ?=*$")
UNGREEN = re.compile(r"^(?:FAILED|ERROR) (?:tests/\S+|collecting .*)(?: - .*)?$")
"""A line of pytest's short summary: which test, and the first line of what was wrong."""
TOLD = 20
"""Such lines in the summary at most: what prints this run may keep its end alone."""
MAKE_ITSELF = re.compile(r"^make(?:\[\d+\])?: ")
"""What make says of a recipe that failed: its number, and never why."""
CAPABILITIES = {"SYS_ADMIN": 21, "NET_ADMIN": 12}
"""What root needs to start containers: linux/capability.h."""
POLITE_SECONDS = 60
"""What a step that took too long has to clean up."""
END_SECONDS = 10
"""What it has to end after each of the two signals that follow."""


class CannotError(Exception):
    """This machine is not able to run a level; the message says why."""


class BrokenError(Exception):
    """This machine should be able to run a level, and something failed."""


@dataclass(frozen=True)
class Result:
    """How one step ended."""

    name: str
    outcome: str
    detail: str
    seconds: float = 0.0
    lines: tuple[str, ...] = ()
    """The tests that were not green, each with what was wrong; or the last output of a step that ran no test."""

    def __str__(self) -> str:
        took = f" ({self.seconds / 60:.0f} min)" if self.seconds >= 60 else ""
        more = [f"and {len(self.lines) - TOLD} more"] if len(self.lines) > TOLD else []
        lines = [f"{self.outcome:<8} {self.name}{took}: {self.detail}", *self.lines[:TOLD], *more]
        return "\n         ".join(lines)


def _lines(text: str) -> list[str]:
    """The lines of a program's output, without colours."""
    return [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in text.splitlines()]


def closing_line(text: str) -> str:
    """The last line in which pytest says how many tests passed, or ""."""
    return next((line for line in reversed(_lines(text)) if CLOSING.match(line)), "")


def ungreen(text: str) -> tuple[str, ...]:
    """The tests that pytest says failed, each with its reason, shortened."""
    return tuple(dict.fromkeys(line[:300] for line in _lines(text) if UNGREEN.match(line)))


def last_words(text: str) -> tuple[str, ...]:
    """The end of a program's output, shortened, without what make says of itself."""
    lines = [line[:300] for line in _lines(text) if line and not MAKE_ITSELF.match(line)]
    return tuple(lines[-TOLD:])


def counts(line: str) -> Counter[str]:
    """`5 passed, 1 skipped in 2.10s` as numbers by word."""
    match = CLOSING.match(line)
    words = (part.split() for part in match.group(1).split(", ")) if match else ()
    return Counter({word.removesuffix("s"): int(number) for number, word in words})


def summary(results: list[Result], seconds: float) -> str:
    """What passed, what failed, then what was not run and why. The last line has the form of pytest's own."""
    order = (PASSED, FAILED, NOT_RUN)
    ordered = sorted(results, key=lambda one: order.index(one.outcome))
    total = sum((counts(one.detail) for one in results), Counter[str]())
    failed = sum(one.outcome == FAILED for one in results)
    if failed and not total["failed"] + total["error"]:
        total["error"] = failed  # a step that ended without pytest's words
    words = ("failed", "passed", "skipped", "deselected", "xfailed", "error")
    said = ", ".join(f"{total[word]} {word}" for word in words if total[word]) or "no tests ran"
    minutes = f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02}:{int(seconds) % 60:02}"
    lines = [f"=== summary: {'FAILED' if failed else 'passed'} in {seconds / 60:.0f} min", *map(str, ordered)]
    return "\n".join([*lines, f"===== {said} in {seconds:.2f}s ({minutes}) ====="])


def capabilities() -> set[str]:
    """Which of CAPABILITIES this process has."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return set()
    match = re.search(r"^CapEff:\s*([0-9a-f]+)", status, re.MULTILINE)
    mask = int(match.group(1), 16) if match else 0
    return {name for name, bit in CAPABILITIES.items() if mask >> bit & 1}


def need_containers() -> None:
    """Raises CannotError where this process may not start containers."""
    if platform.system() != "Linux":
        raise CannotError("only Linux runs containers without help")
    if os.geteuid() != 0:
        raise CannotError("only root may start a daemon, and this is not root")
    if lacking := set(CAPABILITIES) - capabilities():
        named = ", ".join(f"CAP_{name}" for name in sorted(lacking))
        raise CannotError(f"root without {named} cannot start containers")


class Run:
    """One run: its clock, its results, and what it has to stop at the end."""

    def __init__(self, root: Path, plan: proofs.Plan, pins: Pins, work: Path) -> None:
        self.root, self.plan, self.pins, self.work = root, plan, pins, work
        self.started = time.monotonic()
        self.results: list[Result] = []
        self.environment = {**os.environ, "CI": "true"}
        self.daemon: subprocess.Popen[bytes] | None = None
        self.cluster = False

    def seconds(self) -> float:
        return time.monotonic() - self.started

    def left(self) -> float:
        """Minutes until the run has to be over."""
        return self.plan.minutes["total"] - self.seconds() / 60

    def add(self, name: str, outcome: str, detail: str, seconds: float = 0.0, lines: tuple[str, ...] = ()) -> None:
        self.results.append(Result(name, outcome, detail, seconds, lines))

    def command(self, *command: str, minutes: float) -> tuple[int | None, str]:
        """Exit code (None: out of time) and output of a command; its output is passed on as it comes.

        Through a file, because what it leaves running, such as a cluster, may keep its output open.
        """
        log = self.work / "log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, cwd=self.root, env=self.environment, stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        try:
            follower = threading.Thread(target=_follow, args=(log, process), daemon=True)
            follower.start()
            try:
                code: int | None = process.wait(max(1.0, 60 * minutes))
            except subprocess.TimeoutExpired:
                code = None
        finally:
            _end(process)
        follower.join(10)
        return code, log.read_text(errors="replace")

    def step(self, name: str, *command: str, minutes: float, tests: bool = True) -> bool:
        """Run a command, with pytest in it unless `tests` is false, and keep its result. True when it passed."""
        print(f"\n=== {name}: {' '.join(command)}", flush=True)
        began, allowed = time.monotonic(), min(minutes, self.left())
        code, said = self.command(*command, minutes=allowed)
        line, end = closing_line(said), last_words(said)
        if code is None:
            detail = f"not finished after {allowed:.0f} min" + (f"; {line}" if line else "")
        elif line:
            detail = line
        else:  # it never came to tests
            detail = end[-1] if end else f"exit code {code}"
        good = code == 0 and (not tests or counts(line)["passed"] > 0)
        why = () if good else ungreen(said) or ((end if code is None else end[:-1]) if not line else ())
        self.add(name, PASSED if good else FAILED, detail, time.monotonic() - began, why)
        return good

    def set_up(self, *groups: str, minutes: float) -> str:
        """Set groups up. Returns "", or why it failed ("time" when it took longer than it may)."""
        print(f"\n=== set-up: {' '.join(groups)}", flush=True)
        code, said = self.command(sys.executable, "toolchain/setup.py", *groups, minutes=min(minutes, self.left()))
        if code is None:
            return "time"
        return "" if code == 0 else " ".join(said.strip().splitlines()[-3:]) or f"exit code {code}"

    def attempt(self, name: str, prepare: Callable[[], None]) -> bool:
        """Whether a level can run; why not is kept as a result."""
        try:
            prepare()
        except CannotError as reason:
            self.add(name, NOT_RUN, str(reason))
        except BrokenError as reason:
            self.add(name, FAILED, str(reason))
        else:
            return True
        return False

    def name_servers(self) -> None:
        """BIND, Knot and PowerDNS, or a reason why they cannot be had."""
        if not system.missing({"dns"}):
            return
        if not system.may_install():
            absent = ", ".join(need.name for need in system.missing({"dns"}))
            raise CannotError(f"{absent} not installed, and only root on Debian or Ubuntu gets them installed")
        if said := self.set_up("dns", minutes=10):
            raise BrokenError(said)

    def docker(self) -> None:
        """A daemon that answers, started here where that is possible."""
        if not self.answers():
            if where := os.environ.get("DOCKER_HOST"):
                raise BrokenError(f"no daemon answers at DOCKER_HOST={where}")
            need_containers()
            if not system.docker() and not system.may_install():
                raise CannotError("no Docker daemon is installed, and there is no apt-get that could install it")
        if system.missing({"docker"}) and system.may_install() and (said := self.set_up("docker", minutes=10)):
            raise BrokenError(said)
        if not self.answers():  # the package may have started its service
            self.start_daemon()

    def answers(self) -> bool:
        return bool(system.docker_version(self.environment))

    def start_daemon(self) -> None:
        """A dockerd of this run, with the data of the usual one, else with data of its own."""
        for name, more in (("usual", []), ("own", ["--data-root", str(self.work / "docker")])):
            folder = self.work / name
            folder.mkdir()
            self.environment["DOCKER_HOST"] = f"unix://{folder}/docker.sock"
            where = ["--host", self.environment["DOCKER_HOST"], "--pidfile", f"{folder}/pid"]
            with (self.work / "dockerd.log").open("wb") as out:
                self.daemon = subprocess.Popen(
                    ["dockerd", *where, "--exec-root", f"{folder}/exec", *more],
                    env={**os.environ, "PATH": f"{os.environ['PATH']}:{system.SBIN}"},
                    stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
                )  # fmt: skip
            until = time.monotonic() + 60
            while time.monotonic() < until and self.daemon.poll() is None:
                if self.answers():
                    return
                time.sleep(0.5)
            self.stop_daemon()
        said = (self.work / "dockerd.log").read_text(errors="replace").strip().splitlines()
        raise BrokenError(f"dockerd did not start: {said[-1] if said else 'it said nothing'}")

    def stop_daemon(self) -> None:
        if self.daemon:
            _end(self.daemon)
            self.daemon = None
            del self.environment["DOCKER_HOST"]

    def cluster_programs(self) -> None:
        """What the nodes run: built where the time is enough for it and for the tests."""
        need_containers()
        short = self.plan.minutes["short"]
        absent = [tool for tool in self.pins.group("cluster", "images") if find.find(tool, self.pins) is None]
        estimate = sum(tool.minutes for tool in absent) * min(1.0, 2 / (os.cpu_count() or 1))
        if estimate + short > self.left():
            raise CannotError(
                f"{len(absent)} programs take about {estimate:.0f} min to build and the tests {short:.0f}, "
                f"{self.left():.0f} min are left; build them once: python3 toolchain/setup.py cluster images"
            )
        said = self.set_up("cluster", "images", minutes=self.left() - short)
        if said == "time":
            raise CannotError("its programs were not all built in the time; those that were are kept for the next run")
        if said:
            raise BrokenError(said)

    def short_form(self, suite: str) -> bool:
        name, short = f"{suite}, short form", self.plan.minutes["short"]
        if self.left() < short:
            self.add(name, NOT_RUN, f"{self.left():.0f} min are left, it takes up to {short:.0f}")
            return False
        files = " ".join(self.plan.suites[suite].short)
        return self.step(name, "make", f"test-{suite}", f"ARGS={files}", minutes=2 * short)

    def may_begin(self, name: str, expected: float, until: float) -> bool:
        """Whether a step that takes so many minutes is over by a minute of the run; where not, that is said."""
        if self.seconds() / 60 + expected <= until:
            return True
        self.add(name, NOT_RUN, f"takes about {expected:.0f} min, and none of these goes on after minute {until}")
        return False

    def coverage(self) -> None:
        """How much of the package the tests reach: apart from `make test`, because it doubles their time."""
        minutes = self.plan.minutes
        if self.may_begin("make coverage", minutes["coverage"], minutes["coverage_until"]):
            self.step("make coverage", "make", "coverage", minutes=2 * minutes["coverage"])

    def full_form(self, suites: list[str]) -> None:
        """The files of the full forms that the change touched, until the time is up."""
        record = place.cache() / "ci" / "passed.json"
        passes = proofs.read_passes(record)
        of = {file: self.plan.suites[suite] for suite in suites for file in self.plan.suites[suite].full}
        for file in sorted(proofs.changed(self.root, of, passes), key=lambda one: proofs.SUITES.index(of[one].name)):
            expected = passes[file].minutes if file in passes else self.plan.minutes["unknown"]
            if not self.may_begin(file, expected, of[file].full_until):
                continue
            key, began = proofs.key(self.root, file), time.monotonic()
            if self.step(file, "make", f"test-{of[file].name}", f"ARGS={file}", minutes=max(20, 3 * expected)):
                taken = (time.monotonic() - began) / 60
                passes[file] = proofs.Pass(key, round(taken, 1), datetime.now(UTC).isoformat(timespec="seconds"))
                proofs.write_passes(record, passes)

    def everything(self) -> None:
        if (place.cache() / "cluster").exists():
            # One that was left behind takes the time of every proof, and may be half alive, such as after a restart.
            self.command("make", "cluster-down", minutes=5)
        if self.attempt("name servers", self.name_servers):
            print("name servers: BIND, Knot, PowerDNS", flush=True)
        tested = self.step("make test", "make", "test", minutes=50)
        self.step("make docs", "make", "docs", minutes=5, tests=False)
        suites = ["engine"] if tested else []
        has_docker = self.attempt("docker", self.docker)
        if has_docker and self.short_form("docker"):
            suites.append("docker")
        if not has_docker:
            self.add("cluster", NOT_RUN, "its images need Docker")
        elif self.attempt("cluster", self.cluster_programs):
            self.cluster = True
            if self.short_form("cluster"):
                suites.append("cluster")
        for suite in proofs.SUITES:
            if suite not in suites:
                self.add(f"{suite}, full form", NOT_RUN, "its short form did not pass here")
        if tested:
            self.coverage()
        self.full_form(suites)

    def clean_up(self) -> None:
        if self.cluster:
            self.command("make", "cluster-down", minutes=5)
        self.stop_daemon()


def _follow(log: Path, process: "subprocess.Popen[bytes]") -> None:
    """Pass on what is written to `log` until the process is gone."""
    with log.open("rb") as file:
        while True:
            gone = process.poll() is not None
            if data := file.read():
                sys.stdout.buffer.write(data)
                sys.stdout.flush()
            elif gone:
                return
            else:
                time.sleep(0.2)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Stop a process and what it started in its own session, politely first: as by Ctrl-C, after which pytest says what
    failed until then and cleans up, then as by `kill`."""
    if process.poll() is not None:
        return
    for number, patience in (
        (signal.SIGINT, POLITE_SECONDS),
        (signal.SIGTERM, END_SECONDS),
        (signal.SIGKILL, END_SECONDS),
    ):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        end = time.monotonic() + patience
        while _is_alive(process) and time.monotonic() < end:  # the others may outlive the one that started them
            time.sleep(0.05)


def _is_alive(leader: "subprocess.Popen[bytes]") -> bool:
    """Whether a process of this group runs: proc_pid_stat(5), in which Z is one that nobody has waited for yet."""
    leader.poll()
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, group = file.read_text().rpartition(")")[2].split()[:3]
            if group == str(leader.pid) and state != "Z":
                return True
    return False


def versions() -> None:
    print(f"=== machine: {platform.platform()}, {os.cpu_count()} processors, Python {platform.python_version()}")
    for command in (["git", "log", "-1", "--format=commit %h %s"], ["go", "version"], ["docker", "--version"]):
        if shutil.which(command[0]):
            subprocess.run(command, cwd=place.ROOT, stdin=subprocess.DEVNULL, check=False)
        else:
            print(f"{command[0]}: none")
    sys.stdout.flush()


def main() -> int:
    """Exit code 0: everything that could be proven passed."""
    versions()
    # SIGINT too: a shell's background job ignores it, and so would every step.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="tierstack-ci-", ignore_cleanup_errors=True) as work:
        run = Run(place.ROOT, proofs.load(place.ROOT), load_pins(), Path(work))
        try:
            run.everything()
        except KeyboardInterrupt:
            run.add("this run", FAILED, "interrupted")
        except Exception as error:
            traceback.print_exc()
            run.add("this run", FAILED, f"{type(error).__name__}: {error}")
        finally:
            run.clean_up()
    print(f"\n{summary(run.results, run.seconds())}", flush=True)
    return 1 if any(one.outcome == FAILED for one in run.results) else 0


if __name__ == "__main__":
    sys.exit(main())
