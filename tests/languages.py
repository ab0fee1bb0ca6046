"""Projects in other languages: how their commands are run, and a project in TypeScript with its packages."""

import os
import shutil
import subprocess
from pathlib import Path

from tests import typescript_sdk
from toolchain import npm_packages

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "typescript"
CASES = ROOT / "tests" / "cases" / "languages"


def run(folder: Path, *command: str | Path, path: str = "", **more: str) -> "subprocess.CompletedProcess[str]":
    (folder / "state").mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "PATH": path or os.environ["PATH"],
        "PULUMI_BACKEND_URL": f"file://{folder}/state",
        "PULUMI_CONFIG_PASSPHRASE": "x",
        **more,
    }
    return subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def project_of_node(folder: Path) -> Path:
    """A project with the packages of npm and the generated one."""
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("bin", "node_modules", "sdks"))
    (folder / "Pulumi.yaml").unlink()  # the automation API writes its own
    modules = folder / "node_modules"
    modules.mkdir()
    for package in (npm_packages.make() / "node_modules").iterdir():
        (modules / package.name).symlink_to(package)
    typescript_sdk.write(modules)
    shutil.copy(CASES / "run.cjs", folder)
    return folder


def project_for_the_engine(folder: Path, plugin: Path) -> dict[str, str]:
    """The example as a user has it before `pulumi package add`, with `.venv` where the plugin is. Returns the variables
    by which the engine finds Node.js and npm, which is asked for what it has fetched before first."""
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("bin", "node_modules", "sdks"))
    shutil.copytree(npm_packages.make() / "node_modules", folder / "node_modules", symlinks=True, copy_function=_linked)
    (folder / ".venv").symlink_to(plugin.parent.parent)
    programs = folder.parent / "programs"
    programs.mkdir()
    (programs / "node").symlink_to(npm_packages.node())
    cli = npm_packages.node().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    (programs / "npm").write_text(f'#!/bin/sh\nexec "{npm_packages.node()}" "{cli}" "$@"\n')
    (programs / "npm").chmod(0o755)
    return {"path": os.pathsep.join([str(programs), os.environ["PATH"]]), "npm_config_prefer_offline": "true"}


def _linked(source: str, target: str) -> None:
    """A hard link where it is possible: npm replaces files and does not write into them."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def node(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return run(folder, npm_packages.node(), *arguments)


def compiled(folder: Path) -> "subprocess.CompletedProcess[str]":
    return node(folder, "node_modules/typescript/bin/tsc", "--project", ".")
