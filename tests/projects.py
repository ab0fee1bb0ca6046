"""Copies of the root project for tests: the real program and configuration, a backend and a folder of their own."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.waiting import free_port

ROOT = Path(__file__).resolve().parent.parent


def apart(config: dict[str, Any], name: str, https_port: int | None = None, http_port: int | None = None) -> None:
    """Give a configuration of the local stack a platform name and ports of its own, beside others on one daemon."""
    config["platform"]["name"] = name
    config["docker"]["gateway"] |= {"http_port": http_port or free_port(), "https_port": https_port or free_port()}


@dataclass
class Checkout:
    """The root project in a folder of its own."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> "Checkout":
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(ROOT / "stacks", folder / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
        for file in ROOT.glob("Pulumi*.yaml"):
            shutil.copy(file, folder)
        (folder / "state").mkdir()
        return cls(folder)

    def config(self, stack: str, change: Callable[[dict[str, Any]], Any], base: str | None = None) -> None:
        """Write Pulumi.<stack>.yaml: that of `base` (or its own) with `change` made to the keys without namespace."""
        file = self.folder / f"Pulumi.{base or stack}.yaml"
        given = yaml.safe_load(file.read_text())
        values = {key.removeprefix("shop:"): value for key, value in given["config"].items()}
        change(values)
        given["config"] = {f"shop:{key}": value for key, value in values.items()}
        (self.folder / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump(given, sort_keys=False))

    def local(self, stack: str, name: str, change: Callable[[dict[str, Any]], Any] = lambda _: None) -> int:
        """Write Pulumi.<stack>.yaml: the local stack `apart` from others, with `change` made. Its port of HTTPS."""
        port = free_port()

        def changed(config: dict[str, Any]) -> None:
            apart(config, name, port)
            change(config)

        self.config(stack, changed, base="local")
        return port

    def tierstack(
        self, *arguments: str, code: int | None = 0, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        """The command, as an installed one is called; fails the test on another exit code (None: any)."""
        return self._run(["tierstack", *arguments], code, environment)

    def json(self, *arguments: str, code: int | None = 0, **environment: str) -> dict[str, Any]:
        """What the command says with --json."""
        return json.loads(self.tierstack(*arguments, "--json", code=code, **environment).stdout)

    def pulumi(self, *arguments: str, code: int | None = 0, **environment: str) -> "subprocess.CompletedProcess[str]":
        """The engine itself."""
        return self._run(["pulumi", "--non-interactive", "--color=never", *arguments], code, environment)

    def start(self, *arguments: str, quiet: bool = False) -> "subprocess.Popen[str]":
        """The command in a session of its own, to be killed while it runs. `quiet`: nobody reads what it says."""
        return subprocess.Popen(
            ["tierstack", *arguments],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if quiet else subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def state(self, stack: str) -> dict[str, Any]:
        """The deployment that the engine keeps: `resources`, `pending_operations`."""
        return json.loads(self.pulumi("stack", "export", "--stack", stack).stdout)["deployment"]

    def environment(self) -> dict[str, str]:
        """What every command runs with."""
        return {
            **os.environ,
            "PULUMI_BACKEND_URL": f"file://{self.folder}/state",
            "PULUMI_CONFIG_PASSPHRASE": "tests",
            "PYTHONPATH": f"{self.folder}{os.pathsep}{ROOT / 'components'}",
            "COLUMNS": "200",
        }

    def _run(self, command: list[str], code: int | None, more: dict[str, str]) -> "subprocess.CompletedProcess[str]":
        environment = {**self.environment(), **more}
        done = subprocess.run(
            command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if code is not None and done.returncode != code:
            shown = f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
            raise AssertionError(f"{' '.join(command)} ended with {done.returncode}, not {code}:\n{shown}")
        return done


def session(leader: int) -> list[int]:
    """The processes of a session that run."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def kill(process: "subprocess.Popen[str]", *, plugins: bool = True) -> None:
    """Kill a started command, as a power cut does; without `plugins` these, which have process groups of their own,
    live on beside the next run, as when the out-of-memory killer takes the engine."""
    everything = session(process.pid)
    for pid in everything if plugins else [pid for pid in everything if _is_engine(pid, process.pid)]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if process.stdout:
        process.stdout.close()
    process.wait()


def _is_engine(pid: int, leader: int) -> bool:
    """Whether a process is a command, or the engine that it runs, and no plugin."""
    with suppress(OSError):
        return os.getpgid(pid) == leader or Path(f"/proc/{pid}/comm").read_text().strip() == "pulumi"
    return False
