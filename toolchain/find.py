"""What is already there: on PATH, in the engine's plugin directory, in the cache."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from toolchain import place
from toolchain.pins import Pins, Tool, at_least, parse_version


@dataclass(frozen=True)
class Found:
    """A usable program. `source` is one of: PATH, plugins, download, built."""

    path: Path
    version: str
    source: str


def foreign_path() -> str:
    """PATH without our own directories, also those of another checkout whose `env.sh` the shell has read, so that a
    build of ours is never taken for the user's."""
    ours = (str(place.cache()), str(place.venv()), str(place.state()))
    parts = [Path(one) for one in os.environ.get("PATH", os.defpath).split(os.pathsep) if one]
    return os.pathsep.join(
        str(one) for one in parts if not os.path.realpath(one).startswith(ours) and not _is_of_a_checkout(one)
    )


def _is_of_a_checkout(folder: Path) -> bool:
    """Whether it is the `bin` of a checkout's programs, or of its Python environment beside them."""
    scripts = [one / "env.sh" for one in (folder.parent, folder.parent.parent / place.state().name)]
    return any(one.is_file() and one.read_text().startswith(place.WRITTEN) for one in scripts)


def run_version(program: Path, args: tuple[str, ...]) -> str:
    """Version that a program prints about itself, or "" when it does not within 5 seconds."""
    try:
        done = subprocess.run(
            [program, *args],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=5,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    version = parse_version(done.stdout + done.stderr) if done.returncode == 0 else None
    return ".".join(map(str, version)) if version else ""


def on_path(tool: Tool, pins: Pins) -> Found | None:
    program = shutil.which(tool.name, path=foreign_path())
    if program is None:
        return None
    if tool.comes_with:
        # The host must be of the engine's own release: take both from PATH, or neither.
        parent = on_path(pins.tools[tool.comes_with], pins)
        return Found(Path(program), parent.version, "PATH") if parent else None
    version = run_version(Path(program), tool.version_args)
    return Found(Path(program), version, "PATH") if at_least(parse_version(version), tool.minimum) else None


def in_plugins(tool: Tool) -> Found | None:
    """The newest acceptable version that `pulumi plugin install` has put into the engine's home."""
    if not tool.plugin:
        return None
    best: tuple[tuple[int, ...], Found] | None = None
    for folder in place.pulumi_home().glob(f"plugins/resource-{tool.plugin}-v*"):
        version = parse_version(folder.name.rsplit("-v", 1)[1])
        program = folder / tool.name
        # The engine marks an installation that it has not finished with a .partial file.
        partial = folder.with_name(f"{folder.name}.partial").exists()
        usable = os.access(program, os.X_OK) and not partial
        # A link of the set-up leads to its build of some moment; `in_cache` knows the one of now.
        if version and at_least(version, tool.minimum) and usable and not program.is_symlink():
            found = Found(program, ".".join(map(str, version)), "plugins")
            best = max(best, (version, found), key=lambda b: b[0]) if best else (version, found)
    return best[1] if best else None


def build_home(tool: Tool) -> Path:
    return place.cache() / "toolchain" / tool.key


def download_home(tool: Tool) -> Path:
    system = "-".join(("download", tool.name, tool.version))
    return place.cache() / "toolchain" / system


def in_cache(tool: Tool, pins: Pins) -> Found | None:
    parent = pins.tools[tool.comes_with] if tool.comes_with else tool
    for home, source in ((download_home(parent), "download"), (build_home(tool), "built")):
        program = home / "bin" / tool.name
        if os.access(program, os.X_OK):
            version = parent.version if source == "download" else tool.version
            return Found(program, version, source)
    return None


def find(tool: Tool, pins: Pins) -> Found | None:
    """The program to use, or None when it has to be fetched or built."""
    return on_path(tool, pins) or in_plugins(tool) or in_cache(tool, pins)
