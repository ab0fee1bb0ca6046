"""Versions, keys and the pins file."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from toolchain import pins
from toolchain.pins import Tool, at_least, parse_version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("v3.259.0\n", (3, 259, 0)),
        ("3.150.0-alpha.1+dirty", (3, 150, 0)),
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("Docker version 20.10.24+dfsg1, build 297e128", (20, 10, 24)),
        ("linux-amd64", None),
        ("development", None),
        ("", None),
    ],
)
def test_version_is_read_from_what_a_program_prints(text: str, version: tuple[int, ...] | None) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize(
    ("found", "minimum", "enough"),
    [
        ((3, 150, 0), "3.150.0", True),
        ((3, 149, 9), "3.150.0", False),
        ((3, 1500), "3.150.0", True),
        ((4,), "3.150.0", True),
        ((3, 150), "3.150.0", True),
        (None, "3.150.0", False),
        ((9, 9), "", False),
    ],
)
def test_recent_enough(found: tuple[int, ...] | None, minimum: str, enough: bool) -> None:
    assert at_least(found, minimum) is enough


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    monkeypatch.setattr(pins, "HERE", tmp_path)
    for name in ("a", "b"):
        folder = tmp_path / "modules" / name
        folder.mkdir(parents=True)
        for file in ("go.mod", "go.sum", "main.go"):
            (folder / file).write_text(f"{name} {file}")
    return Tool(name="tool", group="core", version="1.2.3", module="a", minutes=1)


@pytest.mark.parametrize("file", ["go.mod", "go.sum", "main.go", "shim/shim.go"])
def test_key_changes_with_what_is_built(tool: Tool, file: str) -> None:
    before = tool.key
    target = tool.source / file
    target.parent.mkdir(exist_ok=True)
    target.write_text("changed")
    assert tool.key != before
    assert tool.key.startswith("tool-1.2.3-")


def test_key_changes_with_flags_but_not_with_the_expected_time(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tool.key
    assert replace(tool, ldflags="-X a=b").key != before
    assert replace(tool, minutes=9, minimum="1.0").key == before
    monkeypatch.setattr(pins, "BUILD_FLAGS", ("-mod=readonly",))
    assert tool.key != before


def test_a_change_of_one_tool_leaves_the_others_alone(tool: Tool) -> None:
    other = replace(tool, name="other", module="b")
    before = other.key
    (tool.source / "go.mod").write_text("changed")
    (tool.source / "README").write_text("not part of the build")
    assert other.key == before


def test_key_does_not_depend_on_where_the_checkout_is(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tool.key
    shutil.copytree(tmp_path / "modules", tmp_path / "elsewhere" / "modules")
    monkeypatch.setattr(pins, "HERE", tmp_path / "elsewhere")
    assert tool.key == before


def test_every_pinned_tool_has_its_checksums_committed() -> None:
    loaded = pins.load()
    assert loaded.tools["pulumi"].group == "core"
    for tool in loaded.tools.values():
        assert (tool.source / "go.sum").stat().st_size > 0, tool.name
        assert parse_version(tool.version), tool.name
        assert not (tool.launchers and not tool.launchers_sum.startswith("h1:"))
    for source in loaded.schemas.values():
        assert source.sum.startswith("h1:"), source.name


def test_go_release_covers_every_module() -> None:
    loaded = pins.load()
    for mod in (pins.HERE / "modules").rglob("go.mod"):
        line = next(line for line in mod.read_text().splitlines() if line.startswith("go "))
        assert at_least(parse_version(loaded.minimum["go"] + ".0"), line.split()[1] + ".0"), mod


def test_unknown_group_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "pins.toml"
    file.write_text('[minimum]\n[tools.x]\ngroup = "tests"\nversion = "1"\nmodule = "x"\nminutes = 1\n[schemas]\n')
    with pytest.raises(ValueError, match=r"tools\.x\.group: 'tests', use one of core, test, images"):
        pins.load(file)
