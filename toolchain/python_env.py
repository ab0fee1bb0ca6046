"""The Python environment: `.venv` from requirements.lock, every file checked against its hash."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from toolchain import find, place
from toolchain.build import SetupError

LOCK = place.ROOT / "requirements.lock"


def stamp() -> str:
    """Changes when the environment has to be made again."""
    settings = tomllib.loads((place.ROOT / "pyproject.toml").read_text())
    # Settings of linters and tests do not change what is installed.
    installed = [settings["project"], settings["build-system"], settings["tool"]["hatch"]]
    text = f"{sys.version_info[:3]} {place.ROOT} {json.dumps(installed)} {LOCK.read_text()}"
    return hashlib.sha256(text.encode()).hexdigest()


def stamp_file() -> Path:
    return place.venv() / ".tierstack-stamp"


def ready() -> bool:
    try:
        return stamp_file().read_text() == stamp() and os.access(place.venv() / "bin" / "python", os.X_OK)
    except OSError:
        return False


def block_of(lock: str, package: str) -> str:
    """The lines of a requirements file that pin `package` with its hashes, or ""."""
    match = re.search(rf"^{re.escape(package)}==.*(?:\n[ \t]+.*)*", lock, re.MULTILINE)
    return match.group(0) + "\n" if match else ""


def run(args: list[str | Path]) -> None:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    # A network that inspects traffic has its authority in the system's store; uv's older name comes second.
    env = {"UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"} | env
    done = subprocess.run(
        args, cwd=place.ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        env=env,
    )  # fmt: skip
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-1500:]
        raise SetupError(f"`{' '.join(map(str, args))}` failed:\n{said}")


def same_python(python: Path) -> bool:
    """Whether the environment works and belongs to the interpreter that runs this."""
    ask = "import sys, pip; print(sys.version_info[:3])"
    try:
        done = subprocess.run([python, "-c", ask], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and done.stdout.strip() == str(tuple(sys.version_info[:3]))


def ensure() -> None:
    """Make `.venv` hold exactly what requirements.lock says, and this project. Raises SetupError."""
    if ready():
        return
    place.say("Installing the Python environment from requirements.lock (about 1 min) ...")
    python = place.venv() / "bin" / "python"
    stamp_file().unlink(missing_ok=True)
    if not same_python(python):
        # Only a broken environment is cleared: a working one may be in use by another terminal.
        run([sys.executable, "-m", "venv", "--clear", place.venv()])
    uv = shutil.which("uv", path=find.foreign_path())
    if uv is None:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as only_uv:
            only_uv.write(block_of(LOCK.read_text(), "uv"))
            only_uv.flush()
            run([python, "-m", "pip", "install", "-q", "--no-deps", "--require-hashes", "-r", only_uv.name])
        uv = str(place.venv() / "bin" / "uv")
    # Compiled now, because where PYTHONDONTWRITEBYTECODE is set every start would compile the engine's SDK again.
    run([uv, "pip", "sync", "-q", "--compile-bytecode", "--python", python, "--require-hashes", LOCK])
    run(
        [
            uv,
            "pip",
            "install",
            "-q",
            "--python",
            python,
            "--no-deps",
            "--no-build-isolation",
            "-e",
            place.ROOT,
        ]
    )
    run([python, "-m", "compileall", "-q", place.ROOT / "components"])
    stamp_file().write_text(stamp())
