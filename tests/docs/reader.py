"""Somebody who follows a page to the letter: writes its files, types its commands, and compares what they print."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from toolchain.docs.blocks import Block, blocks, matches

ROOT = Path(__file__).resolve().parents[2]


def page(name: str) -> list[Block]:
    return blocks((ROOT / "docs" / name).read_text())


def wheel(folder: Path) -> Path:
    """The package of this checkout, where a reader has that of a release."""
    uv = Path(sys.executable).parent / "uv"
    command = [uv, "build", "-q", "--wheel", "--no-build-isolation", "--python", sys.executable, "-o", folder, ROOT]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("tierstack-*.whl"))


class Reader:
    """One shell in one directory: what a block exports is there for the next one."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.kept = folder.parent / f"{folder.name}.env"
        programs = folder.parent / f"{folder.name}.bin"
        programs.mkdir()
        # Python without this checkout's packages; the engine and its plugins are those of the set-up.
        (programs / "python3").symlink_to(getattr(sys, "_base_executable", sys.executable))
        own = str(ROOT / ".venv" / "bin")
        path = os.pathsep.join([str(programs), *(one for one in os.environ["PATH"].split(os.pathsep) if one != own)])
        passed = ("HOME", "LANG", "PULUMI_HOME", "PULUMI_SKIP_UPDATE_CHECK", "DOCKER_HOST", "PIP_INDEX_URL", "PIP_CERT")
        self.environment = {
            **{name: os.environ[name] for name in passed if name in os.environ},
            "PATH": path,
            "LC_ALL": "C.UTF-8",
            # The set-up's engine has the plugins of these versions.
            "PIP_CONSTRAINT": str(ROOT / "constraints.txt"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_COMPILE": "0",  # of the 26 MB of the Kubernetes SDK Python compiles what it imports
            "GIT_AUTHOR_NAME": "reader",
            "GIT_AUTHOR_EMAIL": "reader@example.org",
            "GIT_COMMITTER_NAME": "reader",
            "GIT_COMMITTER_EMAIL": "reader@example.org",
            **environment,
        }

    def type(self, commands: str, *, fails: bool = False) -> str:
        """What the commands print, errors among it. Fails the test where they end otherwise than the page says."""
        script = f"trap 'export -p > \"{self.kept}\"' EXIT\nset -e\n{commands}"
        if self.kept.exists():
            script = f'. "{self.kept}"\n{script}'
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert (done.returncode != 0) == fails, f"{commands}\nexit code {done.returncode}\n{done.stdout}"
        return done.stdout

    def follow(self, read: list[Block], *, able: tuple[str, ...] = ("",)) -> int:
        """Do what the blocks say, and return how many commands were typed; `able`: what this machine has."""
        printed: str | None = None
        typed = 0
        for block in read:
            if block.kind == "file":
                (self.folder / block.argument).write_text(block.text)
            elif block.kind == "output":
                assert printed is None or matches(block.text, printed), f"the page:\n{block.text}\nseen:\n{printed}"
            elif block.argument in able:
                printed = self.type(block.text, fails=block.kind == "fails")
                typed += 1
            else:
                printed = None
        return typed

    def beside(self, name: str) -> "Reader":
        """Another directory with the same project and the same installed packages, and a state of its own."""
        other = Reader(self.folder.parent / name)
        shutil.copytree(
            self.folder, other.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".venv", "state", "rendered")
        )
        (other.folder / ".venv").symlink_to(self.folder / ".venv")
        (other.folder / "state").mkdir()
        if self.kept.exists():
            shutil.copy(self.kept, other.kept)
        other.type(f'export PULUMI_BACKEND_URL="file://{other.folder}/state"')
        return other
