"""What the image builder decides without a daemon: order, what counts as a change, and its data."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from images import build

HERE = Path(build.__file__).resolve().parent
OFFICIAL = {key: value for key, value in json.loads((HERE / "official.json").read_text()).items() if key != "note"}


def test_parents_come_first() -> None:
    names = build.with_parents(["shop:2", "valkey:8.1"])
    assert set(names) == {"base:trixie", "php:8.4", "shop:2", "valkey:8.1"}
    for name in names:
        parent = build.IMAGES[name].parent
        assert parent is None or names.index(parent) < names.index(name)


@pytest.mark.parametrize("name", build.IMAGES)
def test_every_recipe_runs_as_a_numbered_user(name: str) -> None:
    recipe = (HERE / "recipes" / build.IMAGES[name].recipe / "Dockerfile").read_text()
    if name == "base:trixie":
        assert "USER" not in recipe  # only ever a parent
        return
    last = re.findall(r"^USER (.*)$", recipe, re.MULTILINE)[-1]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last)
    # Commands come from whoever runs the image; manifests of operators give only arguments.
    assert bool(re.search(r'^ENTRYPOINT \["', recipe, re.MULTILINE)) == (build.IMAGES[name].group == "cluster")
    parent = build.IMAGES[name].parent
    assert parent is None or f"FROM {build.tag(parent)}" in recipe


@pytest.mark.parametrize("name", OFFICIAL)
def test_official_images_are_pinned_by_digest_or_not_at_all(name: str) -> None:
    entry = OFFICIAL[name]
    assert name in build.IMAGES
    assert entry["digest"] is None or re.fullmatch(r"sha256:[0-9a-f]{64}", entry["digest"])
    assert entry["note"]


def test_stacks_name_the_official_images_that_are_looked_after() -> None:
    """`make outdated` reads official.json: another version in a stack would never be compared with anything."""
    official = {entry["reference"].rpartition(":")[0]: entry for entry in OFFICIAL.values()}
    named = 0
    for file in HERE.parent.glob("Pulumi.*.yaml"):
        for reference, digest in re.findall(r": (\S+)@(sha256:[0-9a-f]{64})$", file.read_text(), re.MULTILINE):
            if entry := official.get(reference.rpartition(":")[0]):
                assert (reference, digest) == (entry["reference"], entry["digest"]), file.name
                named += 1
    assert named


def test_content_name_and_executable_bit_are_a_change_and_times_are_not(tmp_path: Path) -> None:
    file = tmp_path / "recipe" / "file"
    file.parent.mkdir()
    file.write_text("one")
    seen = [build.tree_hash(file.parent)]
    file.touch()
    assert build.tree_hash(file.parent) == seen[0]
    file.write_text("two")
    seen.append(build.tree_hash(file.parent))
    file.chmod(0o755)
    seen.append(build.tree_hash(file.parent))
    file.rename(file.parent / "other")
    seen.append(build.tree_hash(file.parent))
    assert len(set(seen)) == 4


def test_a_changed_parent_changes_its_children_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(HERE / "recipes", tmp_path / "recipes")
    shutil.copy(HERE / "official.json", tmp_path)
    monkeypatch.setattr(build, "HERE", tmp_path)
    builder = build.Builder(tmp_path, quiet=True)
    images = [build.IMAGES[name] for name in ("php:8.4", "shop:1", "valkey:8.1")]
    before = [builder.recipe_hash(image, builder.parts(image)) for image in images]
    with (tmp_path / "recipes" / "php" / "Dockerfile").open("a") as recipe:
        recipe.write("# another line\n")
    after = [builder.recipe_hash(image, builder.parts(image)) for image in images]
    assert [one != other for one, other in zip(before, after, strict=True)] == [True, True, False]


def test_ids_are_merged_into_the_table(tmp_path: Path) -> None:
    build.record(tmp_path, {"shop:1": "sha256:a"})
    build.record(tmp_path, {"php:8.4": "sha256:b", "shop:1": "sha256:c"})
    assert json.loads((tmp_path / "images.json").read_text()) == {"php:8.4": "sha256:b", "shop:1": "sha256:c"}


def test_an_unknown_name_is_told_the_known_ones() -> None:
    result = subprocess.run(
        [sys.executable, str(HERE / "build.py"), "--print", "shop:9"], capture_output=True, text=True
    )
    assert result.returncode == 2
    assert "no image named shop:9; there are base:trixie" in result.stderr


@pytest.mark.parametrize(("client", "told"), [("", "docker is not on PATH"), ("exit 1", "docker does not answer")])
def test_without_docker_there_is_one_clear_error(client: str, told: str, tmp_path: Path) -> None:
    if client:
        (tmp_path / "docker").write_text(f"#!/bin/sh\n{client}\n")
        (tmp_path / "docker").chmod(0o755)
    command = [sys.executable, str(HERE / "build.py")]
    environment = {"PATH": str(tmp_path), "HOME": "/nonexistent"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.returncode == 1
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1
