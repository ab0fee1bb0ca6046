"""The part of a Sentinel's liveness check that notices a loop that turns without end, on real processes."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import until
from tierstack.redis_cluster.topology import SPINNING_PERCENT, spinning

pytestmark = [pytest.mark.pure, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]


def check(tmp_path: Path, pid: int, percent: int = SPINNING_PERCENT) -> bool:
    script = spinning(percent, str(pid)).replace("/tmp/used", str(tmp_path / "used"))
    return subprocess.run(["/bin/sh", "-euc", script], check=False).returncode == 0


def used_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return int(fields[11]) + int(fields[12])


def test_a_process_that_waits_is_alive(tmp_path: Path) -> None:
    process = subprocess.Popen(["sleep", "60"])
    try:
        assert check(tmp_path, process.pid)  # the first check has nothing to compare with
        assert check(tmp_path, process.pid)
    finally:
        process.kill()
        process.wait()


def test_a_process_that_spins_is_not(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    few = 1  # percent: on a busy machine it gets little of a core, and one that waits gets nothing
    try:
        before = used_ticks(process.pid)
        assert check(tmp_path, process.pid, few)
        until("half a second of CPU", lambda: used_ticks(process.pid) > before + 50)
        assert not check(tmp_path, process.pid, few)
    finally:
        process.kill()
        process.wait()
