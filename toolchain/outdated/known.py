"""Which pins have known vulnerabilities: by three databases and a dated list. The readers are pure."""

import json
import os
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolchain import build, download
from toolchain.outdated.newest import json_stream, normal, run
from toolchain.outdated.pinned import ACTION, DEBIAN, GO, NPM, PYTHON, Pin, required
from toolchain.outdated.versions import is_affected, key

LIST = Path(__file__).with_name("advisories.toml")

LIST_ONLY = (ACTION, DEBIAN)
"""Kinds of pins that no database is asked about."""


@dataclass(frozen=True, order=True)
class Vulnerability:
    """One known vulnerability of one pin."""

    pin: Pin
    id: str
    fixed: tuple[str, ...] = ()
    """Versions that close it, one for each minor line that got a fix; empty: none is known."""
    summary: str = ""
    source: str = ""


@dataclass
class Known:
    """What was found, and which source could not be asked, with the reason."""

    found: list[Vulnerability] = field(default_factory=list[Vulnerability])
    unasked: dict[str, str] = field(default_factory=dict[str, str])
    list_date: str = ""


def from_list(text: str, pins: Sequence[Pin]) -> tuple[list[Vulnerability], str]:
    """Vulnerabilities of `pins` by the dated list, and its date. Raises KeyError for an entry without a needed key."""
    data = tomllib.loads(text)
    found: list[Vulnerability] = []
    for entry in data["advisories"]:
        for pin in pins:
            if (pin.kind, pin.name) != (entry["kind"], entry["name"]):
                continue
            if is_affected(pin.version, entry.get("introduced", ""), entry["fixed"]):
                found.append(Vulnerability(pin, entry["id"], tuple(entry["fixed"]), entry["summary"], entry["source"]))
    return found, str(data["date"])


def in_ranges(version: str, ranges: Sequence[dict[str, Any]]) -> tuple[bool, tuple[str, ...]]:
    """Whether ranges of the OSV schema contain `version`, and the versions that end them."""
    inside, fixed = False, list[str]()
    for one in ranges:
        affected = False
        for event in one["events"]:
            if "introduced" in event:
                begins = event["introduced"] == "0" or key(version) >= key(event["introduced"])
                affected = affected or begins
            elif "fixed" in event:
                fixed.append(f"v{event['fixed']}")
                affected = affected and key(version) < key(event["fixed"])
        inside = inside or affected
    return inside, tuple(fixed)


def _ranges(affected: dict[str, Any]) -> Sequence[dict[str, Any]]:
    """The ranges of an entry. A fix in versions that Go cannot name (v2 of a path without /v2) stands apart."""
    ranges: Sequence[dict[str, Any]] = affected["ranges"]
    if any("fixed" in event for one in ranges for event in one["events"]):
        return ranges
    return affected.get("ecosystem_specific", {}).get("custom_ranges") or ranges


def from_govulncheck(text: str, modules: Sequence[Pin]) -> list[Vulnerability]:
    """What `govulncheck -mode query -format json` prints about `modules`: entries of its database."""
    found: list[Vulnerability] = []
    for message in json_stream(text):
        entry: Any = message.get("osv")
        if not entry or entry.get("withdrawn"):
            continue
        cve = [alias for alias in entry.get("aliases", ()) if alias.startswith("CVE-")]
        for affected in entry["affected"]:
            for pin in modules:
                if pin.name != affected["package"]["name"]:
                    continue
                inside, fixed = in_ranges(pin.version, _ranges(affected))
                if inside:
                    source = f"https://pkg.go.dev/vuln/{entry['id']}"
                    found.append(Vulnerability(pin, (cve or [entry["id"]])[0], fixed, entry.get("summary", ""), source))
    return sorted(set(found))


def from_pip_audit(text: str, pins: Sequence[Pin]) -> tuple[list[Vulnerability], list[str]]:
    """What `pip-audit --format json` prints, and the packages about which it knows nothing."""
    by_name = {(normal(pin.name), pin.version): pin for pin in pins if pin.kind == PYTHON}
    found: list[Vulnerability] = []
    skipped: list[str] = []
    for package in json.loads(text)["dependencies"]:
        if "skip_reason" in package:
            skipped.append(package["name"])
            continue
        pin = by_name.get((normal(package["name"]), package["version"]))
        if pin is None:
            continue
        for one in package["vulns"]:
            cve = [alias for alias in one.get("aliases", ()) if alias.startswith("CVE-")]
            summary = (one.get("description") or "").strip().splitlines()[:1]
            source = f"https://osv.dev/vulnerability/{one['id']}"
            found.append(
                Vulnerability(pin, (cve or [one["id"]])[0], tuple(one["fix_versions"]), "".join(summary), source)
            )
    return found, skipped


def from_npm_audit(text: str, lock: str, pins: Sequence[Pin]) -> list[Vulnerability]:
    """What `npm audit --json` prints about the packages of a package-lock.json. Raises ValueError for an error."""
    report = json.loads(text)
    if "vulnerabilities" not in report:
        raise ValueError(str(report.get("message") or report.get("error", {}).get("summary") or "no report"))
    versions = {path.rpartition("node_modules/")[2]: one for path, one in json.loads(lock)["packages"].items()}
    by_name = {pin.name: pin for pin in pins if pin.kind == NPM}
    found: set[Vulnerability] = set()
    for name, one in report["vulnerabilities"].items():
        pin = by_name.get(name) or Pin(NPM, name, versions[name]["version"], ("toolchain/npm/package-lock.json",))
        fix = one.get("fixAvailable")
        fixed = (fix["version"],) if isinstance(fix, dict) and fix["name"] == name else ()
        for cause in one["via"]:
            if not isinstance(cause, str):  # else the name of the dependency at fault, which has an entry of its own
                url = cause["url"]
                found.add(Vulnerability(pin, url.rpartition("/")[2], fixed, cause["title"], url))
    return sorted(found)


def build_list(pins: Sequence[Pin], root: Path) -> list[Pin]:
    """The pinned modules and everything that the programs are built with."""
    known = {(pin.name, pin.version): pin for pin in pins if pin.kind == GO and pin.name != "go"}
    where: dict[tuple[str, str], list[str]] = {}
    for file in sorted((root / "toolchain/modules").glob("*/go.mod")):
        for module in required(file.read_text(), indirect=True):
            where.setdefault(module, []).append(file.parent.relative_to(root).as_posix())
    others = [Pin(GO, *module, tuple(places)) for module, places in where.items() if module not in known]
    return [*known.values(), *others]


def _govulncheck(pins: Sequence[Pin], tool: str, root: Path, known: Known) -> None:
    database = os.environ.get("GOVULNDB", "https://vuln.go.dev")
    if not database.startswith("file:") and not download.answers(f"{database}/index/db.json"):
        known.unasked["govulncheck"] = f"its database {database} does not answer"
        return
    module, version = tool.rsplit("@", 1)
    modules = build_list(pins, root)
    # `query` looks versions up and loads no package: the modules of the tools cannot be loaded as programs.
    options = ["-db", database, "-mode", "query", "-format", "json"]
    names = [f"{pin.name}@{pin.version}" for pin in modules]
    with tempfile.TemporaryDirectory() as scratch:
        env = build.go_environment()
        command = [build.go_program() or "go", "run", f"{module}/cmd/govulncheck@{version}", *options, *names]
        text, reason = run(command, Path(scratch), env)
    if reason:
        known.unasked["govulncheck"] = reason
    else:
        known.found += from_govulncheck(text, modules)


def _pip_audit(pins: Sequence[Pin], version: str, root: Path, known: Known) -> None:
    for file in sorted({place for pin in pins if pin.kind == PYTHON for place in pin.where}):
        options = ["--requirement", file, "--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off"]
        text, reason = run(["uv", "tool", "run", "-q", f"pip-audit=={version}", *options], root, accept=(0, 1))
        name = f"pip-audit of {file}"
        if reason or not text:
            known.unasked[name] = reason or "no output"
            continue
        found, skipped = from_pip_audit(text, pins)
        known.found += found
        if skipped:
            known.unasked[name] = f"it knows nothing about {len(skipped)} packages: {', '.join(skipped[:3])}, …"


def _npm_audit(pins: Sequence[Pin], root: Path, known: Known) -> None:
    folder = root / "toolchain/npm"
    text, reason = run(["npm", "audit", "--json", "--package-lock-only"], folder, accept=(0, 1))
    try:
        if reason:
            raise ValueError(reason)
        known.found += from_npm_audit(text, (folder / "package-lock.json").read_text(), pins)
    except (ValueError, KeyError, TypeError) as error:
        known.unasked["npm audit"] = str(error)


def ask(pins: Sequence[Pin], audit: dict[str, str], root: Path) -> Known:
    """Ask all sources; one that does not answer stands in `unasked`. The dated list is always read."""
    known = Known()
    _govulncheck(pins, audit["govulncheck"], root, known)
    _pip_audit(pins, audit["pip-audit"], root, known)
    _npm_audit(pins, root, known)
    listed, known.list_date = from_list(LIST.read_text(), pins)
    there = {(one.pin, one.id) for one in known.found}
    known.found = sorted([*known.found, *(one for one in listed if (one.pin, one.id) not in there)])
    return known
