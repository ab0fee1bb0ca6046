"""What continuous integration has to prove with a real engine, daemon and cluster: pure decisions, no processes.

A test file depends on its package, on the packages that these import, and on what every stack of a test uses. The
record of what passed, kept in the cache, holds a hash of that; no history of the repository is needed, so a shallow
clone of a branch decides as well as a checkout of years.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

SUITES = ("engine", "docker", "cluster")
"""In the order in which their full forms run."""
BASIS = ("tests/conftest.py", "tests/support.py", "images", "toolchain/pins.toml", "requirements.lock")
"""What every test of a suite depends on."""
WHOLE = ("components/tierstack", "stacks", "examples/shop", "docs/tutorial.md", "tests/docs/reader.py", *BASIS)
"""What a test of whole stacks depends on, beside its own folder."""
_IMPORT = re.compile(r"^\s*(?:from|import)\s+(tierstack|tests)\.(\w+)", re.MULTILINE)
_NAMES = re.compile(r"^\s*from tierstack import (?:\(([^)]*)\)|(.*)$)", re.MULTILINE)
_EXPORTS = re.compile(r"^\s*from tierstack\.(\w+)[\w.]* import (?:\(([^)]*)\)|(.*)$)", re.MULTILINE)
_SHORTHAND = re.compile(r"^\s*import tierstack\b(?!\.)", re.MULTILINE)


@dataclass(frozen=True)
class Suite:
    """The test files of a level, and those of them that always run."""

    name: str
    files: tuple[str, ...]
    short: tuple[str, ...]
    full_until: float
    """A file of the full form starts only if it is expected to end before this minute of the run."""

    @property
    def full(self) -> tuple[str, ...]:
        return tuple(file for file in self.files if file not in self.short)


@dataclass(frozen=True)
class Plan:
    """`ci.toml`, with its patterns resolved."""

    minutes: Mapping[str, float]
    suites: Mapping[str, Suite]


@dataclass(frozen=True)
class Pass:
    """When a test file passed, with what, and how long it took."""

    key: str
    minutes: float
    at: str


def load(root: Path) -> Plan:
    """Raises ValueError for a file of a short form that is none of its suite."""
    data = tomllib.loads((root / "toolchain" / "ci.toml").read_text())
    suites: dict[str, Suite] = {}
    for name in SUITES:
        files = sorted({str(p.relative_to(root)) for pattern in data[name]["files"] for p in root.glob(pattern)})
        if unknown := set(data[name]["short"]) - set(files):
            raise ValueError(f"ci.toml: {name}.short: {', '.join(sorted(unknown))}: no such test file")
        suites[name] = Suite(name, tuple(files), tuple(data[name]["short"]), data[name]["full_until"])
    return Plan(data["minutes"], suites)


def _imports(text: str, exports: Mapping[str, str]) -> set[str]:
    """The units (`tierstack/database`, `tests/shop`) that Python source, or a program inside it, imports."""
    found = {"/".join(pair) for pair in _IMPORT.findall(text)}
    for listed in _NAMES.findall(text):
        names = {part.partition(" as ")[0].strip() for part in "".join(listed).split(",")}
        found |= {
            f"tierstack/{exports.get(name, name)}" for name in names
        }  # else a module: `from tierstack import tier`
    if _SHORTHAND.search(text):  # `import tierstack as ts` may use any name
        found |= {f"tierstack/{module}" for module in exports.values()}
    return found


def _python(root: Path, unit: str) -> list[Path]:
    """The source of a unit: a package or one module."""
    where = root / ("components" if unit.startswith("tierstack/") else "") / unit
    return (
        sorted(where.rglob("*.py")) if where.is_dir() else [one for one in [where.with_suffix(".py")] if one.is_file()]
    )


def depends_on(root: Path, test: str) -> set[Path]:
    """The files that can change the result of a test file."""
    package = Path(test).parts[1]
    if package in SUITES or not (root / "components/tierstack" / package).is_dir():  # of no single component
        own = (f"tests/{package}", *(("devcluster",) if package == "cluster" else ()))
        return {file for name in (*WHOLE, *own) for file in _files(root / name)}
    exports: dict[str, str] = {}
    for module, *listed in _EXPORTS.findall((root / "components/tierstack/__init__.py").read_text()):
        exports |= {name.strip(): module for name in "".join(listed).split(",") if name.strip()}
    waiting, units = [f"tierstack/{package}", f"tests/{package}"], set[str]()
    while waiting:
        unit = waiting.pop()
        if unit not in units:
            units.add(unit)
            for file in _python(root, unit):
                waiting.extend(_imports(file.read_text(), exports))
    found = {file for unit in units for file in _python(root, unit)}
    return found | {file for name in BASIS for file in _files(root / name)}


def _files(path: Path) -> Iterable[Path]:
    if path.is_file():
        return [path]
    return [one for one in path.rglob("*") if one.is_file() and "__pycache__" not in one.parts]


def key(root: Path, test: str) -> str:
    """Changes when anything does that the test file depends on."""
    digest = hashlib.sha256()
    for file in sorted(depends_on(root, test)):
        digest.update(f"{file.relative_to(root).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def read_passes(file: Path) -> dict[str, Pass]:
    """The record, or an empty one where there is none that can be read."""
    try:
        return {name: Pass(**one) for name, one in json.loads(file.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def write_passes(file: Path, passes: Mapping[str, Pass]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps({name: vars(one) for name, one in sorted(passes.items())}, indent=1))
    fresh.replace(file)


def changed(root: Path, files: Iterable[str], passes: Mapping[str, Pass]) -> list[str]:
    """Test files to run: those whose key differs from the one they passed with. The longest unproven comes first."""
    needed = [one for one in files if one not in passes or passes[one].key != key(root, one)]
    return sorted(needed, key=lambda one: (passes[one].at if one in passes else "", one))
