"""What is taken from where, and in which order."""

from collections.abc import Callable
from pathlib import Path

import pytest

from toolchain import environment, find
from toolchain.pins import Pins

Program = Callable[..., Path]


def test_recent_engine_and_its_host_come_from_path(few: Pins, program: Program) -> None:
    program("pulumi", "echo v3.200.1")
    program("pulumi-language-python", "exit 1")
    for name in ("pulumi", "pulumi-language-python"):
        found = find.find(few.tools[name], few)
        assert found is not None
        assert (found.source, found.version) == ("PATH", "3.200.1")


def test_an_old_engine_and_its_host_are_left_alone(few: Pins, program: Program) -> None:
    program("pulumi", "echo v3.100.0")
    program("pulumi-language-python", "exit 0")
    assert find.find(few.tools["pulumi"], few) is None
    assert find.find(few.tools["pulumi-language-python"], few) is None


@pytest.mark.parametrize("body", ["exit 1", "echo what?", "echo v3.200.0; exit 3"])
def test_a_program_that_does_not_tell_its_version_is_not_used(few: Pins, program: Program, body: str) -> None:
    program("pulumi", body)
    assert find.find(few.tools["pulumi"], few) is None


def test_our_own_directories_on_path_do_not_count_as_the_users(
    few: Pins, program: Program, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = home / "checkout" / ".state" / "bin"
    program("pulumi", "echo v3.259.0", ours)
    monkeypatch.setenv("PATH", f"{ours}:{home}/path")
    assert find.find(few.tools["pulumi"], few) is None


@pytest.mark.parametrize("folder", [".state/bin", ".venv/bin"])
def test_another_checkout_in_the_same_shell_does_not_count_as_the_users(
    few: Pins, program: Program, home: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    other = home / "other"
    program("pulumi", "echo v3.259.0", other / folder)
    monkeypatch.setenv("PATH", f"{other / folder}:{home}/path")
    found = find.find(few.tools["pulumi"], few)
    assert found is not None
    assert found.source == "PATH"
    (other / ".state").mkdir(exist_ok=True)
    (other / ".state" / "env.sh").write_text(environment.script(few))
    assert find.find(few.tools["pulumi"], few) is None


def test_newest_finished_plugin_of_the_engine_is_used(few: Pins, program: Program, home: Path) -> None:
    plugin = few.tools["pulumi-resource-random"]
    plugins = home / "pulumi" / "plugins"
    for version in ("4.9.0", "4.16.2", "4.30.0", "4.18.0"):
        program(plugin.name, "exit 0", plugins / f"resource-random-v{version}")
    (plugins / "resource-random-v4.30.0.partial").touch()
    found = find.find(plugin, few)
    assert found is not None
    assert (found.version, found.source) == ("4.18.0", "plugins")


def test_a_build_in_the_cache_is_used_and_a_download_before_it(few: Pins, program: Program) -> None:
    engine, host = few.tools["pulumi"], few.tools["pulumi-language-python"]
    program(engine.name, "exit 0", find.build_home(engine) / "bin")
    found = find.find(engine, few)
    assert found is not None
    assert found.source == "built"
    for name in (engine.name, host.name):
        program(name, "exit 0", find.download_home(engine) / "bin")
    for tool in (engine, host):
        found = find.find(tool, few)
        assert found is not None
        assert (found.source, found.version) == ("download", "3.259.0")


def test_nothing_anywhere(few: Pins) -> None:
    assert [tool.name for tool in few.group("core") if find.find(tool, few)] == []
