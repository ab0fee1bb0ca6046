"""The Python that the engine runs dynamic resources with, where a program in another language makes components.

The component host has a Python of its own. The engine starts another one for dynamic resources: that of the virtual
environment which the project's `runtime.options` name, else the first `python3` on PATH.
"""

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pulumi

from tierstack.platform.shared import is_hosted


def require() -> None:
    """Raise RunError where dynamic resources would be run by a Python without tierstack: the engine's own words are
    `Error while finding module specification for 'pulumi.dynamic'`."""
    if is_hosted() and (problem := lacking(_python())):
        raise pulumi.RunError(problem)


def _python() -> str | None:
    named = os.environ.get("PULUMI_RUNTIME_VIRTUALENV")
    return str(Path(named) / "bin" / "python") if named else shutil.which("python3")


@functools.cache
def lacking(python: str | None) -> str | None:
    """What to say of a Python that cannot run tierstack's resources; None where it can."""
    if python and (Path(python).parent == Path(sys.executable).parent or _has_tierstack(python)):
        return None
    who = f"{python} has no tierstack" if python else "there is no python3 on PATH"
    return (
        f"some of its resources are Python code, which the engine runs by itself, and {who}. In Pulumi.yaml, name the "
        "virtual environment that has: `runtime: {name: nodejs, options: {virtualenv: .venv}}` (or `name: yaml`); or "
        "activate it before you call pulumi (`. .venv/bin/activate`)"
    )


def _has_tierstack(python: str) -> bool:
    try:
        done = subprocess.run([python, "-c", "import pulumi.dynamic, tierstack"], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0
