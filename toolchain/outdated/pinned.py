"""Every version that this repository pins, read from the files that pin it (pure)."""

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tierstack.cluster_addons.catalog import CATALOG

GO, PYTHON, NPM, ACTION, DEBIAN = "go", "python", "npm", "action", "debian"

DOCS = "toolchain/pins.toml docs"
"""Where npm packages stand that are taken without their dependencies."""

PACKAGES = {"postgres": "postgresql-17", "pgbouncer": "pgbouncer", "valkey": "valkey-server", "haproxy": "haproxy"}
"""Package of Debian that has the same program as an official image."""

MODULES = {"traefik": "github.com/traefik/traefik/v3"}
"""Go module that an official image is built from, where Debian has no such package."""


@dataclass(frozen=True, order=True)
class Pin:
    """One version of one thing, and the files that name it."""

    kind: str
    name: str
    version: str
    where: tuple[str, ...] = ()


def required(go_mod: str, *, indirect: bool = False) -> list[tuple[str, str]]:
    """Module and version of each direct requirement in the text of a go.mod; `indirect`: of all.

    A replacement counts in place of what it replaces; a module replaced by a folder of this repository is left out.
    """
    replaced = {
        old: (new, version)
        for old, new, version in re.findall(
            r"^\s*(?:replace\s+)?(\S+)(?: v\S+)? => (\S+)(?: (v\S+))?\s*$", go_mod, re.MULTILINE
        )
    }
    lines = re.findall(r"^\s*(?:require\s+)?([\w.-]+\.[\w.-]+/\S+) (v\S+?)(\s*// indirect)?\s*$", go_mod, re.MULTILINE)
    wanted = [(module, version) for module, version, mark in lines if indirect or not mark]
    return [module for module in (replaced.get(name, (name, version)) for name, version in wanted) if module[1]]


def locked(requirements: str) -> list[tuple[str, str]]:
    """Name and version of each package in a requirements file with exact versions."""
    return re.findall(r"^([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", requirements, re.MULTILINE)


def used_actions(workflow: str) -> list[tuple[str, str]]:
    """Repository and version of each action of a workflow. One pinned by digest has its version in a comment."""
    found: list[tuple[str, str]] = []
    for repository, reference, comment in re.findall(
        r"\buses:\s*([\w.-]+/[\w.-]+)[\w./-]*@(\S+)(?:[ \t]+#[ \t]*(\S+))?", workflow
    ):
        found.append((repository, comment or reference))
    return found


def _go(root: Path) -> Iterator[tuple[str, str, str]]:
    toolchain = root / "toolchain"
    for file in sorted((toolchain / "modules").glob("*/go.mod")):
        for module, version in required(file.read_text()):
            yield module, version, f"toolchain/modules/{file.parent.name}"
    pins = tomllib.loads((toolchain / "pins.toml").read_text())
    yield "go", pins["minimum"]["go"], "toolchain/pins.toml minimum"
    for tool in pins["tools"].values():
        if launchers := tool.get("launchers"):
            yield (*launchers.rsplit("@", 1), "toolchain/pins.toml tools")
    for source in pins["schemas"].values():
        yield (*source["module"].rsplit("@", 1), "toolchain/pins.toml schemas")
    for sources in pins["addons"].values():
        for source in sources:
            yield (*source["module"].rsplit("@", 1), "toolchain/pins.toml addons")
    # What users install may be ahead of what tests can be built from.
    for addon, release in CATALOG.items():
        module = pins["addons"][addon.value][0]["module"].rsplit("@", 1)[0]
        yield module, f"v{release.version}", "components/tierstack/cluster_addons/catalog.py"
    for name, image in json.loads((root / "images/official.json").read_text()).items():
        if module := MODULES.get(name.partition(":")[0]):
            yield module, f"v{image['version']}", "images/official.json"


def _others(root: Path) -> Iterator[tuple[str, str, str, str]]:
    recipes = sorted((root / "images/recipes").glob("*/requirements.txt"))
    requirements = [root / "requirements.lock", root / "toolchain/docs/requirements.txt", *recipes]
    for file in requirements:
        for name, version in locked(file.read_text()):
            yield PYTHON, name, version, file.relative_to(root).as_posix()
    for name, version in json.loads((root / "toolchain/npm/package.json").read_text())["dependencies"].items():
        yield NPM, name, version, "toolchain/npm/package.json"
    for name, pin in tomllib.loads((root / "toolchain/pins.toml").read_text())["docs"].items():
        yield NPM, name, pin["version"], DOCS
    workflows = [*root.glob(".github/workflows/*.yml"), *root.glob("examples/workflows/.github/workflows/*.yml")]
    for file in sorted(workflows):
        for name, version in used_actions(file.read_text()):
            yield ACTION, name, version, file.relative_to(root).as_posix()
    official = root / "images/official.json"
    for name, image in json.loads(official.read_text()).items():
        if package := PACKAGES.get(name.partition(":")[0]):
            yield DEBIAN, package, image["version"], "images/official.json"


def read(root: Path) -> list[Pin]:
    """All pins, each version of a thing once, with every file that names it."""
    where: dict[tuple[str, str, str], list[str]] = {}
    for name, version, place in _go(root):
        where.setdefault((GO, name, version), []).append(place)
    for kind, name, version, place in _others(root):
        where.setdefault((kind, name, version), []).append(place)
    return sorted(Pin(*key, tuple(dict.fromkeys(places))) for key, places in where.items())
