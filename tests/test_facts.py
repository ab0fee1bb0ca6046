"""Facts that are told in several places: each has one source in the code, and the texts say the same."""

import importlib.metadata
import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from packaging.requirements import Requirement

import tierstack
from tierstack import component_host
from tierstack.cli import app as cli
from tierstack.cli import deferred
from tierstack.cluster_addons.catalog import CATALOG
from tierstack.core.documentation import attribute_documentation
from tierstack.database.postgresql.engine import OLDEST_VERSION
from tierstack.gateway.args import GatewayArgs
from tierstack.platform import files

pytestmark = pytest.mark.pure

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
SOURCES = sorted((ROOT / "components").rglob("*.py"))
EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))
NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


def public_components() -> list[str]:
    return sorted(one.__name__ for one in component_host.public_components())


def places(pattern: str, paths: list[Path]) -> dict[str, set[str]]:
    """What `pattern` finds in each file, for those where it finds anything."""
    found = {str(path.relative_to(ROOT)): set(re.findall(pattern, path.read_text())) for path in paths}
    return {name: values for name, values in found.items() if values}


def test_the_command_defers_the_package_of_every_component() -> None:
    packages = {getattr(tierstack, name).__module__ for name in public_components()}
    assert packages == deferred.PACKAGES


def test_the_first_page_lists_every_component() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert sorted(set(rows) & set(public_components())) == public_components()


def test_every_component_has_its_page() -> None:
    titles = {path.read_text().splitlines()[0].removeprefix("# ") for path in (ROOT / "docs/components").glob("*.md")}
    assert set(public_components()) <= titles


def test_a_number_of_components_is_the_number_of_components() -> None:
    """`seven components` was right until the eighth came: whoever counts them in words counts right."""
    told = places(rf"(?i)\b(?:the|all|its) ({'|'.join(NUMBERS)}) components\b", [*PAGES, *SOURCES, *EXAMPLES])
    right = NUMBERS[len(public_components()) - 1]
    assert {name: words for name, words in told.items() if {word.lower() for word in words} != {right}} == {}


def test_the_oldest_postgresql_is_the_one_that_the_check_takes() -> None:
    told = places(r"PostgreSQL (\d+) or newer", [*PAGES, *SOURCES])
    assert "docs/configuration.md" in told
    assert "docs/components/database.md" in told
    assert {name: versions for name, versions in told.items() if versions != {str(OLDEST_VERSION)}} == {}


def test_what_tools_image_needs_is_what_is_run_in_it() -> None:
    lines = files.script(["a/b", "c"], ["d"], 1, 2).splitlines()
    run = {shlex.split(line)[0] for line in lines} - {"set", "cd"}  # of the shell itself
    assert run == set(files.PROGRAMS)
    text = attribute_documentation(GatewayArgs)["tools_image"]
    assert set(re.findall(r"`([a-z]+)`", text)) == set(files.PROGRAMS)
    others = places(r"(?i)(?:image|any) (?:\w+ )*with (?:`?/bin/sh|a shell)[^.|]*", [*PAGES, *SOURCES])
    for name, texts in others.items():
        for one in texts:
            assert set(re.findall(r"`([a-z]+)`", one)) in (set(files.PROGRAMS), {"sh"}, set()), (name, one)


def test_operators_are_installed_in_the_version_whose_manifests_are_tested() -> None:
    """Users get the version of the catalog; manifests and schemas of the tests come from the pinned modules.

    Where the modules lack that version, `[held]` says why (decision 35).
    """
    pins = tomllib.loads((ROOT / "toolchain/pins.toml").read_text())
    for addon, release in CATALOG.items():
        modules = dict(reversed(one["module"].rsplit("@", 1)) for one in pins["addons"][addon.value])
        if f"v{release.version}" not in modules:
            assert set(modules.values()) <= set(pins["held"]), addon.value


def test_the_constraints_are_the_engine_and_the_providers_of_the_set_up() -> None:
    """Another SDK than the provider's makes the engine look for a plugin that the set-up did not install."""
    constraints = dict(re.findall(r"^([\w-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    locked = dict(re.findall(r"^(pulumi[\w-]*)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    tools = tomllib.loads((ROOT / "toolchain/pins.toml").read_text())["tools"]
    built = {
        "pulumi" if name == "pulumi" else name.replace("pulumi-resource-", "pulumi-"): one["version"]
        for name, one in tools.items()
        if name == "pulumi" or name.startswith("pulumi-resource-")
    }
    assert constraints == locked
    assert {name: version for name, version in built.items() if name in constraints} == constraints


def test_the_page_of_the_set_up_has_the_pinned_versions() -> None:
    tools = tomllib.loads((ROOT / "toolchain/pins.toml").read_text())["tools"]
    rows = re.findall(
        r"^\| `([\w-]+)`[^|]*\| ([^|]+) \| ([^|]+) \| [^|]+ \| (\w+) \|$",
        (ROOT / "docs/toolchain.md").read_text(),
        re.MULTILINE,
    )
    told = {name: (version.partition(" / ")[0], accepted, group) for name, version, accepted, group in rows}
    pinned = {
        name: (
            # A program of this repository has no version of its own.
            one["version"] if name != "manifests" else "of this repository",
            one.get("minimum") or ("with the engine" if "comes_with" in one else "never"),
            one["group"],
        )
        for name, one in tools.items()
        if one["group"] != "cluster"  # docs/cluster.md has these
    }
    assert told == pinned


def test_every_dependency_is_imported() -> None:
    """A dependency that nothing uses is one more thing to keep up to date. A provider may be named by its package."""
    source = "\n".join(path.read_text() for path in SOURCES)
    modules = {name: set[str]() for name in (Requirement(one).name for one in PROJECT["dependencies"])}
    for module, distributions in importlib.metadata.packages_distributions().items():
        for distribution in distributions:
            if (name := re.sub(r"[-_.]+", "-", distribution).lower()) in modules:
                modules[name].add(module)
    unused = [
        name
        for name, known in modules.items()
        if f'"{name}"' not in source
        and not any(re.search(rf"^\s*(?:import|from) {re.escape(module)}\b", source, re.MULTILINE) for module in known)
    ]
    assert unused == []


def test_the_command_tells_its_version() -> None:
    result = CliRunner().invoke(cli.command, ["--version"], prog_name="tierstack")
    assert (result.exit_code, result.output) == (0, f"tierstack {importlib.metadata.version('tierstack')}\n")
    assert importlib.metadata.version("tierstack") == PROJECT["version"]


def test_hooks_run_what_the_project_installs() -> None:
    """No hook comes from elsewhere, so a commit needs no network."""
    configuration = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [repository["repo"] for repository in configuration["repos"]] == ["local"]
    for hook in configuration["repos"][0]["hooks"]:
        program = hook["entry"].split()[0]
        assert program == "make" or program.removeprefix(".venv/bin/") in ("ruff", "pyright"), hook["id"]


def test_the_development_container_has_the_go_that_the_set_up_needs() -> None:
    text = re.sub(r"^\s*//.*$", "", (ROOT / ".devcontainer/devcontainer.json").read_text(), flags=re.MULTILINE)
    go = next(one for name, one in json.loads(text)["features"].items() if "/go:" in name)["version"]
    minimum = tomllib.loads((ROOT / "toolchain/pins.toml").read_text())["minimum"]["go"]
    assert minimum.startswith(f"{go}.")
