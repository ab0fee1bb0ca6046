"""What a release consists of, as far as it needs no build."""

import json

import pytest

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
