"""One engine run, measured: wall clock, CPU, peak memory and the size of the state it leaves."""

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Run:
    """What one `pulumi` command took."""

    wall_s: float
    """Seconds from start to exit."""
    cpu_s: float
    """Seconds of CPU (user and system) of the engine and all its plugins."""
    peak_mb: float
    """Largest sum of resident memory of the engine and all its plugins at one moment, in MiB; pages that processes
    share count in each. Sampled every 50 ms."""
    state_kb: float
    """Size of the state file afterwards, in KiB; 0 after a preview."""
    resources: int
    """Resources in the state, without the stack itself; 0 after a preview."""


@dataclass(frozen=True)
class Taken:
    """What a command and all its children took, and how it ended."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    code: int


def timed(command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path) -> Taken:
    """Run a command to its end in `folder`, what it says in `log`."""
    with log.open("w") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        peak = Peak(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    return Taken(wall, usage.ru_utime + usage.ru_stime, peak.stop(), process.returncode)


class Project:
    """A program in a folder with a file backend of its own."""

    def __init__(self, folder: Path, module: str, shops: int) -> None:
        self.folder, self.module, self.shops = folder, module, shops
        folder.mkdir(parents=True)
        (folder / "state").mkdir()
        (folder / "Pulumi.yaml").write_text("name: bench\nruntime: python\n")
        (folder / "__main__.py").write_text(f"from {module} import program\n\nprogram()\n")
        self._pulumi("stack", "init", "bench")

    def preview(self) -> Run:
        return self._measured("preview")

    def up(self, *, checkpoints: bool = True) -> Run:
        """From an empty state. Without `checkpoints` the state is written once, at the end."""
        shutil.rmtree(self.folder / "state")
        (self.folder / "state").mkdir()
        shutil.rmtree(self.folder / "rendered", ignore_errors=True)
        self._pulumi("stack", "init", "bench")
        return self._measured("up", "--yes", "--skip-preview", PULUMI_SKIP_CHECKPOINTS="" if checkpoints else "true")

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        own = {
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "bench",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PYTHONPATH": f"{ROOT / 'components'}:{ROOT}",
            "PYTHONPYCACHEPREFIX": str(self.folder.parent / "bytecode"),
            "RENDER": str(self.folder / "rendered"),
            "SHOPS": str(self.shops),
        }
        # Nobody compiles the SDK anew in every run; the first run of a program, which does, is not measured.
        # The Kubernetes provider of the hand-written program takes KUBECONFIG as its own, and then refuses to render.
        left_out = ("PULUMI_SKIP_CHECKPOINTS", "PYTHONDONTWRITEBYTECODE", "KUBECONFIG")
        kept = {key: value for key, value in os.environ.items() if key not in left_out}
        return {**kept, **own, **{key: value for key, value in more.items() if value}}

    def _pulumi(self, *arguments: str) -> None:
        command = ["pulumi", "--non-interactive", *arguments]
        subprocess.run(command, cwd=self.folder, env=self._environment({}), check=True, capture_output=True)

    def _measured(self, *arguments: str, **more: str) -> Run:
        command = ["pulumi", "--non-interactive", "--color=never", *arguments, "--stack=bench"]
        log = self.folder / "log"
        taken = timed(command, self.folder, self._environment(more), log)
        if taken.code != 0:
            raise SystemExit(f"{' '.join(command)} in {self.module} failed:\n{log.read_text()[-3000:]}")
        size, resources = self._state() if arguments[0] == "up" else (0.0, 0)
        return Run(taken.wall_s, taken.cpu_s, taken.peak_mb, size, resources)

    def _state(self) -> tuple[float, int]:
        (file,) = (self.folder / "state" / ".pulumi" / "stacks" / "bench").glob("*.json")
        found = json.loads(file.read_text())["checkpoint"]["latest"]["resources"]
        return file.stat().st_size / 1024, len(found) - 1


class Peak(threading.Thread):
    """Watches the resident memory of a session of processes."""

    def __init__(self, session: int) -> None:
        super().__init__(daemon=True)
        self._session, self._most, self._end = session, 0, threading.Event()
        self.start()

    def run(self) -> None:
        while not self._end.wait(0.05):
            self._most = max(self._most, sum(_resident(one) for one in Path("/proc").iterdir() if self._ours(one.name)))

    def _ours(self, pid: str) -> bool:
        try:
            return pid.isdigit() and os.getsid(int(pid)) == self._session
        except OSError:
            return False

    def stop(self) -> float:
        self._end.set()
        self.join()
        return self._most / 2**20


def _resident(process: Path) -> int:
    try:
        return int((process / "statm").read_text().split()[1]) * PAGE
    except OSError:
        return 0
