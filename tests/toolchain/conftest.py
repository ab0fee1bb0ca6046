"""A cache and a checkout of the test's own, and programs that only pretend."""

from collections.abc import Callable
from pathlib import Path

import pytest

from toolchain import download, pins, place
from toolchain.pins import Pins, Tool


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty machine: nothing on PATH, nothing cached, no vendor that answers."""
    monkeypatch.setenv("TIERSTACK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "pulumi"))
    monkeypatch.setenv("TIERSTACK_NO_DOWNLOAD", "1")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr(place, "ROOT", tmp_path / "checkout")
    monkeypatch.setattr(pins, "HERE", tmp_path / "checkout" / "toolchain")
    monkeypatch.setattr(download, "silent_hosts", set())
    (tmp_path / "path").mkdir()
    for name in ("engine", "host", "plugin"):
        folder = tmp_path / "checkout" / "toolchain" / "modules" / name
        folder.mkdir(parents=True)
        (folder / "go.mod").write_text(f"module {name}")
    return tmp_path


@pytest.fixture
def program(home: Path) -> Callable[..., Path]:
    """Makes a shell script that stands for a program; by default on PATH."""

    def make(name: str, body: str, folder: Path | None = None) -> Path:
        file = (folder or home / "path") / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{body}\n")
        file.chmod(0o755)
        return file

    return make


@pytest.fixture
def few() -> Pins:
    """Three tools that stand for the real ones: an engine, what comes with it, and a plugin."""
    tools = [
        Tool(
            name="pulumi", group="core", version="3.259.0", minimum="3.150.0", module="engine", minutes=1,
            version_args=("version",), archive="http://127.0.0.1:1/pulumi-v{version}-{os}-{arch}.tar.gz",
            checksums="http://127.0.0.1:1/sums.txt", archive_also_has=("pulumi-language-python",),
        ),
        Tool(
            name="pulumi-language-python", group="core", version="3.79.0", module="host", minutes=1,
            comes_with="pulumi",
        ),
        Tool(
            name="pulumi-resource-random", group="core", version="4.21.4", minimum="4.16.0", module="plugin",
            minutes=1, plugin="random",
        ),
    ]  # fmt: skip
    return Pins({"python": "3.11", "go": "1.26", "go_bootstrap": "1.21"}, {tool.name: tool for tool in tools})
