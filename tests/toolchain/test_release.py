"""What a release consists of, as far as it needs no build."""

import importlib.metadata
import json
import shlex
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from toolchain import place, release

pytestmark = pytest.mark.pure

CHANGELOG = """# Changelog

## [Unreleased]

## [1.1.0] - 2026-01-02

### Added
- A thing.

## [1.0.0] - 2025-12-01

### Added
- Everything.
"""


def test_notes_are_those_of_the_version() -> None:
    assert release.notes(CHANGELOG, "1.1.0") == "### Added\n- A thing.\n"
    assert release.notes(CHANGELOG, "1.0.0") == "### Added\n- Everything.\n"


@pytest.mark.parametrize(
    ("changelog", "message"),
    [
        ("# Changelog\n\n## [Unreleased]\n- x\n", r"no heading `## \[1\.1\.0\] - DATE`; rename `## \[Unreleased\]`"),
        (CHANGELOG.replace(" - 2026-01-02", ""), r"the day is missing; write `## \[1\.1\.0\] - YYYY-MM-DD`"),
        (CHANGELOG.replace("[Unreleased]\n", "[Unreleased]\n\n- later\n"), r"entries below \[Unreleased\]; move them"),
    ],
)
def test_a_changelog_that_is_not_ready_is_refused(changelog: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        release.notes(changelog, "1.1.0")


def test_what_the_wheel_needs_is_found_with_what_that_needs() -> None:
    found = release.needs("tierstack", ["dns"])
    assert {"pulumi", "grpcio", "click", "octodns", "octodns-bind"} <= found
    assert not {"tierstack", "pytest", "ruff", "octodns-cloudflare"} & found
    assert "octodns" not in release.needs("tierstack")


def test_every_package_of_the_sbom_has_its_checksums() -> None:
    sums = release.hashes((place.ROOT / "requirements.lock").read_text())
    packages = dict.fromkeys(release.needs("tierstack", ["dns"]), "1.0")
    listed = json.loads(json.dumps(release.sbom("2.0.0", packages, sums, "2026-01-02T00:00:00Z")))
    assert (listed["bomFormat"], listed["specVersion"]) == ("CycloneDX", "1.5")
    assert listed["metadata"]["component"]["purl"] == "pkg:pypi/tierstack@2.0.0"
    for one in listed["components"]:
        assert one["externalReferences"][0]["hashes"], one["name"]
    references = {one["bom-ref"] for one in listed["components"]}
    assert set(listed["dependencies"][0]["dependsOn"]) == references
    assert len(references) == len(packages)


def test_the_schema_has_every_component() -> None:
    from tierstack.component_host import public_components

    names = {f"tierstack:index:{one.__name__}" for one in public_components()}
    assert set(json.loads(release.schema())["resources"]) == names


def test_a_version_is_published_once() -> None:
    release.ready(CHANGELOG, "1.1.0", ["v1.0.0", "1.1.0"])
    with pytest.raises(ValueError, match=r"the tag v1\.1\.0 exists: set another `version`"):
        release.ready(CHANGELOG, "1.1.0", ["v1.0.0", "v1.1.0"])


PYPROJECT = '[project]\nname = "tierstack"\nversion = "1.0.0"\n\n[tool.x]\nversion = "1.0.0"\n'
UNRELEASED = CHANGELOG.replace("## [1.1.0] - 2026-01-02\n", "").replace("[Unreleased]\n\n", "[Unreleased]\n")


def test_a_version_is_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "CHANGELOG.md").write_text(UNRELEASED)
    assert release.main(["--prepare", "1.1.0rc1"]) == 0
    assert (tmp_path / "pyproject.toml").read_text() == PYPROJECT.replace("1.0.0", "1.1.0rc1", 1)
    changelog = (tmp_path / "CHANGELOG.md").read_text()
    assert release.notes(changelog, "1.1.0rc1") == "### Added\n- A thing.\n"
    release.ready(changelog, "1.1.0rc1", [])
    # A second time there is nothing to publish, and nothing is written.
    assert release.main(["--prepare", "1.1.0"]) == 1
    assert release.own_version() == "1.1.0rc1"


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("", "VERSION = '': is not a version; write three numbers"),
        ("v1.1.0", "VERSION = 'v1.1.0': is not a version"),
        ("1.1", "VERSION = '1.1': is not a version"),
        ("1.1.0.dev1", "is not a version"),
        ("1.0.0", "does not come after 1.0.0"),
        ("0.9.0", "does not come after 1.0.0"),
        ("1.0.0rc1", "does not come after 1.0.0"),
    ],
)
def test_a_version_that_cannot_come_next(version: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        release.numbered(PYPROJECT, version)


@pytest.mark.parametrize(
    "changelog", [CHANGELOG, "# Changelog\n", "# Changelog\n\n## [Unreleased]\n\n## [1.0.0] - 2025-12-01\n- x\n"]
)
def test_a_version_says_what_it_brings(changelog: str) -> None:
    with pytest.raises(ValueError, match=r"no entries below `## \[Unreleased\]`"):
        release.dated(changelog, "1.2.0", "2026-02-03")


def test_an_environment_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wheel and notes are of pyproject.toml, schema and SBOM of what is installed."""
    monkeypatch.setattr(place, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").write_text(PYPROJECT.replace("1.0.0", "1.1.0"))
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    installed = importlib.metadata.version("tierstack")
    with pytest.raises(ValueError, match=rf"the environment has tierstack {installed}, .* run `make setup`"):
        release.write(tmp_path / "dist")


def test_every_file_that_has_a_checksum_is_published() -> None:
    """Who downloads a release with SHA256SUMS would miss a file that only the build has."""
    workflow = yaml.safe_load((place.ROOT / ".github" / "workflows" / "release.yml").read_text())
    published = shlex.split(workflow["jobs"]["publish"]["steps"][-1]["run"].replace("\\\n", " "), comments=True)
    attached = [one.removeprefix("dist/") for one in published if one.startswith("dist/") and one != "dist/NOTES.md"]
    built = ["tierstack-1.0.0-py3-none-any.whl", "tierstack-1.0.0.tar.gz", "schema.json", "sbom.cdx.json", "SHA256SUMS"]
    assert [name for name in built if not any(fnmatch(name, pattern) for pattern in attached)] == []
    assert len(attached) == len(built)
