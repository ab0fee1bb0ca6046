"""The operators' manifests: made once from what pins.toml names."""

from collections.abc import Callable
from pathlib import Path

import pytest

from toolchain import addons, build, pins
from toolchain.pins import AddonSource, Pins, Tool

RENDERER = Tool(name="manifests", group="test", version="1.0.0", module="engine", minutes=0.1, minimum="1.0.0")


@pytest.fixture
def upstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "module"
    (folder / "crds").mkdir(parents=True)
    for name in ("b", "a"):
        (folder / "crds" / f"{name}.yaml").write_text(f"name: {name}")
    monkeypatch.setattr(build, "module_dir", lambda module, sum: folder)
    return folder


def of(**sources: AddonSource) -> Pins:
    return Pins({}, {"manifests": RENDERER}, {}, {name: (source,) for name, source in sources.items()})


def test_files_are_joined_in_order(upstream: Path, program: Callable[..., Path]) -> None:
    program("manifests", "echo 1.0.0")
    made = addons.make(of(x=AddonSource(module="m@v1", sum="h1:", files=("crds/*.yaml",))))
    assert (made / "x.yaml").read_text() == "---\nname: a\n---\nname: b\n"
    assert made == addons.folder(of(x=AddonSource(module="m@v1", sum="h1:", files=("crds/*.yaml",))))
    assert made != addons.folder(of(x=AddonSource(module="m@v2", sum="h1:", files=("crds/*.yaml",))))


def test_what_is_rendered_is_rendered_by_the_tool(upstream: Path, program: Callable[..., Path]) -> None:
    program("manifests", 'case $1 in --version) echo 1.0.0;; *) echo "# $*";; esac')
    chart = AddonSource(
        module="m@v1.2.3", sum="h1:", chart="chart", namespace="ns", kubernetes="v1.34.2", values=("v.yaml", "a=1")
    )
    made = addons.make(of(kustomized=AddonSource(module="m@v1", sum="h1:", kustomize="config"), chart=chart))
    assert (made / "kustomized.yaml").read_text() == f"# kustomize {upstream}/config\n"
    assert (made / "chart.yaml").read_text() == f"# chart {upstream}/chart ns v1.34.2 v1.2.3 {upstream}/v.yaml a=1\n"


def test_a_failed_rendering_leaves_nothing(upstream: Path, program: Callable[..., Path]) -> None:
    program("manifests", "case $1 in --version) echo 1.0.0;; *) echo broken >&2; exit 1;; esac")
    broken = of(x=AddonSource(module="m@v1", sum="h1:", kustomize="config"))
    with pytest.raises(build.SetupError, match=r"(?s)failed:.*broken"):
        addons.make(broken)
    assert not addons.folder(broken).exists()


def test_a_pattern_without_files_is_found_out(upstream: Path, program: Callable[..., Path]) -> None:
    program("manifests", "echo 1.0.0")
    with pytest.raises(build.SetupError, match="no manifest found"):
        addons.make(of(x=AddonSource(module="m@v1", sum="h1:", files=("nothing/*.yaml",))))


def test_without_the_renderer_the_command_is_named(upstream: Path, home: Path) -> None:
    with pytest.raises(build.SetupError, match=r"setup\.py test"):
        addons.make(of(x=AddonSource(module="m@v1", sum="h1:", files=("crds/*.yaml",))))


def test_every_pinned_source_says_one_thing() -> None:
    for name, sources in pins.load().addons.items():
        for source in sources:
            assert source.sum.startswith("h1:"), name
            assert [bool(source.files), bool(source.kustomize), bool(source.chart)].count(True) == 1, name
