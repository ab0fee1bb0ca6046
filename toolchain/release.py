"""What a release consists of, in dist/: wheel, sdist, JSON schema, SBOM, notes and checksums. See CONTRIBUTING.md."""

import datetime
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from toolchain import place

NAME = "tierstack"
_VERSION = re.compile(r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?")
"""The versions of Python that the engine can have, too."""


def notes(changelog: str, version: str) -> str:
    """The text of one version in a changelog. Raises ValueError if it has none, or anything is still unreleased."""
    sections = re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]
    titles = {re.sub(r"[\[\]]", "", section.splitlines()[0]).split(" - ")[0]: section for section in sections}
    if version not in titles:
        raise ValueError(f"CHANGELOG.md: no heading `## [{version}] - DATE`; rename `## [Unreleased]` to it")
    head, _, body = titles[version].partition("\n")
    if not re.fullmatch(r"\[.*\] - \d{4}-\d{2}-\d{2}", head.strip()):
        raise ValueError(f"CHANGELOG.md: `## {head.strip()}`: the day is missing; write `## [{version}] - YYYY-MM-DD`")
    if titles.get("Unreleased", "").partition("\n")[2].strip():
        raise ValueError(f"CHANGELOG.md: entries below [Unreleased]; move them to [{version}] or into a later commit")
    return body.strip() + "\n"


def ready(changelog: str, version: str, tags: Iterable[str]) -> None:
    """Raises ValueError where this version cannot be published."""
    notes(changelog, version)
    if f"v{version}" in tags:
        raise ValueError(f"the tag v{version} exists: set another `version` in pyproject.toml")


def numbered(pyproject: str, version: str) -> str:
    """A pyproject.toml with another `version`. Raises ValueError where that is none, or none that comes later."""
    from packaging.version import Version

    own = tomllib.loads(pyproject)["project"]["version"]
    if not _VERSION.fullmatch(version):
        raise ValueError(f"VERSION = {version!r}: is not a version; write three numbers, such as 1.2.3 or 1.2.3rc1")
    if Version(version) <= Version(own):
        raise ValueError(f"VERSION = {version}: does not come after {own}, which pyproject.toml has; raise it")
    changed = pyproject.replace(f'\nversion = "{own}"\n', f'\nversion = "{version}"\n', 1)
    if tomllib.loads(changed)["project"]["version"] != version:
        raise ValueError("pyproject.toml: no line `version = …` below [project]; write it by itself")
    return changed


def dated(changelog: str, version: str, day: str) -> str:
    """A changelog whose unreleased entries are those of `version`. Raises ValueError where there are none."""
    before, heading, after = changelog.partition("## [Unreleased]\n")
    if not heading or not after.partition("\n## ")[0].strip():
        raise ValueError("CHANGELOG.md: no entries below `## [Unreleased]`; say there what the version brings")
    return f"{before}{heading}\n## [{version}] - {day}\n{after}"


def needs(name: str, extras: Iterable[str] = ()) -> set[str]:
    """The installed packages that `name` needs, with its `extras`, and those that these need; itself left out."""
    from packaging.requirements import Requirement

    found: set[str] = set()
    waiting = [(name, frozenset(extras))]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        current, wanted = waiting.pop()
        if (current, wanted) in seen:
            continue
        seen.add((current, wanted))
        for text in importlib.metadata.requires(current) or ():
            one = Requirement(text)
            environments = [{"extra": extra} for extra in ("", *wanted)]
            if one.marker is None or any(one.marker.evaluate(environment) for environment in environments):
                child = re.sub(r"[-_.]+", "-", one.name).lower()
                waiting.append((child, frozenset(one.extras)))
                found.add(child)
    return found - {name}


def hashes(lock: str) -> dict[str, list[str]]:
    """SHA-256 sums of the files of each package in a requirements file."""
    blocks = re.findall(r"^([\w.-]+)==[^\n]*\n((?:[ \t]+[^\n]*\n)*)", lock, re.MULTILINE)
    return {name.lower(): re.findall(r"sha256:([0-9a-f]{64})", text) for name, text in blocks}


def sbom(version: str, packages: dict[str, str], sums: dict[str, list[str]], when: str) -> dict[str, Any]:
    """A CycloneDX 1.5 list (https://cyclonedx.org/docs/1.5/json/) of `packages`, the versions that were tested."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": when,
            "component": {
                "type": "library",
                "bom-ref": f"pkg:pypi/{NAME}@{version}",
                "name": NAME,
                "version": version,
                "purl": f"pkg:pypi/{NAME}@{version}",
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            },
        },
        "components": [
            {
                "type": "library",
                "bom-ref": f"pkg:pypi/{name}@{found}",
                "name": name,
                "version": found,
                "purl": f"pkg:pypi/{name}@{found}",
                # A package has a file for each platform; any of them may be the one that is installed.
                "externalReferences": [
                    {
                        "type": "distribution",
                        "url": f"https://pypi.org/project/{name}/{found}/",
                        "hashes": [{"alg": "SHA-256", "content": one} for one in sums.get(name, [])],
                    }
                ],
            }
            for name, found in sorted(packages.items())
        ],
        "dependencies": [
            {
                "ref": f"pkg:pypi/{NAME}@{version}",
                "dependsOn": [f"pkg:pypi/{name}@{found}" for name, found in sorted(packages.items())],
            }
        ],
    }


def schema() -> str:
    """The package schema that programs in other languages read."""
    from tierstack.component_host import ComponentHost, public_components

    return json.dumps(json.loads(ComponentHost([*public_components()]).schema or "{}"), indent=2) + "\n"


def own_version() -> str:
    """The version in pyproject.toml."""
    return tomllib.loads((place.ROOT / "pyproject.toml").read_text())["project"]["version"]


def check() -> None:
    """Raises ValueError where the version cannot be published. Reads the checkout alone, with all its tags."""
    listed = subprocess.run(["git", "tag", "--list"], cwd=place.ROOT, capture_output=True, text=True, check=True)
    ready((place.ROOT / "CHANGELOG.md").read_text(), own_version(), listed.stdout.split())


def prepare(version: str) -> None:
    """Write the version into pyproject.toml and CHANGELOG.md. Raises ValueError and writes nothing where it cannot."""
    project, changelog = place.ROOT / "pyproject.toml", place.ROOT / "CHANGELOG.md"
    day = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")
    texts = {
        project: numbered(project.read_text(), version),
        changelog: dated(changelog.read_text(), version, day),
    }
    for file, text in texts.items():
        file.write_text(text)


def write(dist: Path) -> str:
    """Fill `dist` and return the version. Raises ValueError for a changelog or an environment that is not ready."""
    version = own_version()
    text = notes((place.ROOT / "CHANGELOG.md").read_text(), version)
    if (installed := importlib.metadata.version(NAME)) != version:
        raise ValueError(f"the environment has tierstack {installed}, and pyproject.toml {version}: run `make setup`")
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir()
    # Without a name of what to build, the wheel is made of the sdist: that holds all that a wheel needs.
    build = ["uv", "build", "-q", "--no-build-isolation", "--python", sys.executable, "-o", dist, place.ROOT]
    subprocess.run(build, check=True)
    (dist / ".gitignore").unlink(missing_ok=True)
    (dist / "NOTES.md").write_text(text)
    (dist / "schema.json").write_text(schema())
    packages = {name: importlib.metadata.version(name) for name in needs(NAME, ["dns"])}
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    listed = sbom(version, packages, hashes((place.ROOT / "requirements.lock").read_text()), now)
    (dist / "sbom.cdx.json").write_text(json.dumps(listed, indent=2) + "\n")
    files = sorted(file for file in dist.iterdir() if file.name not in ("SHA256SUMS", "NOTES.md"))
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    (dist / "SHA256SUMS").write_text("".join(sums))
    return version


def main(arguments: list[str]) -> int:
    """`--check` builds nothing: only whether the version can be published. `--prepare VERSION` sets it."""
    try:
        if arguments[:1] == ["--prepare"]:
            prepare(" ".join(arguments[1:]))
            place.say(f"pyproject.toml and CHANGELOG.md have version {own_version()}.")
            return 0
        if arguments == ["--check"]:
            check()
            place.say(f"Version {own_version()} can be published.")
            return 0
        version = write(place.ROOT / "dist")
    except ValueError as problem:
        place.say(str(problem))
        return 1
    if output := os.environ.get("GITHUB_OUTPUT"):
        with Path(output).open("a") as file:
            file.write(f"version={version}\n")
    place.say(f"dist/ holds version {version}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
