"""What is installed: `pins.toml` as typed data, and the key under which a build is cached."""

import hashlib
import json
import platform
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PINS_FILE = HERE / "pins.toml"
GROUPS = ("core", "test", "images", "cluster", "database")

# No cgo: no C compiler needed, and binaries that run in any image. No profile: a profile in one main
# package would recompile everything below it. No DWARF: nobody debugs these, and compiling is faster.
BUILD_FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false", "-pgo=off", "-gcflags=all=-dwarf=false")

LAUNCHERS = "launchers"
"""Folder of a module with scripts of our own that go before those of upstream."""

Version = tuple[int, ...]


def parse_version(text: str) -> Version | None:
    """The first dotted number in `text` (`v3.259.0-dev` and `go3.259.0` → (3, 259, 0)), or None."""
    match = re.search(r"(?<![\w.])(?:v|V|go)?(\d+(?:\.\d+)+)", text)
    return tuple(int(part) for part in match.group(1).split(".")) if match else None


def at_least(found: Version | None, minimum: str) -> bool:
    """Whether `found` is known and not below `minimum`; missing parts count as 0."""
    wanted = parse_version(minimum)
    if found is None or wanted is None:
        return False
    width = max(len(found), len(wanted))
    return found + (0,) * (width - len(found)) >= wanted + (0,) * (width - len(wanted))


def os_arch() -> tuple[str, str]:
    """Operating system and processor in the words that Go uses."""
    machine = platform.machine().lower()
    arch = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(machine, machine)
    return platform.system().lower(), arch


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One program: where it may come from and how to build it."""

    name: str
    group: str
    version: str
    module: str  # folder under modules/ with the go.mod
    minutes: float  # usual build time on two cores
    minimum: str = ""  # oldest version accepted on PATH; "" means only together with `comes_with`
    package: str = "."
    ldflags: str = ""
    version_args: tuple[str, ...] = ("--version",)
    plugin: str = ""  # name of the resource plugin, for the engine's own plugin directory
    comes_with: str = ""  # the tool whose official package contains this one
    archive: str = ""
    checksums: str = ""
    archive_also_has: tuple[str, ...] = ()
    launchers: str = ""  # module@version of script files that sit beside the binary
    launchers_sum: str = ""
    launcher_files: tuple[str, ...] = ()
    embed_module: str = ""
    embed_files: tuple[str, ...] = ()
    note: str = ""  # what a user of this build has to know

    @property
    def source(self) -> Path:
        return HERE / "modules" / self.module

    @property
    def key(self) -> str:
        """Changes exactly when the binary would: definition, sources, checksums, flags, machine type."""
        digest = hashlib.sha256()
        definition = {k: v for k, v in self.__dict__.items() if k not in ("minutes", "minimum", "group", "note")}
        digest.update(json.dumps([definition, BUILD_FLAGS, os_arch()], sort_keys=True).encode())
        sources = (
            p for p in self.source.rglob("*") if p.suffix in (".go", ".mod", ".sum") or p.parent.name == LAUNCHERS
        )
        for file in sorted(sources):
            digest.update(f"{file.relative_to(self.source).as_posix()}\0".encode() + file.read_bytes() + b"\0")
        return f"{self.name}-{self.version}-{digest.hexdigest()[:12]}"


@dataclass(frozen=True, kw_only=True)
class SchemaSource:
    """One Go module that carries CRDs or an OpenAPI document."""

    name: str
    module: str
    sum: str
    swagger: str = ""
    crds: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AddonSource:
    """One Go module that carries manifests of an operator: as files, as a kustomization or as a chart."""

    module: str
    sum: str
    files: tuple[str, ...] = ()
    kustomize: str = ""
    chart: str = ""
    namespace: str = ""  # of the chart's release
    kubernetes: str = ""  # version that the chart is rendered for
    values: tuple[str, ...] = ()  # files of the module (*.yaml) and KEY=VALUE, in this order


@dataclass(frozen=True)
class Pins:
    minimum: dict[str, str]
    tools: dict[str, Tool]
    schemas: dict[str, SchemaSource] = field(default_factory=dict[str, SchemaSource])
    addons: dict[str, tuple[AddonSource, ...]] = field(default_factory=dict[str, tuple[AddonSource, ...]])

    def group(self, *names: str) -> list[Tool]:
        """Tools of these groups, in the order of the file: the order of building."""
        return [tool for tool in self.tools.values() if tool.group in names]


def load(file: Path = PINS_FILE) -> Pins:
    """Read the pins. Raises TypeError for an unknown or missing key, ValueError for an unknown group."""
    data = tomllib.loads(file.read_text())

    def frozen(entry: dict[str, Any]) -> dict[str, Any]:
        return {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}

    tools = {name: Tool(name=name, **frozen(entry)) for name, entry in data["tools"].items()}
    for tool in tools.values():
        if tool.group not in GROUPS:
            raise ValueError(f"{file.name}: tools.{tool.name}.group: {tool.group!r}, use one of {', '.join(GROUPS)}")
    schemas = {name: SchemaSource(name=name, **frozen(entry)) for name, entry in data["schemas"].items()}
    addons = {
        name: tuple(AddonSource(**frozen(one)) for one in sources) for name, sources in data.get("addons", {}).items()
    }
    return Pins(data["minimum"], tools, schemas, addons)
