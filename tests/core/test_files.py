"""The pure parts of what speaks to the Docker daemon: the archive and script of a volume's files, a container's
verdict, and when a resource changes."""

import io
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierstack.platform import files, ready, run_once

ODD = st.text(alphabet="ab-. '\"$`\\\n*?;&|é🙂(){}~!#", min_size=1, max_size=8).filter(
    lambda name: name not in (".", "..")
)
PATHS = st.lists(st.lists(ODD, min_size=1, max_size=3).map("/".join), unique=True, min_size=1, max_size=5).filter(
    lambda paths: not any(a != b and b.startswith(a + "/") for a in paths for b in paths)
)


def run(root: Path, write: dict[str, str], remove: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What the daemon and the helper do: unpack the archive into the volume, run the script there."""
    monkeypatch.setattr(files, "_MOUNT", str(root))
    with tarfile.open(fileobj=io.BytesIO(files.archive(write, os.getuid(), os.getgid(), 0o640))) as tar:
        tar.extractall(root, filter="fully_trusted")
    done = subprocess.run(
        ["/bin/sh", "-c", files.script(list(write), remove, os.getuid(), os.getgid())], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def content(root: Path) -> dict[str, str]:
    found = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_text() for path in found}


@settings(max_examples=40)
@given(PATHS, st.data())
def test_whatever_the_paths_the_volume_holds_just_the_files(paths: list[str], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        root = Path(folder)
        first = {path: f"first {path}" for path in paths}
        run(root, first, [], patch)
        assert content(root) == first
        kept = data.draw(st.lists(st.sampled_from(paths), unique=True))
        second = {path: f"second {path}" for path in kept}
        run(root, second, [path for path in paths if path not in kept], patch)
        assert content(root) == second
        assert not list(root.glob(".tierstack-*")), "nothing staged is left"


def test_owner_and_mode_stand_in_the_archive() -> None:
    with tarfile.open(fileobj=io.BytesIO(files.archive({"deep/er/a": "x", "b": "é"}, 10, 20, 0o400))) as tar:
        found = {one.name: (one.uid, one.gid, one.mode, one.isdir(), one.size) for one in tar}
    staged = files.staging(["b", "deep/er/a"])
    assert found == {
        staged: (10, 20, 0o755, True, 0),
        f"{staged}/deep": (10, 20, 0o755, True, 0),
        f"{staged}/deep/er": (10, 20, 0o755, True, 0),
        f"{staged}/b": (10, 20, 0o400, False, 2),
        f"{staged}/deep/er/a": (10, 20, 0o400, False, 1),
    }


def test_two_writers_of_one_volume_stage_apart() -> None:
    assert files.staging(["a", "b"]) == files.staging(["b", "a"])
    assert files.staging(["a"]) != files.staging(["b"])


def test_the_archive_of_the_same_files_is_the_same() -> None:
    one, two = (files.archive(given, 1, 1, 0o400) for given in ({"a": "1", "b": "2"}, {"b": "2", "a": "1"}))
    assert one == two


BEFORE = {"volume": "v", "files": {"a": "1"}, "uid": 1, "gid": 1, "mode": 256, "image": "i", "docker_host": None}


@pytest.mark.parametrize(
    ("change", "changes", "replaces"),
    [
        ({}, False, []),
        ({"image": "other"}, False, []),
        ({"files": {"a": "2"}}, True, []),
        ({"mode": 288}, True, []),
        ({"uid": 2}, True, []),
        ({"volume": "w"}, True, ["volume"]),
        ({"docker_host": "ssh://a"}, True, ["docker_host"]),
    ],
)
def test_when_files_change(change: dict[str, Any], changes: bool, replaces: list[str]) -> None:
    found = files._Provider().diff("id", BEFORE, {**BEFORE, **change})
    assert (found.changes, found.replaces) == (changes, replaces)


RAN = {"name": "n", "image": "i", "command": ["a"], "triggers": {}, "networks": ["x"], "memory_mb": 64}


@pytest.mark.parametrize(
    ("change", "changes", "runs"),
    [
        ({}, False, False),
        ({"memory_mb": 128}, True, False),
        ({"networks": ["y"]}, True, False),
        ({"image": "j"}, True, True),
        ({"command": ["b"]}, True, True),
        ({"triggers": {"release": "2"}}, True, True),
    ],
)
def test_when_a_run_is_repeated(
    change: dict[str, Any], changes: bool, runs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[dict[str, Any]] = []
    monkeypatch.setattr(run_once, "run", ran.append)
    after = {**RAN, **change, "__provider": "code"}
    provider = run_once._Provider()
    assert provider.diff("id", {**RAN, "__provider": "other code"}, after).changes == changes
    assert provider.update("id", RAN, after).outs == {**RAN, **change}
    assert bool(ran) == runs


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"Running": True, "Status": "running"}, None),
        ({"Running": True, "Health": {"Status": "healthy", "Log": []}}, None),
        ({"Running": True, "Health": {"Status": "none"}}, None),
        ({"Running": False, "Status": "exited", "ExitCode": 3}, "is exited, its last exit code was 3"),
        (
            {"Running": True, "Restarting": True, "Status": "restarting", "ExitCode": 1},
            "is restarting, its last exit code was 1",
        ),
        ({"Running": True, "Health": {"Status": "starting", "Log": []}}, "is starting"),
        ({"Running": True, "Health": {"Status": "starting", "Log": None}}, "is starting"),
        (
            {"Running": True, "Health": {"Status": "unhealthy", "Log": [{"Output": "refused\n", "ExitCode": 1}]}},
            "is unhealthy: refused (exit code 1)",
        ),
        (
            {"Running": True, "Health": {"Status": "unhealthy", "Log": [{"Output": "", "ExitCode": 1}]}},
            "is unhealthy: no output (exit code 1)",
        ),
    ],
)
def test_whether_a_container_is_ready(state: dict[str, Any], said: str | None) -> None:
    assert ready.verdict(state) == said


def test_another_container_is_waited_for_and_nothing_else_is() -> None:
    provider, before = ready._Provider(), {"container": "a", "wait_seconds": 3}
    assert not provider.diff("id", before, {**before, "wait_seconds": 9}).changes
    assert provider.diff("id", before, {**before, "container": "b"}).changes
